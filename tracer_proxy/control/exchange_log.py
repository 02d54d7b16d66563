"""The log of exchanges: one JSON line each, to stderr or to a file.

Control only makes the lines. A thread writes them, so that a slow disk or a reader that does not read holds nothing up: what
waits is bounded, and what is beyond that is left out and counted.
"""

import asyncio
import math
import os
import select
import threading
import time
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

import msgspec

from tracer_proxy.control.events import Events
from tracer_proxy.limits import LOG_CLOSE_S, LOG_FLUSH_S, LOG_LOOK_S, LOG_QUEUE_BYTES_MAX, LOG_STALL_S, LOG_VALUE_CHARS_MAX
from tracer_proxy.telemetry.exchange_log import line_of
from tracer_proxy.telemetry.record import Record

_OWNER_WRITES_AND_GROUP_READS = 0o640
_TEXT_CHARS = LOG_VALUE_CHARS_MAX, LOG_VALUE_CHARS_MAX // 4, LOG_VALUE_CHARS_MAX // 16
"""How much of its texts a line keeps; less where it would be too long to be written at once."""
_encode = msgspec.json.Encoder().encode


class ExchangeLog:
    """``written`` and ``dropped`` count lines since the process began."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._target = "none"
        self._profile = "v1.41"
        self._writer: _Writer | None = None
        self._earlier: list[_Writer] = []
        """Of earlier targets."""

    @property
    def is_on(self) -> bool:
        """Whether it wants every record."""
        return self._writer is not None

    @property
    def written(self) -> int:
        return sum(writer.written for writer in self._writers())

    @property
    def dropped(self) -> int:
        return sum(writer.dropped for writer in self._writers())

    def _writers(self) -> list["_Writer"]:
        return [*self._earlier, *([self._writer] if self._writer else [])]

    def configure(self, target: str, profile: str) -> None:
        """``target`` is ``none``, ``stderr`` or the path of a file. What was taken before still goes where it was to go."""
        self._profile = profile
        if target == self._target:
            return
        self._target = target
        if self._writer is not None:
            self._writer.end()
            self._earlier.append(self._writer)
        self._writer = None
        if target != "none":
            sink: _Sink = _Stderr(self._events) if target == "stderr" else _File(target)
            self._writer = _Writer(sink, self._events)

    def take(self, record: Record) -> None:
        if self._writer is None:
            return
        line = b""
        for chars_max in _TEXT_CHARS:
            line = _encode(line_of(record, profile=self._profile, text_chars_max=chars_max)) + b"\n"
            if len(line) <= self._writer.line_bytes_max:
                break
        self._writer.put(line)

    def reopen(self) -> None:
        """As logrotate wants it after it has moved the file away, although that is noticed anyway."""
        if self._writer is not None:
            self._writer.reopen()

    async def close(self, limit_s: float = LOG_CLOSE_S) -> None:
        """Writes what waits, for as long as that may take."""
        self.configure("none", self._profile)
        ends = time.monotonic() + limit_s
        for writer in self._earlier:
            await asyncio.to_thread(writer.join, max(0.0, ends - time.monotonic()))


class _Sink(Protocol):
    name: str
    line_bytes_max: float
    """A longer line may be broken off."""
    wants_reopening: bool

    def write(self, lines: list[bytes]) -> tuple[int, str]:
        """How many lines are written, and why not all of them are."""

    def close(self) -> None: ...


class _Writer:
    """One target, its lines that wait, and the thread that writes them."""

    def __init__(self, sink: _Sink, events: Events) -> None:
        self._sink, self._events = sink, events
        self._collected: list[bytes] = []
        self._batches: SimpleQueue[list[bytes] | None] = SimpleQueue()
        # The loop counts what it hands over, the thread what it is done with: no lock is needed.
        self._taken_bytes = self._done_bytes = 0
        self._refused = self._failed = self.written = 0
        self._told = False
        self._dropped_when_told = 0
        self._thread = threading.Thread(target=self._run, name="log of exchanges", daemon=True)
        self._thread.start()
        # Opens the file at once, so that one that cannot be written is told of before there is traffic.
        self._batches.put([])

    @property
    def line_bytes_max(self) -> float:
        return self._sink.line_bytes_max

    @property
    def dropped(self) -> int:
        return self._refused + self._failed

    def put(self, line: bytes) -> None:
        if self._taken_bytes - self._done_bytes + len(line) > LOG_QUEUE_BYTES_MAX:
            self._refused += 1
            return
        self._taken_bytes += len(line)
        if not self._collected:
            asyncio.get_running_loop().call_later(LOG_FLUSH_S, self._flush)
        self._collected.append(line)

    def _flush(self) -> None:
        if self._collected:
            self._batches.put(self._collected)
            self._collected = []

    def reopen(self) -> None:
        self._flush()
        self._sink.wants_reopening = True
        self._batches.put([])

    def end(self) -> None:
        self._flush()
        self._batches.put(None)

    def join(self, limit_s: float) -> None:
        self._thread.join(limit_s)

    # In the thread.

    def _run(self) -> None:
        while (lines := self._batches.get()) is not None:
            written, problem = self._sink.write(lines)
            self.written += written
            self._failed += len(lines) - written
            self._done_bytes += sum(map(len, lines))
            self._tell(problem)
        self._sink.close()

    def _tell(self, problem: str) -> None:
        """Once when lines begin to be lost, and once when none are any more."""
        lost = self.dropped - self._dropped_when_told
        if not self._told and (problem or lost):
            self._told = True
            why = problem or "it takes lines more slowly than they come"
            message = f"The log of exchanges cannot be written to {self._sink.name}: {why}. Lines are left out until it can."
            self._events.write("exchange_log_failed", "error", message)
        elif self._told and not problem and self._batches.empty():
            self._told, self._dropped_when_told = False, self.dropped
            self._events.write("exchange_log_resumed", lines_lost=lost)


class _Stderr:
    """Shared with the proxy's own events, and never in the middle of one."""

    name = "stderr"
    line_bytes_max: float = select.PIPE_BUF

    def __init__(self, events: Events) -> None:
        self._events = events
        self.wants_reopening = False

    def write(self, lines: list[bytes]) -> tuple[int, str]:
        for number, line in enumerate(lines):
            if not self._events.has_room(LOG_STALL_S) or not self._events.write_line(line):
                return number, "nobody reads it, or it has no room"
        return len(lines), ""

    def close(self) -> None:
        """It belongs to the process."""


class _File:
    """Appended to; opened again when another file stands, or none, where it stood."""

    line_bytes_max: float = math.inf

    def __init__(self, path: str) -> None:
        self.name = path
        self.wants_reopening = False
        self._descriptor = -1
        self._looked_at = 0.0
        self._is_broken_off = False

    def write(self, lines: list[bytes]) -> tuple[int, str]:
        try:
            self._open()
        except OSError as error:
            return 0, error.strerror or str(error)
        begun_anew = b"\n" if self._is_broken_off and lines else b""
        data, done, problem = begun_anew + b"".join(lines), 0, ""
        try:
            while done < len(data):
                done += self._write(data[done:])
        except OSError as error:
            problem = error.strerror or str(error)
        if done:
            self._is_broken_off = data[done - 1 : done] != b"\n"
        return data.count(b"\n", len(begun_anew), done), problem

    def _open(self) -> None:
        now = time.monotonic()
        if self.wants_reopening or now - self._looked_at >= LOG_LOOK_S:
            self.wants_reopening, self._looked_at = False, now
            if self._is_elsewhere():
                self.close()
        if self._descriptor < 0:
            # Not waiting is for a named pipe that nobody reads.
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
            self._descriptor = os.open(self.name, flags, _OWNER_WRITES_AND_GROUP_READS)
            self._is_broken_off = False

    def _is_elsewhere(self) -> bool:
        if self._descriptor < 0:
            return False
        try:
            return not os.path.samestat(Path(self.name).stat(), os.fstat(self._descriptor))
        except OSError:
            return True

    def _write(self, data: bytes) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            poll = select.poll()
            poll.register(self._descriptor, select.POLLOUT)
            if not poll.poll(LOG_STALL_S * 1000):
                raise OSError("nobody reads it") from None
            return 0

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor = -1
