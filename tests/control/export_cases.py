"""What tests of the export share: records with ids of their own, an ``Exporting``, and waiting for what becomes of it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from span_cases import attempt, record

from tracer_proxy.config.tracing import Tracing
from tracer_proxy.control.export import Exporting
from tracer_proxy.telemetry.record import Record

WAIT_S = 30.0


def records(count: int, attempts: int = 1, **changes: Any) -> list[Record]:
    """Each in a trace of its own, of ``1 + attempts`` spans."""
    return [
        record(
            trace_id=b"%032x" % (number + 1),
            span_id=b"%016x" % (1000 * number + 1),
            parent_id=b"",
            attempts=[attempt(span_id=b"%016x" % (1000 * number + 2 + each)) for each in range(attempts)],
            **changes,
        )
        for number in range(count)
    ]


class Told(list[tuple[str, str, str]]):
    """Stands in for the proxy's log: (event, level, message)."""

    def say(self, event: str, level: str, message: str, **fields: Any) -> None:
        self.append((event, level, message))

    def events(self) -> list[str]:
        return [event for event, _, _ in self]


@asynccontextmanager
async def exporting(tracing: Tracing, told: Told | None = None, limit_s: float = WAIT_S) -> AsyncIterator[Exporting]:
    made = Exporting((told if told is not None else Told()).say)
    made.reconfigure(tracing)
    try:
        yield made
    finally:
        await made.close(limit_s)


def otlp(endpoint: str, **more: Any) -> Tracing:
    return Tracing(exporter="otlp", endpoint=endpoint, **more)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def dropped(exporting: Exporting) -> dict[str, int]:
    return {reason: spans for reason, spans in exporting.dropped.items() if spans}
