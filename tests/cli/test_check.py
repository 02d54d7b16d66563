"""``tracer-proxy check``, and the group around it."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tracer_proxy import __version__
from tracer_proxy.cli import main

GOOD = """\
version: 1
routes:
  - {name: a, match: {path: /a}, lanes: [{name: x, pool: p}, {name: y, pool: q}]}
  - {name: b, lanes: [{name: x, pool: p}]}
pools:
  p: {endpoints: [http://h:1, http://h:2]}
  q: {endpoints: [http://h:3]}
profiles:
  small: {routes: [{name: b, lanes: [{name: x, pool: "${POOL:-p}"}]}]}
"""
BAD = GOOD.replace("pool: q", "pool: qq").replace("match", "macth")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "proxy.yaml"
    path.write_text(GOOD)
    return path


def run(*args: object, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], env={"TRACER_PROXY_PROFILE": "", **(env or {})})


def test_good_file(file: Path) -> None:
    """One line with what is in it, and exit 0."""
    result = run("check", file)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{file}: ok: 2 routes, 3 lanes, 2 pools, 3 endpoints\n"


def test_bad_file_tells_every_problem(file: Path) -> None:
    """One line each as file:line:column on stderr, then their number; nothing on stdout, and exit 1."""
    file.write_text(BAD)
    result = run("check", file)
    assert (result.exit_code, result.stdout) == (1, "")
    first, second, count = result.stderr.splitlines()
    assert first == f"{file}:3:15: routes[0].macth: unknown key 'macth'; did you mean 'match'?"
    assert second.startswith(f"{file}:3:78: routes[0].lanes[1].pool: found 'qq': there is no such pool")
    assert count == "2 problems"


def test_what_works_and_should_not_stay_so(file: Path) -> None:
    """A warning at its place; the file is good all the same."""
    file.write_text(GOOD.replace("[http://h:3]", "[https://h:3], tls: {verify: false}"))
    result = run("check", file)
    assert (result.exit_code, result.stdout.partition(": ok: ")[0]) == (0, str(file))
    assert result.stderr.startswith(f"warning: {file}:7:47: pools.q.tls.verify: found false: whoever answers is believed")


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    """A sentence, not a traceback."""
    result = run("check", tmp_path / "none.yaml")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0] == f"{tmp_path}/none.yaml: cannot read the file: No such file or directory"


@pytest.mark.parametrize("by_variable", [False, True])
def test_profile(file: Path, by_variable: bool) -> None:
    """By option or by environment variable; it is named in the answer."""
    option, variable = ([], "small") if by_variable else (["--profile", "small"], "")
    result = run("check", file, *option, env={"TRACER_PROXY_PROFILE": variable})
    assert result.stdout == f"{file}: ok: 1 route, 1 lane, 2 pools, 3 endpoints, profile small\n"


def test_profile_that_is_not_there(file: Path) -> None:
    """With the nearest name."""
    result = run("check", file, "--profile", "smal")
    assert result.exit_code == 1
    assert "did you mean 'small'?" in result.stderr


def test_variables_come_from_the_environment(file: Path) -> None:
    """As they do for run."""
    result = run("check", file, "--profile", "small", env={"POOL": "r"})
    assert "found 'r': there is no such pool" in result.stderr


def test_help_lists_all_commands() -> None:
    """With a line each."""
    output = run("--help").stdout
    for name in ("run", "check", "explain", "demo", "mock", "schema"):
        assert f"\n  {name} " in output


def test_version() -> None:
    """The installed one."""
    assert run("--version").stdout.strip().endswith(__version__)


def test_unknown_command() -> None:
    """With the nearest one."""
    result = run("chek")
    assert result.exit_code == 2
    assert "There is no command 'chek'; did you mean 'check'?" in result.stderr


def test_help_and_check_import_no_event_loop(file: Path) -> None:
    """They start quickly: what moves bytes and what serves mocks stays unloaded."""
    code = (
        "import sys\nfrom tracer_proxy.cli import main\n"
        "try: main(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print([name for name in ('asyncio', 'uvloop', 'aiohttp', 'pydantic', 'yaml') if name in sys.modules])"
    )
    for args, loaded in ((["--help"], "[]"), (["check", str(file)], "['pydantic', 'yaml']")):
        done = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1] == loaded


def test_module_is_the_command(file: Path) -> None:
    """``python -m tracer_proxy`` does the same, under the same name."""
    args = [sys.executable, "-m", "tracer_proxy"]
    done = subprocess.run([*args, "check", str(file)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{file}: ok: ")
    assert "Usage: tracer-proxy " in subprocess.run([*args, "--help"], capture_output=True, text=True, check=True).stdout


def test_a_missing_extra_is_a_warning(file: Path) -> None:
    """The file is good; here alone it would export nothing."""
    file.write_text(GOOD + "tracing: {exporter: jaeger, protocol: thrift}\n")
    result = run("check", file)
    assert result.exit_code == 0
    assert "proxy.yaml:10:39: tracing.protocol: thrift needs a package that is not installed" in result.stderr
