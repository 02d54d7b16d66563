"""The log never holds the proxy up, and says what it had to leave out."""

import json
import os
from pathlib import Path

from tracer_proxy.control.events import Events


def test_a_reader_that_does_not_read_costs_lines_and_nothing_else() -> None:
    reader, writer = os.pipe()
    events = Events(writer)
    for number in range(3000):
        events.write("told", number=number, text="x" * 100)
    events.write("long", text="x" * 100_000)
    read = os.read(reader, 100_000)
    events.write("after")
    read += os.read(reader, 100_000)
    os.close(reader)
    events.write("nobody")
    os.close(writer)
    lines = [json.loads(line) for line in read.decode().splitlines()]
    numbers = [line["number"] for line in lines if line["event"] == "told"]
    assert numbers == list(range(len(numbers)))
    assert lines[-1]["event"] == "after"
    assert lines[-1]["events_lost"] == 3001 - len(numbers)


def test_a_long_line_that_is_broken_off_ends_before_the_next() -> None:
    reader, writer = os.pipe()
    events = Events(writer)
    events.write("long", text="x" * 100_000)
    begun = os.read(reader, 100_000)
    events.write("after")
    rest = os.read(reader, 100_000)
    os.close(reader)
    os.close(writer)
    assert b"\n" not in begun
    assert rest.startswith(b"\n")
    assert json.loads(rest)["events_lost"] == 1


def test_a_full_disk_is_no_reason_to_stop() -> None:
    with Path("/dev/full").open("wb") as disk:
        events = Events(disk.fileno())
        events.write("told")
        events.write_bug({"message": "also told", "exception": ValueError("x")})
