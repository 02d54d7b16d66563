"""The supervisor's watch over control, by a clock of the test's own."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tracer_proxy.control.supervisor import Opened, Supervisor
from tracer_proxy.limits import CONTROL_SILENCE_S


@pytest.fixture
def silent() -> Iterator["subprocess.Popen[bytes]"]:
    """Stands for a control that says nothing."""
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


@contextmanager
def watching(process: "subprocess.Popen[bytes]") -> Iterator[Supervisor]:
    supervisor = Supervisor(Path("none.yaml"), None)
    supervisor._opened = Opened()
    supervisor._control.begins(process.pid, 0.0)
    supervisor._alive_at = supervisor._looked_at = 1000.0
    yield supervisor
    supervisor._workers_call.close()


def test_a_control_that_hangs_is_killed_once_its_time_is_over(silent: "subprocess.Popen[bytes]") -> None:
    with watching(silent) as supervisor:
        for second in range(int(CONTROL_SILENCE_S) + 1):
            supervisor._look_at_control(1000.0 + second)
        assert silent.poll() is None
        supervisor._look_at_control(1000.0 + CONTROL_SILENCE_S + 1)
        assert silent.wait(10) < 0


def test_a_pause_of_the_supervisor_itself_is_not_held_against_control(silent: "subprocess.Popen[bytes]") -> None:
    with watching(silent) as supervisor:
        supervisor._look_at_control(1000.0 + 10 * CONTROL_SILENCE_S)
        supervisor._look_at_control(1001.0 + 10 * CONTROL_SILENCE_S)
    assert silent.poll() is None
