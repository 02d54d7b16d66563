"""Records on their way out: a bounded queue, and a thread that makes batches of spans of it and sends them.

``offer`` decides and returns at once. What is under way is a batch; it is sent again for a while if it may be taken later. Each
span of each record that was to be exported is counted exactly once: as exported, or as dropped and why.
"""

import asyncio
import logging
import re
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from random import uniform
from typing import Any

from tracer_proxy.config.tracing import Tracing
from tracer_proxy.control.export import environment
from tracer_proxy.control.export.not_taken import NotTaken
from tracer_proxy.control.export.sinks import Sink, complaint, sink_of
from tracer_proxy.limits import (
    EXPORT_AGE_S_MAX,
    EXPORT_ATTEMPTS_MAX,
    EXPORT_BACKOFF_MAX_S,
    EXPORT_BACKOFF_S,
    EXPORT_BATCH_BYTES,
    EXPORT_BATCH_SPANS,
    EXPORT_DELAY_S,
    EXPORT_QUEUE_BYTES_MAX,
    EXPORT_QUEUE_SPANS_MAX,
    KiB,
)
from tracer_proxy.telemetry.catalogue import SpanLoss
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.selection import is_exported
from tracer_proxy.telemetry.spans import SpanData, SpanOptions, span_count, spans_of

RECORD_BYTES = KiB
"""What a record counts for when its size is not told."""

Say = Callable[..., None]
"""Of the proxy's log: event, level, message, and further fields by name."""

# What the SDK's exporters would print is said in the proxy's own log.
logging.getLogger("opentelemetry").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class _Offered:
    record: Record
    spans: int
    bytes: int
    at: float


class Exporting:
    """To be made, and told of each config by ``reconfigure``, on the event loop. Counters may be read at any time."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self.exported = 0
        """Spans."""
        self.failures = 0
        """Batches that were not taken, each time that one was not."""
        self.dropped = dict.fromkeys(map(str, SpanLoss), 0)
        """Spans, by reason."""
        self._changed = threading.Condition()
        """Guards all that follows."""
        self._queue: deque[_Offered] = deque()
        self._queued_spans = self._queued_bytes = self._under_way = 0
        self._tracing = Tracing()
        self._is_closing = self._is_aborted = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        # The thread's own.
        self._in_use: Tracing | None = None
        self._options = SpanOptions()
        self._sink: Sink | None = None
        self._is_failing = False

    @property
    def queued(self) -> int:
        """Spans of records that wait, or are under way."""
        return self._queued_spans + self._under_way

    def reconfigure(self, tracing: Tracing) -> None:
        """Holds from the next try on, also for what waits already."""
        with self._changed:
            self._tracing = tracing
            self._changed.notify_all()
        if self._thread is None and tracing.exporter != "none":
            self._loop = asyncio.get_running_loop()
            self._thread = threading.Thread(target=self._run, name="export", daemon=True)
            self._thread.start()

    def offer(self, record: Record, size_bytes: int = RECORD_BYTES) -> None:
        """``size_bytes`` is about what the record takes, for the bound of the queue."""
        tracing = self._tracing
        always = tracing.always
        if tracing.exporter == "none" or not is_exported(record, errors=always.errors, slower_s=always.slower):
            return
        offered = _Offered(record, span_count(record), size_bytes, time.monotonic())
        with self._changed:
            spans, size = self._queued_spans + offered.spans, self._queued_bytes + size_bytes
            if self._is_closing:
                self.dropped["closing"] += offered.spans
            elif spans > EXPORT_QUEUE_SPANS_MAX or size > EXPORT_QUEUE_BYTES_MAX:
                self.dropped["queue_full"] += offered.spans
            else:
                self._queue.append(offered)
                self._queued_spans, self._queued_bytes = spans, size
                if len(self._queue) == 1 or spans >= EXPORT_BATCH_SPANS:
                    self._changed.notify_all()

    async def close(self, limit_s: float) -> None:
        """Sends what waits, for at most so long; drops and counts the rest."""
        with self._changed:
            self._is_closing = True
            self._changed.notify_all()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join, limit_s)
        with self._changed:
            self._is_aborted = True
            self.dropped["closing"] += self.queued
            self._queue.clear()
            self._queued_spans = self._queued_bytes = self._under_way = 0
            self._changed.notify_all()

    # In the thread.

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            self._renew()
            if batch:
                self._send(batch)
            if self._sink is not None:
                self._sink.tick()
        if self._sink is not None:
            self._sink.close()

    def _next(self) -> list[Record] | None:
        """Waits for a batch; an empty one comes about once a second and when the config changes, ``None`` at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_ready() or self._queue, EXPORT_DELAY_S)
            if self._queue and not self._is_ready():
                self._changed.wait_for(self._is_ready, self._queue[0].at + EXPORT_DELAY_S - time.monotonic())
            if self._is_aborted or (self._is_closing and not self._queue):
                return None
            return self._take()

    def _is_ready(self) -> bool:
        is_full = self._queued_spans >= EXPORT_BATCH_SPANS or self._queued_bytes >= EXPORT_BATCH_BYTES
        return is_full or self._is_closing or self._tracing is not self._in_use

    def _take(self) -> list[Record]:
        batch: list[Record] = []
        spans = size = 0
        while self._queue:
            following = self._queue[0]
            if batch and (spans + following.spans > EXPORT_BATCH_SPANS or size + following.bytes > EXPORT_BATCH_BYTES):
                break
            batch.append(self._queue.popleft().record)
            spans, size = spans + following.spans, size + following.bytes
        self._queued_spans -= spans
        self._queued_bytes -= size
        self._under_way = spans
        return batch

    def _renew(self) -> None:
        """Takes the config over that holds by now."""
        tracing = self._tracing
        if tracing is self._in_use:
            return
        if self._sink is not None:
            self._sink.close()
        self._in_use, self._sink, self._is_failing = tracing, None, False
        self._options = _options(tracing)
        why = complaint(tracing)
        try:
            self._sink = None if why else sink_of(tracing)
        except Exception as error:
            why = f"the exporter cannot be made: {error}"
        if why:
            self._tell("export_off", "error", f"Nothing is exported: {why}. Traffic is not affected.")

    def _send(self, batch: list[Record]) -> None:
        spans = self._made(batch)
        if not spans:
            return None
        begun = time.monotonic()
        for attempt in range(EXPORT_ATTEMPTS_MAX):
            self._renew()
            if self._sink is None:
                return self._settle(len(spans), "no_exporter")
            try:
                rejected = self._sink.export(spans)
            except NotTaken as error:
                failure = error
            except Exception as error:
                failure = NotTaken(f"{type(error).__name__}: {error}", is_transient=False)
            else:
                return self._taken(len(spans), rejected)
            self._failed(failure)
            if not failure.is_transient:
                return self._settle(len(spans), "refused")
            wait_s = _backoff_s(attempt, failure)
            if time.monotonic() - begun + wait_s > EXPORT_AGE_S_MAX or not self._pause(wait_s):
                break
        return self._settle(len(spans), "gave_up")

    def _made(self, batch: list[Record]) -> list[SpanData]:
        spans: list[SpanData] = []
        for record in batch:
            try:
                spans += spans_of(record, self._options)
            except Exception as error:
                self._settle(span_count(record), "bug")
                self._tell("bug", "error", f"No spans could be made of an exchange: {type(error).__name__}: {error}")
        return spans

    def _taken(self, spans: int, rejected: int) -> None:
        if self._is_failing and self._sink is not None:
            self._is_failing = False
            self._tell("export_works", "info", f"{self._sink.target} takes spans again.")
        rejected = min(rejected, spans)
        self._settle(rejected, "rejected")
        self._settle(spans - rejected)

    def _settle(self, spans: int, reason: str = "") -> None:
        with self._changed:
            if self._is_aborted:
                # Whoever closes has counted them.
                return
            self._under_way -= spans
            if reason:
                self.dropped[reason] += spans
            else:
                self.exported += spans

    def _failed(self, failure: NotTaken) -> None:
        with self._changed:
            self.failures += 1
        if not self._is_failing and self._sink is not None:
            self._is_failing = True
            what = "They are sent again for a while" if failure.is_transient else "They are dropped"
            self._tell(
                "export_failing",
                "warning",
                f"{self._sink.target} does not take spans: {failure.reason}. {what}; traffic is not affected.",
            )

    def _pause(self, wait_s: float) -> bool:
        """False when there is no more time. A new config ends the wait."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_aborted or self._tracing is not self._in_use, wait_s)
            return not self._is_aborted

    def _tell(self, event: str, level: str, message: str, **fields: Any) -> None:
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(lambda: self._say(event, level, message, **fields))


def _options(tracing: Tracing) -> SpanOptions:
    patterns = tuple(re.compile(pattern) for pattern in tracing.redact)
    return SpanOptions(environment.profile(tracing), patterns, tracing.capture_limit)


def _backoff_s(attempt: int, failure: NotTaken) -> float:
    """Doubled each time, with some chance in it, so that many proxies do not come back at once."""
    wait_s: float = min(EXPORT_BACKOFF_S * 2**attempt, EXPORT_BACKOFF_MAX_S) * uniform(0.8, 1.2)  # noqa: S311
    return max(wait_s, failure.wait_s)
