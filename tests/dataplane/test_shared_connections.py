"""What one client does must not reach another: through a kept connection, a counter, or trust."""

import asyncio
import socket
import struct
from typing import cast

import pytest
from harness import OK, Upstream, answering, connection, field, one_route, proxy, request, say, status, upstream

TRACE = "00-{}-b7ad6b7169203331-01"


async def test_an_upstream_that_was_not_sent_a_whole_body_is_not_used_again() -> None:
    """It would take the next request for the rest of the body."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await endpoint.head(reader)
        length = int(field(head, "content-length") or 0)
        if b" /bad " in head:
            writer.write(b"HTTP/1.1 400 Bad\r\nContent-Length: 4\r\n\r\nab")
            await writer.drain()
            await asyncio.sleep(0.1)
            writer.write(b"cd")
        await reader.readexactly(length)
        if b" /bad " not in head:
            writer.write(OK)
        await endpoint.head(reader)

    smuggled = b"A" * 1000 + b"DELETE /admin HTTP/1.1\r\nHost: x\r\n\r\n"
    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        async with connection(running.port) as (reader, writer):
            writer.write(b"POST /bad HTTP/1.1\r\nHost: x\r\nContent-Length: 700\r\n\r\n")
            await reader.readuntil(b"ab")
            writer.write(b"B" * 700)
            await reader.read(-1)
        answer = await say(running.port, request("POST /ok HTTP/1.1", body=smuggled))
    assert status(answer) == 200
    assert [head.split(b" ")[1] for head in endpoint.heard] == [b"/bad", b"/ok"]


async def test_refused_requests_leave_the_endpoints_counter_alone() -> None:
    async with proxy(one_route("http://127.0.0.1:1", route="limits: {request_body: 1KiB}")) as running:
        await say(running.port, b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5000\r\n\r\n")
        await say(running.port, b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n")
        await say(running.port, b"OPTIONS / HTTP/1.1\r\nHost: t\r\nMax-Forwards: 0\r\n\r\n")
        await say(running.port, request())
        (endpoint,) = running.worker.table.routes[0].split.lanes[0].pool.endpoints
        assert endpoint.pending == 0


async def test_a_peer_that_reset_before_it_was_accepted_is_not_trusted() -> None:
    """It has no address any more; only peers on Unix sockets may have none."""
    more = {"top": "trust: [10.0.0.0/8]", "pool": "idle: 60s"}
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, **more)) as running:
        await say(running.port, request())
        forged = socket.create_connection(("127.0.0.1", running.port))
        forged.sendall(b"GET /forged HTTP/1.1\r\nHost: x\r\nx-traffic-color: canary\r\n\r\n")
        forged.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        forged.close()
        await asyncio.sleep(0.2)
        await say(running.port, request())
    assert all(b"/forged" not in head for head in endpoint.heard)


@pytest.mark.parametrize("name", ["x-trace-id-ext", "traceparent", "x-session-id"])
async def test_sessions_of_one_connection_split_as_sessions_of_many(name: str) -> None:
    keys = [f"{number:032x}" for number in range(1, 17)]
    lines = [f"{name}: {TRACE.format(key) if name == 'traceparent' else key}" for key in keys]
    answer_a, answer_b = (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + lane for lane in (b"a", b"b"))
    lanes = "lanes: [{name: a, pool: a, weight: 1}, {name: b, pool: b, weight: 1}]"
    route = f"{{name: r, sticky: ['header:{name}'], {lanes}}}"
    async with upstream(answering(answer_a)) as a, upstream(answering(answer_b)) as b:
        pools = f"{{a: {{endpoints: [{a.url}]}}, b: {{endpoints: [{b.url}]}}}}"
        config = f"version: 1\nproxy: {{listen: 127.0.0.1:0}}\nroutes: [{route}]\npools: {pools}\n"
        async with proxy(config) as running:
            alone = [(await say(running.port, request("GET / HTTP/1.1", line)))[-1:] for line in lines]
            piped = b"".join(request("GET / HTTP/1.1", line, close=line is lines[-1]) for line in lines)
            together = [piece[:1] for piece in (await say(running.port, piped)).split(b"\r\n\r\n")[1:]]
    assert together == alone
    assert set(alone) == {b"a", b"b"}


async def test_an_upgrade_may_say_that_it_has_no_body() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        await say(running.port, request("POST / HTTP/1.1", "Content-Length: 5", close=False) + b"hello" + request())
        upgrade = (
            b"POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nConnection: upgrade, close\r\nUpgrade: SPDY/3.1\r\n\r\n"
        )
        await say(running.port, upgrade)
    heard = endpoint.heard[-1]
    assert (field(heard, "upgrade"), field(heard, "connection"), field(heard, "content-length")) == (
        b"SPDY/3.1",
        b"upgrade",
        b"0",
    )


async def test_a_client_that_leaves_unread_bytes_behind_is_gone_at_once() -> None:
    closed = asyncio.Event()

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 20_000_000)
        try:
            await reader.read(-1)
        finally:
            closed.set()

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running, connection(running.port) as (_, writer):
        cast(asyncio.Transport, writer.transport).pause_reading()
        writer.write(request())
        await asyncio.sleep(0.3)
        writer.write_eof()
        async with asyncio.timeout(5):
            await closed.wait()
