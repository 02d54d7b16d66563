"""Endpoints that fail in one way each, and what must be left of an exchange when it is over: nothing."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness import WAIT_S, Proxy, Upstream, body_of


@contextmanager
def refusing() -> Iterator[str]:
    """The URL of an endpoint that nobody listens on; the port stays taken meanwhile."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


async def resets(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Reads a whole request, and closes."""
    await endpoint.request(reader)


async def hangs(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await endpoint.request(reader)
    await reader.read(-1)


def kind(answer: bytes) -> str:
    return str(json.loads(body_of(answer))["error"]["kind"])


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():  # noqa: ASYNC110 — what is waited for has no event
            await asyncio.sleep(0.01)


async def nothing_left(running: Proxy) -> None:
    """No exchange, count, timer's effect or byte of a body; waits for the last of them to go."""
    worker = running.worker
    lanes = [lane for route in worker.table.routes for one in route.split.lanes for lane in (one, *one.failover)]
    await until(
        lambda: not (any(lane.pool.circuit.requests or lane.pool.circuit.pending for lane in lanes) or worker.exchanges_open)
    )
    assert all(endpoint.pending == 0 for lane in lanes for endpoint in lane.pool.endpoints)
    assert worker.held_bytes == 0
    # What is being closed is counted no more, and there a moment longer.
    await until(lambda: sum(pool.circuit.connections for pool in {lane.pool for lane in lanes}) == len(worker.upstreams))
