"""Upgrades in general: a 101 only for who asked for it, and then bytes, unread, both ways."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from harness import (
    OK,
    WAIT_S,
    Upstream,
    answering,
    body_of,
    connection,
    field,
    fields,
    one_route,
    proxy,
    request,
    say,
    status,
    upstream,
)

ASK = b"GET /chat HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: chatter/2\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chatter/2\r\nX-Theirs: 1\r\n\r\n"


class Talk:
    """A tunnel from end to end: the client's streams, and the upstream's."""

    def __init__(self) -> None:
        self.near: tuple[asyncio.StreamReader, asyncio.StreamWriter]
        self.far: tuple[asyncio.StreamReader, asyncio.StreamWriter]
        self.over = asyncio.Event()


@asynccontextmanager
async def talk() -> AsyncIterator[Talk]:
    switched, tunnel = asyncio.Event(), Talk()

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(SWITCH)
        tunnel.far = reader, writer
        switched.set()
        await tunnel.over.wait()

    async with (
        upstream(handle) as endpoint,
        proxy(one_route(endpoint.url)) as running,
        connection(running.port) as tunnel.near,
        asyncio.timeout(WAIT_S),
    ):
        tunnel.near[1].write(ASK)
        head = await tunnel.near[0].readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
        await switched.wait()
        assert field(endpoint.heard[0], "upgrade") == b"chatter/2"
        assert (field(endpoint.heard[0], "connection") or b"").lower() == b"upgrade"
        assert (field(head, "upgrade"), field(head, "x-theirs")) == (b"chatter/2", b"1")
        assert (field(head, "connection") or b"").lower() == b"upgrade"
        try:
            yield tunnel
        finally:
            tunnel.over.set()


async def test_any_bytes_both_ways() -> None:
    """Also bytes that look like HTTP, or that HTTP would refuse."""
    sayings = [
        b"\0\xff\r\r\n\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        bytes(range(256)) * 500,
    ]
    async with talk() as tunnel:
        (near_reader, near), (far_reader, far) = tunnel.near, tunnel.far
        for saying in sayings:
            near.write(saying)
            assert await far_reader.readexactly(len(saying)) == saying
            far.write(saying[::-1])
            assert await near_reader.readexactly(len(saying)) == saying[::-1]


async def test_the_server_may_speak_first() -> None:
    """Bytes right behind the 101, in the same segment."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(SWITCH + b"welcome")

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        answer = await say(running.port, ASK)
    assert body_of(answer) == b"welcome"


async def test_what_the_client_sends_before_the_101_is_held_until_it() -> None:
    held = True

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal held
        await endpoint.head(reader)
        try:
            await asyncio.wait_for(reader.read(1), 0.2)
            held = False
        except TimeoutError:
            pass
        writer.write(SWITCH)
        writer.write(b"you said " + await reader.readexactly(9 + 100_000))
        await writer.drain()

    early = b"too early" + b"x" * 100_000
    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        answer = await say(running.port, ASK + early[:50], early[50:])
    assert held, "a server that has not agreed would take it for the next request"
    assert body_of(answer) == b"you said " + early


async def test_each_direction_ends_by_itself() -> None:
    """The client stops sending; the server goes on until it has said everything."""
    async with talk() as tunnel:
        (near_reader, near), (far_reader, far) = tunnel.near, tunnel.far
        near.write(b"last words")
        near.write_eof()
        assert await far_reader.read(-1) == b"last words"
        far.write(b"and mine")
        await far.drain()
        assert await near_reader.readexactly(8) == b"and mine"
        far.write_eof()
        assert await near_reader.read(-1) == b""


async def test_the_server_may_stop_sending_first() -> None:
    async with talk() as tunnel:
        (near_reader, near), (far_reader, far) = tunnel.near, tunnel.far
        far.write_eof()
        assert await near_reader.read(-1) == b""
        near.write(b"still here")
        near.write_eof()
        assert await far_reader.read(-1) == b"still here"


@pytest.mark.parametrize("side", ["client", "server"])
async def test_when_one_side_vanishes_the_other_is_told(side: str) -> None:
    async with talk() as tunnel:
        vanishing, left = (tunnel.near, tunnel.far) if side == "client" else (tunnel.far, tunnel.near)
        vanishing[1].transport.abort()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await left[0].readexactly(1)


@pytest.mark.parametrize(
    "asked",
    [
        b"GET / HTTP/1.1\r\nHost: t\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: t\r\nUpgrade: chatter/2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: t\r\nConnection: Upgrade\r\nUpgrade: chatter/2\r\nContent-Length: 1\r\n\r\nx",
        b"GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: chatter/2\r\n\r\n",
    ],
    ids=["not at all", "something else", "not named in connection", "with a body", "http/1.0"],
)
async def test_a_101_that_was_not_asked_for_is_a_broken_upstream(asked: bytes) -> None:
    async with (
        upstream(answering(SWITCH)) as endpoint,
        proxy(one_route(endpoint.url)) as running,
        connection(running.port) as (reader, writer),
    ):
        writer.write(asked)
        async with asyncio.timeout(WAIT_S):
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.readexactly(int(field(head, "content-length") or 0))
    assert status(head) == 502
    assert json.loads(body)["error"]["kind"] == "upstream_broken"


@pytest.mark.parametrize(
    ("offered", "sent"),
    [
        ("h2c", []),
        ("H2C", []),
        ("h2c, chatter/2", [b"chatter/2"]),
        ("chatter/2,h2c-16 , websocket", [b"chatter/2, websocket"]),
    ],
)
async def test_http_2_by_upgrade_is_not_passed_on(offered: str, sent: list[bytes]) -> None:
    """It would hide every further request of the connection from the proxy."""
    headers = ("Connection: Upgrade, HTTP2-Settings", f"Upgrade: {offered}", "HTTP2-Settings: AAMAAABkAAQ")
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        answer = await say(running.port, request("GET / HTTP/1.1", *headers))
    assert status(answer) == 200
    heard = endpoint.heard[0]
    assert fields(heard, "upgrade") == sent
    assert [value.lower() for value in fields(heard, "connection")] == ([b"upgrade"] if sent else [])
    assert field(heard, "http2-settings") is None


@pytest.mark.parametrize("code", [b"200 OK", b"426 Upgrade Required", b"403 Forbidden"])
async def test_a_refused_upgrade_is_a_normal_exchange(code: bytes) -> None:
    """Both connections stay good for the next request."""
    refusal = b"HTTP/1.1 " + code + b"\r\nContent-Length: 2\r\nUpgrade: chatter/2\r\nConnection: upgrade\r\n\r\nno"
    async with upstream(answering(refusal, OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        answer = await say(running.port, ASK + request("GET /next HTTP/1.1"))
    assert answer.startswith(b"HTTP/1.1 " + code + b"\r\n")
    assert b"\r\n\r\nno" + b"HTTP/1.1 200 OK\r\n" in answer
    assert endpoint.connections == 1
    assert endpoint.heard[1].startswith(b"GET /next ")
