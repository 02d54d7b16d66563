"""Cores, children and ``/proc``."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.processes import (
    BenchError,
    Cores,
    choose_cores,
    cpu_seconds,
    free_addresses,
    parse_stat,
    pss_bytes,
    running,
    tree,
    wait_until_listening,
)

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")

HERE = frozenset(os.sched_getaffinity(0)) if sys.platform.startswith("linux") else frozenset()
PARENT_OF_SLEEPER = "import subprocess; subprocess.run(['sleep', '60'])"
BUSY_CHILD_THAT_ENDED = (
    "import subprocess, sys, time; subprocess.run([sys.executable, '-c', 'sum(range(3_000_000))']); "
    "print('done', flush=True); time.sleep(60)"
)


def wait_until(condition: Callable[[], bool]) -> None:
    """Poll; the test's own timeout is the bound."""
    while not condition():
        time.sleep(0.01)


def ended(pid: int) -> bool:
    """Gone, or a zombie that its new parent has yet to collect: both have no command line any more."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() == b""
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize(("available", "load"), [({0, 3}, {0}), ({1, 2, 3}, {1, 2}), ({0, 1, 2, 3}, {1, 2})])
def test_cores_are_apart_if_there_are_two(available: set[int], load: set[int]) -> None:
    """wrk has one thread and the upstream one worker, so more than two cores would be no use to them."""
    cores = choose_cores(available)
    assert cores == Cores(proxy=frozenset({3}), load=frozenset(load))
    assert cores.apart


def test_one_core_is_shared() -> None:
    cores = choose_cores({5})
    assert cores == Cores(proxy=frozenset({5}), load=frozenset({5}))
    assert not cores.apart


def test_stat_with_blanks_and_brackets_in_the_command() -> None:
    stat = parse_stat("42 (a) R (b) S 7 42 42 0 -1 4194560 1 2 3 4 100 20 3 4 20 0 1 0 9 0 0")
    assert (stat.parent, stat.cpu_ticks) == (7, 127)


def test_tree_has_grandchildren_and_memory_and_all_of_it_is_gone_at_the_end(tmp_path: Path) -> None:
    with running([sys.executable, "-c", PARENT_OF_SLEEPER], HERE, tmp_path / "log") as process:
        wait_until(lambda: len(tree(process.pid)) == 2)
        pids = list(tree(process.pid))
        assert pss_bytes(process.pid) > 1_000_000
        assert not any(map(ended, pids))
    wait_until(lambda: all(map(ended, pids)))


def test_work_of_a_child_that_ended_still_counts(tmp_path: Path) -> None:
    with running([sys.executable, "-c", BUSY_CHILD_THAT_ENDED], HERE, tmp_path / "log") as process:
        wait_until(lambda: "done" in (tmp_path / "log").read_text())
        assert len(tree(process.pid)) == 1
        own_ticks = sum(map(int, Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))
        assert cpu_seconds(process.pid) > own_ticks / os.sysconf("SC_CLK_TCK")


def test_child_runs_only_on_its_core(tmp_path: Path) -> None:
    core = frozenset({max(HERE)})
    command = [sys.executable, "-c", "import os; print(os.sched_getaffinity(0))"]
    with running(command, core, tmp_path / "log") as process:
        process.wait()
    assert (tmp_path / "log").read_text().strip() == repr(set(core))


def test_a_server_that_dies_at_start_is_reported_with_its_last_words(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no such upstream')"]
    with (
        running(command, HERE, tmp_path / "log") as process,
        pytest.raises(BenchError, match=r"exit code 1 before it listened(.|\n)*no such upstream"),
    ):
        wait_until_listening("toy", free_addresses(1)[0], process, tmp_path / "log")
