"""Over a bound new work is refused quickly and old work goes on; and clients that have left cost nothing for long."""

import asyncio
from typing import cast

import pytest
from harness import OK, Upstream, answering, connection, field, one_route, proxy, request, say, status, upstream
from leftovers import hangs, kind, nothing_left, until

from tracer_proxy.dataplane import exchange
from tracer_proxy.wire.head_buffer import HeadBuffer

ONE = "limits: {exchanges: 1}"


async def test_one_exchange_too_many_is_refused_and_the_other_goes_on() -> None:
    release = asyncio.Event()

    async def waits(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await endpoint.request(reader)
            await release.wait()
            writer.write(OK)

    async with upstream(waits) as endpoint, proxy(one_route(endpoint.url, listener=ONE)) as running:
        first = asyncio.ensure_future(say(running.port, request()))
        await until(lambda: bool(endpoint.heard))
        async with connection(running.port) as (reader, writer):
            writer.write(request(close=False))
            refused = await reader.readuntil(b"}}")
            assert (status(refused), kind(refused), field(refused, "retry-after")) == (503, "overloaded", b"1")
            assert len(endpoint.heard) == 1
            release.set()
            assert status(await first) == 200
            writer.write(request())
            assert status(await reader.read(-1)) == 200, "the refused client's connection is as good as before"
        await nothing_left(running)


async def test_a_refused_body_is_not_waited_for() -> None:
    async with upstream(hangs) as endpoint, proxy(one_route(endpoint.url, listener=ONE)) as running:
        async with connection(running.port) as (_, writer):
            writer.write(request())
            await until(lambda: bool(endpoint.heard))
            answer = await say(running.port, b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000\r\n\r\nbegin")
            assert (status(answer), kind(answer)) == (503, "overloaded")
        await nothing_left(running)


async def test_an_upgraded_connection_is_no_exchange_any_more() -> None:
    switching = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"

    async def switches(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await endpoint.head(reader)
        writer.write(switching if field(head, "upgrade") else OK)
        await reader.read(-1)

    async with (
        upstream(switches) as endpoint,
        proxy(one_route(endpoint.url, listener=ONE)) as running,
        connection(running.port) as (reader, writer),
    ):
        writer.write(request("GET / HTTP/1.1", "Connection: upgrade", "Upgrade: echo", close=False))
        await reader.readuntil(b"\r\n\r\n")
        assert status(await say(running.port, request())) == 200


@pytest.mark.parametrize("answered", [False, True])
async def test_a_client_that_leaves_while_it_is_not_read_is_seen_to_have_left(
    monkeypatch: pytest.MonkeyPatch, answered: bool
) -> None:
    """Its upstream is full, so the end behind what it sent lies unread in the kernel."""
    monkeypatch.setattr(exchange, "CLIENT_LOOK_S", 0.2)
    over = asyncio.Event()

    async def does_not_read(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        cast(asyncio.ReadTransport, writer.transport).pause_reading()
        if answered:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        await over.wait()

    async with upstream(does_not_read) as endpoint, proxy(one_route(endpoint.url)) as running:
        worker = running.worker
        async with connection(running.port) as (_, writer):
            writer.write(b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 60000000\r\n\r\n")
            await until(lambda: bool(endpoint.heard))
            while all(downstream.transport.is_reading() for downstream in worker.downstreams):
                writer.write(bytes(100_000))
                await asyncio.sleep(0.001)
            # Something is left unread in front of the end, and all of it has left the client.
            writer.write(bytes(1000))
            await asyncio.sleep(0.7)
            assert worker.exchanges_open == 1, "a client that waits is not taken for one that left"
            await until(lambda: writer.transport.get_write_buffer_size() == 0)
            writer.close()
            await until(lambda: worker.exchanges_open == 0)
        assert running.errors == {"client_gone": 1}
        over.set()
        await nothing_left(running)


async def test_requests_sent_ahead_are_not_copied_again_for_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of errors in one piece: what is looked at for each is bounded, not all that is left."""
    looked_at = 0
    feed = HeadBuffer.feed

    def counting(buffer: HeadBuffer, data: bytes) -> tuple[bytes, bytes] | None:
        nonlocal looked_at
        looked_at += len(data)
        return feed(buffer, data)

    monkeypatch.setattr(HeadBuffer, "feed", counting)
    config = one_route("http://127.0.0.1:1", route="match: {path: /there}")
    ahead = b"GET / HTTP/1.1\r\nHost: t\r\n\r\n" * 9000
    async with proxy(config) as running:
        answer = await say(running.port, ahead + request())
        await nothing_left(running)
    assert answer.count(b"HTTP/1.1 404 ") == 9001
    assert looked_at < 9000 * 32 * 1024 * 1.1


@pytest.mark.parametrize("size", [10, 100_000])
async def test_bodies_sent_ahead_arrive_whole(size: int) -> None:
    """Cut anywhere, and longer than the pieces that they are cut into."""
    bodies = [bytes([65 + number]) * (size + number) for number in range(5)]
    piped = b"".join(request("POST / HTTP/1.1", body=body, close=body is bodies[-1]) for body in bodies)
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        answer = await say(running.port, piped)
        await nothing_left(running)
    assert answer.count(b"200 OK") == 5
    assert endpoint.bodies == bodies
