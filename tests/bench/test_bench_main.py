"""What a user sees when something is missing."""

import sys
from pathlib import Path

import pytest

from bench import peers
from bench.__main__ import arguments, main
from bench.processes import BenchError
from bench.stage import choose_peers

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="runs on Linux only")


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(peers, "SYSTEM_FOLDERS", str(tmp_path))


@pytest.mark.usefixtures("nothing_installed")
def test_without_wrk_one_sentence_and_exit_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rounds", "1"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == ("bench: wrk (makes the load) is not installed; get it with: apt-get install nginx-light haproxy wrk\n")


@pytest.mark.usefixtures("nothing_installed")
def test_a_missing_peer_is_skipped_with_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert [peer.name for peer in choose_peers(["haproxy", "aiohttp"])] == ["aiohttp"]
    assert capsys.readouterr().out == (
        "skipping haproxy: it is not installed; get it with: apt-get install nginx-light haproxy wrk\n"
    )


@pytest.mark.usefixtures("nothing_installed")
def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(BenchError, match="nothing to compare"):
        choose_peers(["haproxy"])


def test_an_unknown_name_is_refused_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        arguments(["--only", "nginx,apache"])
    assert "--only does not know apache; it knows tracer-proxy, nginx, haproxy, aiohttp" in capsys.readouterr().err
