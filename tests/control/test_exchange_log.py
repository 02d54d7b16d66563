"""The log of exchanges: every line gets there or is counted, whatever becomes of the file, and nothing waits for it."""

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from harness import WAIT_S
from record_cases import record

from tracer_proxy.control.events import Events
from tracer_proxy.control.exchange_log import ExchangeLog
from tracer_proxy.limits import LOG_QUEUE_BYTES_MAX


class Heard:
    """The proxy's own log, as a reader of stderr has it."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self._bytes = b""

    def read(self) -> None:
        with suppress(BlockingIOError):
            while read := os.read(self.reader, 1_000_000):
                self._bytes += read

    def lines(self) -> list[dict[str, Any]]:
        """Those that are whole."""
        self.read()
        return [json.loads(line) for line in self._bytes.split(b"\n")[:-1] if line]

    def events(self) -> list[str]:
        return [line["event"] for line in self.lines()]


@asynccontextmanager
async def logging_to(target: str) -> AsyncIterator[tuple[ExchangeLog, Heard]]:
    heard = Heard()
    log = ExchangeLog(Events(heard.writer))
    log.configure(target, "v1.41")
    try:
        yield log, heard
    finally:
        await log.close()
        os.close(heard.reader)
        os.close(heard.writer)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():  # noqa: ASYNC110 — a thread changes it
            await asyncio.sleep(0.01)


def paths(file: Path) -> list[str]:
    return [json.loads(line)["url.path"] for line in file.read_text().splitlines()]


async def test_one_line_each_in_order(tmp_path: Path) -> None:
    file = tmp_path / "exchanges.jsonl"
    file.write_text('{"url.path": "before"}\n')
    async with logging_to(str(file)) as (log, heard):
        assert log.is_on
        for number in range(500):
            log.take(record(path=f"/{number}"))
        await until(lambda: log.written == 500)
        assert heard.lines() == []
    assert paths(file) == ["before", *(f"/{number}" for number in range(500))]
    assert (log.written, log.dropped, log.is_on) == (500, 0, False)


async def test_a_new_file_is_for_owner_and_group(tmp_path: Path) -> None:
    file = tmp_path / "new.jsonl"
    async with logging_to(str(file)) as (log, _):
        log.take(record())
    assert file.stat().st_mode & 0o037 == 0


async def test_a_file_that_was_moved_away_is_followed_by_a_new_one(tmp_path: Path) -> None:
    file, moved = tmp_path / "x.jsonl", tmp_path / "x.jsonl.1"
    async with logging_to(str(file)) as (log, _):
        log.take(record(path="/1"))
        await until(lambda: log.written == 1)
        file.rename(moved)
        log.reopen()
        await until(file.exists)
        log.take(record(path="/2"))
        await until(lambda: log.written == 2)
        file.unlink()
        # Nobody says so: it is noticed within a second.
        async with asyncio.timeout(WAIT_S):
            while not file.exists():
                log.take(record(path="/3"))
                await asyncio.sleep(0.01)
    assert paths(moved) == ["/1"]
    assert set(paths(file)) == {"/3"}


async def test_lines_taken_before_a_reload_go_where_they_were_to_go(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    async with logging_to(str(first)) as (log, _):
        log.take(record(path="/1"))
        log.configure(str(second), "v1.41")
        log.take(record(path="/2"))
        log.configure("none", "v1.41")
        log.take(record(path="/3"))
    assert (paths(first), paths(second), log.written) == (["/1"], ["/2"], 2)


async def test_a_full_disk_is_told_once() -> None:
    async with logging_to("/dev/full") as (log, heard):
        for number in range(3):
            log.take(record())
            await until(lambda wanted=number + 1: log.dropped == wanted)  # type: ignore[misc]
        (told,) = heard.lines()
    assert (told["event"], told["level"]) == ("exchange_log_failed", "error")
    assert "/dev/full: No space left on device" in told["message"]
    assert (log.written, log.dropped) == (0, 3)


async def test_a_folder_that_is_missing_is_told_at_once_and_its_coming_too(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "x.jsonl"
    async with logging_to(str(file)) as (log, heard):
        await until(lambda: heard.events() == ["exchange_log_failed"])
        log.take(record())
        log.take(record())
        await until(lambda: log.dropped == 2)
        file.parent.mkdir()
        log.take(record(path="/now"))
        await until(lambda: heard.events() == ["exchange_log_failed", "exchange_log_resumed"])
        assert heard.lines()[-1]["lines_lost"] == 2
    assert paths(file) == ["/now"]


async def test_a_pipe_that_nobody_reads_costs_lines_and_nothing_else(tmp_path: Path) -> None:
    """What waits is bounded; every line is written or counted; what was broken off ends before the next line."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    async with logging_to(str(pipe)) as (log, heard):
        large, count = record(path="/" + "x" * 1000), 3 * LOG_QUEUE_BYTES_MAX // 1500
        for _ in range(count):
            log.take(large)
        assert log.dropped > count // 3
        await until(lambda: "exchange_log_failed" in heard.events())
        read = b""

        def are_done(lines: int) -> bool:
            nonlocal read
            with suppress(BlockingIOError):
                while piece := os.read(reader, 1_000_000):
                    read += piece
            return log.written + log.dropped == lines

        await until(lambda: are_done(count))
        log.take(record(path="/after"))
        await until(lambda: are_done(count + 1))
    os.close(reader)
    whole = [json.loads(line) for line in read.splitlines() if line.endswith(b"}")]
    assert whole[-1]["url.path"] == "/after"
    assert (len(whole), log.written + log.dropped) == (log.written, count + 1)


async def test_stderr_is_shared_with_the_proxys_own_events() -> None:
    """Long lines of two threads never run into each other."""
    async with logging_to("stderr") as (log, heard):
        ended = threading.Event()

        def read() -> None:
            while not ended.wait(0.001):
                heard.read()

        reading = threading.Thread(target=read)
        reading.start()
        for number in range(100):
            log.take(record(path=f"/{number}", user_agent="\x01" * 900))
            log._events.write("own", number=number, text="y" * 3000)
            await asyncio.sleep(0.002)
        await until(lambda: log.written + log.dropped == 100)
        ended.set()
        reading.join()
        heard.read()
        log._events.write("own", number=100)
        lines = heard.lines()
    own = [line for line in lines if line["event"] == "own"]
    assert [line["number"] for line in own] == sorted({line["number"] for line in own})
    assert len(own) + sum(line.get("events_lost", 0) for line in own) == 101
    assert [line["url.path"] for line in lines if line["event"] == "exchange"] == [f"/{number}" for number in range(100)]


async def test_the_proxys_own_events_find_room_beside_a_log_that_nobody_reads() -> None:
    async with logging_to("stderr") as (log, heard):
        for _ in range(200):
            log.take(record())
        await until(lambda: log.dropped > 0)
        log._events.write("own")
        assert "own" in heard.events()
