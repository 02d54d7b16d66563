"""What a worker says itself, when control is not there to say it."""

import os
import sys
from contextlib import suppress

import pytest

from tracer_proxy.dataplane.process import say_without_waiting


def test_a_log_that_nobody_reads_stops_no_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        say_without_waiting("é" * 100_000)
        assert 1000 < len(os.read(reader, 1_000_000)) <= 4096
        os.set_blocking(writer, False)
        with suppress(BlockingIOError):
            while True:
                os.write(writer, bytes(4096))
        os.set_blocking(writer, True)
        say_without_waiting("nobody hears this")
        os.close(reader)
        say_without_waiting("nor this")
