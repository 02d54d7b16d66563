"""The records that a worker would send to control, kept for a test to look at."""

import asyncio

from harness import WAIT_S, Proxy

from tracer_proxy.dataplane.records import read_records
from tracer_proxy.telemetry.record import Record

EXPORTED = "tracing: {exporter: otlp}"
"""At the top of a config, so that every sampled exchange is recorded."""


class Kept:
    def __init__(self, running: Proxy) -> None:
        self._running = running
        self.records: list[Record] = []
        running.worker.records.send = self._take

    def _take(self, encoded: bytes) -> bool:
        self.records += read_records(encoded)
        return True

    async def next(self, count: int = 1) -> list[Record]:
        """``count`` records that were not given before, in the order in which they came."""
        async with asyncio.timeout(WAIT_S):
            while len(self.records) < count:
                await asyncio.sleep(0.005)
                self._running.worker.records.flush()
        found, self.records = self.records[:count], self.records[count:]
        return found

    async def one(self) -> Record:
        (record,) = await self.next()
        return record
