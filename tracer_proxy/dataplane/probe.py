"""Probes: small requests of the proxy's own, which tell whether an endpoint is fit for traffic."""

import asyncio
import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from tracer_proxy.dataplane.tasks import begin
from tracer_proxy.errors import Kind, ProxyError, Side
from tracer_proxy.limits import PROBES_AT_ONCE_MAX
from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.health import ProbeRules
from tracer_proxy.routing.table import Table
from tracer_proxy.wire.fields import FieldReader
from tracer_proxy.wire.head_buffer import HeadBuffer
from tracer_proxy.wire.response import read_response

if TYPE_CHECKING:
    from tracer_proxy.dataplane.worker import Worker

_FIELDS = FieldReader(Kind.UPSTREAM_BROKEN, ())
_Watched = tuple[str, Endpoint, ProbeRules]
"""The name of a pool, one of its endpoints, and how it is probed: other rules are another watch, which begins at once."""


class Probes:
    """Each worker probes for itself, so that health is known while control is gone. One probe at a time for an endpoint."""

    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._tasks: dict[_Watched, asyncio.Task[None]] = {}
        self._at_once = asyncio.Semaphore(PROBES_AT_ONCE_MAX)

    def follow(self, table: Table) -> None:
        """Begins and ends what a new table asks for."""
        wanted = {} if self._worker.leaving else dict.fromkeys(_wanted(table))
        for gone in [watched for watched in self._tasks if watched not in wanted]:
            self._tasks.pop(gone).cancel()
        for watched in wanted:
            if watched not in self._tasks:
                self._tasks[watched] = begin(self._watch(*watched), f"probe {watched[1]}")

    def stop(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        self._tasks.clear()

    async def _watch(self, name: str, endpoint: Endpoint, rules: ProbeRules) -> None:
        """Until ``follow`` or ``stop`` cancels it."""
        # Not all at the same moment, neither at the start nor later.
        pause_s = rules.interval * random.random()  # noqa: S311
        while True:
            await asyncio.sleep(pause_s)
            async with self._at_once:
                failure = await self._failure(endpoint, rules)
            if failure is None:
                continue
            self._worker.table.pools[name].probed(endpoint, failure, self._worker.clock.now)
            pause_s = rules.interval * random.uniform(0.9, 1.1)  # noqa: S311

    async def _failure(self, endpoint: Endpoint, rules: ProbeRules) -> str | None:
        """Why a probe did not pass; empty when it did, ``None`` when it says nothing of the endpoint."""
        try:
            async with asyncio.timeout(rules.timeout):
                status = await self._ask(endpoint, rules)
        except TimeoutError:
            return f"its probe had no answer within {rules.timeout:g} s"
        except ProxyError as error:
            return f"its probe failed: {error.message.rstrip('.')}" if error.side is Side.UPSTREAM else None
        except Exception as bug:
            # Told, and no reason to stop probing: an endpoint that nobody asks would stay as it is.
            self._worker.loop.call_exception_handler({"message": f"the probe of {endpoint} failed", "exception": bug})
            return None
        return "" if status is None or status in rules.statuses else f"its probe was answered with {status}"

    async def _ask(self, endpoint: Endpoint, rules: ProbeRules) -> int | None:
        """The status of the answer; ``None`` when a connection is all that was asked for."""
        worker = self._worker
        upstream = await worker.connections.dial(endpoint, rules.timeout)
        worker.upstreams.discard(upstream)
        transport = cast(asyncio.Transport, upstream.transport)
        try:
            if not rules.path:
                return None
            answer = _Answer(worker.loop)
            transport.set_protocol(answer)
            lines = (f"GET {rules.path} HTTP/1.1".encode(), b"Host: " + endpoint.authority, b"User-Agent: tracer-proxy")
            transport.write(b"\r\n".join((*lines, b"Connection: close", b"", b"")))
            return await answer.status
        finally:
            transport.abort()


def _wanted(table: Table) -> Iterator[_Watched]:
    for name, pool in table.pools.items():
        rules = pool.rules.probe
        if rules is not None:
            yield from ((name, endpoint, rules) for endpoint in pool.endpoints)


class _Answer(asyncio.Protocol):
    """Reads the head of an answer and nothing behind it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.status: asyncio.Future[int] = loop.create_future()
        self._heads = HeadBuffer(Kind.UPSTREAM_BROKEN)

    def data_received(self, data: bytes) -> None:
        if self.status.done():
            return
        try:
            found = self._heads.feed(data)
            while found is not None:
                answer = read_response(found[0], _FIELDS, b"GET")
                if answer.status >= 200:
                    self.status.set_result(answer.status)
                    return
                found = self._heads.feed(found[1])
        except ProxyError as error:
            self.status.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.status.done():
            self.status.set_exception(ProxyError(Kind.UPSTREAM_CLOSED, "The endpoint closed the connection."))
