"""The ``demo`` command, whole: a process that runs everything, tells what it saw, and leaves nothing behind."""

import os
import re
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.request import Request, urlopen

import pytest
from click.testing import CliRunner

from tracer_proxy.cli import main
from tracer_proxy.config.load import load
from tracer_proxy.demo import proxy
from tracer_proxy.demo.scene import PORTS

COMMAND = [sys.executable, "-m", "tracer_proxy"]
WAIT_S = 60.0
"""How long a test waits for what must come; never a measure of speed."""
on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="needs /proc, and a kernel that tells a child of its parent's end"
)


def urls(output: str) -> list[str]:
    """Proxy, admin port, mock LLM and the two agents, in the order of the output."""
    return re.findall(r"^  (?:tracer-proxy|admin port|mock LLM|planner v\d) +(http://127\.0\.0\.1:\d+)", output, re.MULTILINE)


class Marked:
    """A mark in the environment, by which every process of one demo is found: ports may be those of another test by now."""

    def __init__(self) -> None:
        self._name = f"DEMO_TEST_{secrets.token_hex(8)}"
        self.environ = os.environ | {self._name: "1", "TRACER_PROXY_PROFILE": "not-for-the-demo"}

    def processes(self) -> list[int]:
        """Those that run, by /proc."""
        return [int(file.parent.name) for file in Path("/proc").glob("[0-9]*/environ") if self._marks(file)]

    def _marks(self, file: Path) -> bool:
        try:
            return self._name.encode() in file.read_bytes()
        except OSError:
            return False  # it has ended, or it is somebody else's


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


class Run(NamedTuple):
    code: int
    stdout: str
    stderr: str
    left: list[int]
    """Processes that are still there at the end."""


@pytest.fixture(scope="module")
def run() -> Run:
    """One whole run that ends by itself."""
    marked = Marked()
    command = [*COMMAND, "demo", "--sessions", "30"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, env=marked.environ, check=False)
    return Run(done.returncode, done.stdout, done.stderr, marked.processes())


def test_ends_well_and_leaves_nothing(run: Run) -> None:
    """Exit 0, nothing on stderr, no process."""
    assert (run.code, run.stderr, run.left) == (0, "", [])
    assert len(urls(run.stdout)) == 5


def test_says_what_must_hold(run: Run) -> None:
    """All of it, with the numbers of 30 sessions of three turns, each with two calls of the model."""
    lines = [re.sub(" +", " ", line).strip() for line in run.stdout.splitlines()]
    for line in (
        "90 of 90 turns",
        "✓ 0 errors, of callers or inside of the proxy",
        "✓ 0 sessions that saw two versions of 30",
        "✓ 6 turns that got the canary they asked for of 6",
        "✓ 90 traces, the same for caller and agent for 90 turns",
        "✓ 180 LLM calls in the trace of their turn of 180",
    ):
        assert line in lines
    assert "✗" not in run.stdout


def test_split_adds_up(run: Run) -> None:
    """28 sessions by weight and 2 that asked, 90 turns."""
    rows = re.findall(r"^  (?:stable|canary) .* (\d+) +[\d.]+% +(\d+) +(\d+) *$", run.stdout, re.MULTILINE)
    assert [sum(int(row[column]) for row in rows) for column in range(3)] == [28, 2, 90]


def test_shows_one_trace(run: Run) -> None:
    """Three exchanges, each with its own span, between one caller and two calls of the model."""
    trace = run.stdout.partition("One trace: ")[2].partition("Try next")[0]
    assert re.match(r"[0-9a-f]{32} ", trace)
    spans = re.findall(r"─ tracer-proxy .* ([0-9a-f]{16})\s*$", trace, re.MULTILINE)
    assert len(set(spans)) == len(spans) == 3
    assert len(re.findall(r"─ mock gpt-4o", trace)) == 2
    assert len(re.findall(r"─ tool +get_weather", trace)) == 1


def test_lines_fit_a_screen(run: Run) -> None:
    """100 columns, commands to copy apart."""
    shown = run.stdout.partition("Try next")[0]
    assert max(map(len, shown.splitlines())) <= 100


def test_explain_works_without_the_demo(run: Run) -> None:
    """As it is printed; what needs the demo is said to need it."""
    (line,) = (line for line in run.stdout.splitlines() if " explain " in line)
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=WAIT_S, check=True)
    assert "session  alice" in done.stdout
    assert re.search(r"^  \S.* demo --keep$", run.stdout, re.MULTILINE)


@contextmanager
def kept(marked: Marked) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """A demo that goes on, and what it has printed."""
    command = [*COMMAND, "demo", "--keep", "--sessions", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=marked.environ) as process:
        assert process.stdout is not None
        lines = []
        try:
            for line in process.stdout:
                lines.append(line)
                if line.startswith("Ctrl-C ends it all"):
                    break
            yield process, "".join(lines)
        finally:
            process.kill()


def test_kept_demo_answers_until_ctrl_c() -> None:
    """The printed curl works, with the header it promises; then exit 0, and no process is left."""
    marked = Marked()
    with kept(marked) as (process, output):
        curl = shlex.split(re.findall(r"^  (curl -i .*)$", output, re.MULTILINE)[0])
        name, _, value = curl[4].partition(": ")
        with urlopen(Request(curl[2], curl[6].encode(), {name: value}), timeout=WAIT_S) as answer:
            assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-trace-id-ext"])
            assert b"light snow" in answer.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_S) == 0
    assert marked.processes() == []


def test_ctrl_c_in_the_middle_is_quiet() -> None:
    """The exit code of a command that was interrupted, no word, no process."""
    marked = Marked()
    command = [*COMMAND, "demo", "--sessions", "2000"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, env=marked.environ, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        assert any(line.startswith("2000 sessions") for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=WAIT_S)
    assert (process.returncode, stderr, marked.processes()) == (130, "", [])


def test_terminal_gets_a_progress_bar() -> None:
    """And colours, in place of plain lines."""
    environ = os.environ | {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "80"}
    command = [*COMMAND, "demo", "--sessions", "2", "--turns", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=WAIT_S, env=environ, check=True)
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", done.stdout)
    assert "turns ━━━" in shown
    assert " 4/4 " in shown
    assert "4 of 4 turns" not in shown
    assert max(map(len, shown.partition("Try next")[0].splitlines())) <= 80


@on_linux
def test_proxy_does_not_outlive_a_demo_that_is_killed() -> None:
    """SIGKILL gives no chance to clean up."""
    marked = Marked()
    with kept(marked) as (process, _):
        assert len(marked.processes()) == 5, "the demo, and of the proxy supervisor, control, worker and mock LLM"
        process.kill()
        process.wait(WAIT_S)
    end = time.monotonic() + WAIT_S
    while marked.processes():
        assert time.monotonic() < end, "the proxy still runs"
        time.sleep(0.05)


@on_linux
def test_proxy_that_dies_is_told() -> None:
    """One sentence and exit 1."""
    marked = Marked()
    with kept(marked) as (process, _):
        (proxy_pid,) = (pid for pid in marked.processes() if parent_of(pid) == process.pid)
        os.kill(proxy_pid, signal.SIGKILL)
        assert process.wait(WAIT_S) == 1


def test_sessions_that_see_two_versions_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a config that does not keep sessions together, the demo says so and exits with 1."""
    text = proxy.CONFIG.read_text().replace("sticky: [header:x-session-id, trace]", "sticky: [trace]")
    config = tmp_path / "config.yaml"
    config.write_text(text.replace("weight: 90", "weight: 50").replace("weight: 10", "weight: 50"))
    monkeypatch.setattr(proxy, "CONFIG", config)
    result = CliRunner().invoke(main, ["demo", "--sessions", "20"])
    assert result.exit_code == 1
    assert re.search(r"✗ Session s-[0-9a-f]{8} saw v1 and v2: it is not sticky\.", result.output)


def test_config_that_does_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what the proxy said."""
    config = tmp_path / "config.yaml"
    config.write_text("version: 2\n")
    monkeypatch.setattr(proxy, "CONFIG", config)
    result = CliRunner().invoke(main, ["demo"])
    assert result.exit_code == 1
    assert "The demo broke off: The proxy ended by itself with exit code 1." in result.output


def test_taken_ports_are_left_alone() -> None:
    """The demo takes others, and the explain command that it prints names them."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = (
            "import sys; from tracer_proxy.demo import scene; from tracer_proxy.cli import main\n"
            f"scene._PROXY_PORTS['DEMO_PROXY_PORT'] = scene._AGENT_PORTS['DEMO_PLANNER_V1_PORT'] = {port}\n"
            "main(['demo', '--sessions', '2'])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert done.returncode == 0, done.stderr
    found = urls(done.stdout)
    assert len(found) == 5
    assert not any(url.endswith(f":{port}") for url in found)
    assert f"  DEMO_PLANNER_V1_PORT={found[3].rpartition(':')[2]} " in done.stdout


def test_config_names_the_usual_ports() -> None:
    """So that explain shows what a demo on these ports would do."""
    config = load(proxy.CONFIG, {})
    assert config.admin is not None
    assert config.mocks.llm is not None
    listened = [*config.proxy.listen, config.admin.listen, config.mocks.llm.listen]
    called = [f"127.0.0.1:{config.pools[pool].endpoints[0].port}" for pool in ("planner-v1", "planner-v2")]
    assert [*listened, *called] == [f"127.0.0.1:{port}" for port in PORTS.values()]
