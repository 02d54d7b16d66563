"""The commands that the demo prints: such as work when they are pasted where the demo was called."""

import sys
from pathlib import Path

import pytest

from tracer_proxy.demo.commands import own_command, suggestions

URLS = "http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:3"


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ``tracer-proxy`` in a folder that is not on the PATH but below the current one."""
    path = tmp_path / "with space" / "tracer-proxy"
    path.parent.mkdir()
    path.touch(mode=0o755)
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.chdir(tmp_path)
    return path


def test_script_on_the_path(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is enough."""
    monkeypatch.setenv("PATH", str(script.parent))
    assert own_command([str(script)]) == "tracer-proxy"


def test_script_that_is_not_on_the_path(script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative when it is below the current folder, quoted when it must be."""
    assert own_command([str(script)]) == "'with space/tracer-proxy'"
    monkeypatch.chdir("/")
    assert own_command(["elsewhere/tracer-proxy"]) == "elsewhere/tracer-proxy"


def test_module(script: Path) -> None:
    """The same interpreter again."""
    assert own_command(["/x/tracer_proxy/__main__.py"]) == f"{sys.executable} -m tracer_proxy"


def test_what_needs_a_running_demo_comes_after_the_way_to_keep_it() -> None:
    """A demo that is kept need not be started again."""
    commands = [each.command for each in suggestions(*URLS, {}, kept=False)]
    keep = next(index for index, command in enumerate(commands) if command.endswith(" demo --keep"))
    assert [index for index, command in enumerate(commands) if "http://" in command] == list(range(keep + 1, len(commands)))
    assert [each.command for each in suggestions(*URLS, {}, kept=True)] == commands[:keep] + commands[keep + 1 :]


def test_explain_gets_the_ports_in_use() -> None:
    """Only those that are not the usual ones."""
    assert suggestions(*URLS, {"A": "1", "B": "2"}, kept=False)[0].command.startswith("A=1 B=2 ")
