"""A pool takes as much as its limits say, says which one was reached, and its counters come back to nothing however it ends."""

import asyncio
import json

import pytest
from harness import (
    OK,
    Proxy,
    Upstream,
    answering,
    body_of,
    connection,
    field,
    one_route,
    proxy,
    request,
    say,
    status,
    upstream,
)
from leftovers import hangs, kind, nothing_left, resets, until

from tracer_proxy.dataplane.connections import Connections
from tracer_proxy.dataplane.upstream import Upstream as Connection
from tracer_proxy.routing.circuit import Circuit
from tracer_proxy.routing.pool import Endpoint

SWITCHING = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"
UPGRADE = request("GET / HTTP/1.1", "Connection: upgrade", "Upgrade: echo", close=False)


def circuit_of(running: Proxy) -> Circuit:
    return running.worker.table.routes[0].split.lanes[0].pool.circuit


def assert_full(answer: bytes, limit: str) -> None:
    assert (status(answer), kind(answer), field(answer, "retry-after")) == (503, "pool_full", b"1")
    message = json.loads(body_of(answer))["error"]["message"]
    assert message == f"The pool 'only' is full: its limit of 1 {limit} is reached; try again soon."


async def test_one_request_too_many_is_refused_and_the_others_go_on() -> None:
    release = asyncio.Event()

    async def waits(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await endpoint.request(reader)
            await release.wait()
            writer.write(OK)

    async with upstream(waits) as endpoint, proxy(one_route(endpoint.url, pool="limits: {requests: 1}")) as running:
        first = asyncio.ensure_future(say(running.port, request()))
        await until(lambda: bool(endpoint.heard))
        answer = await say(running.port, request("POST / HTTP/1.1", body=b"x" * 1000, close=False) + request())
        assert answer.count(b"HTTP/1.1 503 ") == 2, "the client's connection is not to blame"
        assert_full(answer[answer.rindex(b"HTTP/1.1") :], "requests")
        release.set()
        assert status(await first) == 200
        assert status(await say(running.port, request())) == 200
        await nothing_left(running)


async def test_one_more_that_waits_for_a_connection_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    may_connect = asyncio.Event()
    dial = Connections.dial

    async def slowly(connections: Connections, endpoint: Endpoint, timeout_s: float) -> Connection:
        await may_connect.wait()
        return await dial(connections, endpoint, timeout_s)

    monkeypatch.setattr(Connections, "dial", slowly)
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, pool="limits: {pending: 1}")) as running:
        first = asyncio.ensure_future(say(running.port, request()))
        await until(lambda: circuit_of(running).pending == 1)
        assert_full(await say(running.port, request()), "pending")
        assert circuit_of(running).requests == 1
        may_connect.set()
        assert status(await first) == 200
        await nothing_left(running)


async def test_one_connection_too_many_is_refused() -> None:
    async with upstream(hangs) as endpoint, proxy(one_route(endpoint.url, pool="limits: {connections: 1}")) as running:
        async with connection(running.port) as (_, writer):
            writer.write(request())
            await until(lambda: bool(endpoint.heard))
            assert_full(await say(running.port, request()), "connections")
        await nothing_left(running)
    assert endpoint.connections == 1


async def test_a_connection_that_lies_idle_makes_room_for_one_that_is_needed() -> None:
    more = "limits: {connections: 1}\nbalance: round_robin\nidle: 1h"
    async with (
        upstream(answering(OK)) as one,
        upstream(answering(OK)) as other,
        proxy(one_route(one.url, other.url, pool=more)) as running,
    ):
        for _ in range(6):
            assert status(await say(running.port, request())) == 200
            assert circuit_of(running).connections == 1
        await nothing_left(running)
    assert len(one.heard) == len(other.heard) == 3


async def test_an_upgraded_connection_counts_until_it_closes() -> None:
    async def echoes(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(SWITCHING)
        await reader.read(-1)

    async with upstream(echoes) as endpoint, proxy(one_route(endpoint.url, pool="limits: {requests: 1}")) as running:
        async with connection(running.port) as (reader, writer):
            writer.write(UPGRADE)
            await reader.readuntil(b"\r\n\r\n")
            assert_full(await say(running.port, request()), "requests")
            assert (circuit_of(running).connections, running.worker.exchanges_open) == (1, 0)
        await until(lambda: not circuit_of(running).connections)
        await nothing_left(running)


async def test_two_lanes_share_the_limits_of_their_pool() -> None:
    lanes = "lanes: [{name: a, pool: only, colors: [blue]}, {name: b, pool: only}]"
    async with upstream(hangs) as endpoint:
        pool = f"only: {{endpoints: [{endpoint.url}], limits: {{requests: 1}}}}"
        config = f"version: 1\nproxy: {{listen: 127.0.0.1:0}}\nroutes: [{{name: r, {lanes}}}]\npools: {{{pool}}}\n"
        async with proxy(config) as running:
            async with connection(running.port) as (_, writer):
                writer.write(request("GET / HTTP/1.1", "x-traffic-color: blue"))
                await until(lambda: bool(endpoint.heard))
                assert_full(await say(running.port, request()), "requests")
            await nothing_left(running)


async def halves(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await endpoint.request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")


@pytest.mark.parametrize("handler", [resets, halves, answering(OK), answering(b"garbage\r\n\r\n"), answering(SWITCHING)])
@pytest.mark.parametrize(
    "asked",
    [
        request("PUT / HTTP/1.1", body=b"x" * 10),
        b"PUT / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nnonsense\r\n",
        b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 100\r\n\r\nhalf",
        b"OPTIONS / HTTP/1.1\r\nHost: t\r\nMax-Forwards: 0\r\n\r\n",
        UPGRADE,
    ],
    ids=["put", "bad chunk", "half a body", "last hop", "upgrade"],
)
async def test_nothing_is_left_of_an_exchange_however_it_ends(handler: object, asked: bytes) -> None:
    """Also when the client leaves at some moment."""
    route = "retries: {on: [reset, 5xx], backoff: 20ms, attempts: 3}"
    async with upstream(handler) as endpoint, proxy(one_route(endpoint.url, "http://127.0.0.1:1", route=route)) as running:  # type: ignore[arg-type]
        for stays_s in (0, 0.001, 0.01, 0.03, 0.1):
            async with connection(running.port) as (_, writer):
                writer.write(asked * 3)
                await asyncio.sleep(stays_s)
        await until(lambda: not running.worker.downstreams)
        await nothing_left(running)
