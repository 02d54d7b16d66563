"""What has just happened: the last exchanges, and those who watch them come."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from msgspec.structs import replace

from tracer_proxy.limits import LIVE_PENDING_MAX, LIVE_RECORDS_MAX, LIVE_STREAMS_MAX, LIVE_WRITE_EXCHANGES
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.selection import has_failed
from tracer_proxy.telemetry.spans.status import is_client_gone


class RecordSource(Protocol):
    """Who has workers send records."""

    def want_all(self, wanted: bool) -> None:
        """Whether somebody watches, and wants each record; else a few a second will do."""


class TooMany(Exception):
    """Who want to watch."""


@dataclass(frozen=True)
class Filter:
    """Which exchanges are shown; what is empty takes all."""

    trace: str = ""
    """Hex digits that the trace id begins with."""
    route: str = ""
    errors: bool = False
    """Only those that failed, were answered with 4xx or 5xx, or whose client left before their end."""

    def takes(self, record: Record) -> bool:
        return (
            (not self.trace or record.trace_id.startswith(self.trace.encode()))
            and (not self.route or record.route == self.route)
            and (not self.errors or record.status >= 400 or has_failed(record) or is_client_gone(record))
        )


class Watcher:
    """One who watches. What comes faster than it is read is left out and counted."""

    def __init__(self, wanted: Filter, so_far: list[Record]) -> None:
        self._wanted = wanted
        self._pending = deque(so_far)
        self._lost = 0
        self._ended = False
        self._changed = asyncio.Event()

    def take(self, record: Record) -> bool:
        """False if it had to be left out."""
        if not self._wanted.takes(record):
            return True
        has_room = len(self._pending) < LIVE_PENDING_MAX
        if has_room:
            self._pending.append(record)
        else:
            self._lost += 1
        self._changed.set()
        return has_room

    def end(self) -> None:
        self._ended = True
        self._changed.set()

    async def batches(self, idle_s: float) -> AsyncIterator[tuple[list[Record], int]]:
        """Records, oldest first, and how many were lost since. Nothing at all comes after ``idle_s`` without any."""
        while self._pending or self._lost or not self._ended:
            if not self._pending and not self._lost:
                try:
                    async with asyncio.timeout(idle_s):
                        await self._changed.wait()
                except TimeoutError:
                    yield [], 0
                self._changed.clear()
                continue
            records = [self._pending.popleft() for _ in range(min(len(self._pending), LIVE_WRITE_EXCHANGES))]
            lost, self._lost = self._lost, 0
            yield records, lost


class Live:
    """``take`` is given every record that reaches control."""

    def __init__(self, source: RecordSource | None = None) -> None:
        self._source = source
        self._recent: deque[Record] = deque(maxlen=LIVE_RECORDS_MAX)
        self._watchers: set[Watcher] = set()
        self._ended = False
        self.dropped = 0
        """Records that somebody who watches was too slow for."""

    def take(self, record: Record) -> None:
        record = _without_content(record)
        self._recent.append(record)
        for watcher in self._watchers:
            self.dropped += not watcher.take(record)

    def recent(self, wanted: Filter, limit: int) -> list[Record]:
        """Newest first."""
        return list(islice(filter(wanted.takes, reversed(self._recent)), limit))

    @property
    def remembered(self) -> int:
        return len(self._recent)

    @property
    def oldest(self) -> Record | None:
        """Of those that are remembered."""
        return self._recent[0] if self._recent else None

    @property
    def has_ended(self) -> bool:
        return self._ended

    @contextmanager
    def watching(self, wanted: Filter, last: int = 0) -> Iterator[Watcher]:
        """Beginning with the ``last`` ones so far. Raises ``TooMany``."""
        if len(self._watchers) >= LIVE_STREAMS_MAX:
            raise TooMany
        watcher = Watcher(wanted, self.recent(wanted, last)[::-1])
        if self._ended:
            watcher.end()
        self._watchers.add(watcher)
        if len(self._watchers) == 1:
            self._want_all(True)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)
            if not self._watchers:
                self._want_all(False)

    def _want_all(self, wanted: bool) -> None:
        if self._source is not None:
            self._source.want_all(wanted)

    def end(self) -> None:
        """The proxy drains: whoever watches gets what there is, and then the end."""
        self._ended = True
        for watcher in self._watchers:
            watcher.end()


def _without_content(record: Record) -> Record:
    """What was said is not shown here, and a thousand of it would need much memory."""
    asked, answered, rpc_asked, rpc_answered = record.asked, record.answered, record.rpc_asked, record.rpc_answered
    return replace(
        record,
        asked=asked and replace(asked, results=(), history=(), content=None),
        answered=answered and replace(answered, calls=(), gaps=(), content=None),
        rpc_asked=rpc_asked and replace(rpc_asked, content=None),
        rpc_answered=rpc_answered and replace(rpc_answered, content=None),
        tools=[replace(run, result="") for run in record.tools],
    )
