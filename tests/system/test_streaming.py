"""Streams are not buffered: the upstream sends an event only after the client has had the one before."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from harness import WAIT_S, Upstream, body_of, connection, one_route, proxy, read_chunked, request, say, upstream

EVENTS = [b"event: token\ndata: %d\n\n" % number for number in range(40)]
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(b"".join(EVENTS))

Heard = asyncio.Semaphore
Send = Callable[[asyncio.StreamWriter, Heard], Awaitable[None]]


async def chunks(writer: asyncio.StreamWriter, heard: Heard) -> None:
    writer.write(CHUNKED)
    for event in EVENTS:
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        await heard.acquire()
    writer.write(b"0\r\n\r\n")


async def until_close(writer: asyncio.StreamWriter, heard: Heard) -> None:
    writer.write(UNTIL_CLOSE)
    for event in EVENTS:
        writer.write(event)
        await heard.acquire()


async def length(writer: asyncio.StreamWriter, heard: Heard) -> None:
    writer.write(LENGTH)
    for event in EVENTS:
        writer.write(event)
        await heard.acquire()


async def dribbled_chunks(writer: asyncio.StreamWriter, heard: Heard) -> None:
    """Byte by byte, each in a segment of its own as far as the kernel lets it."""
    await dribble(writer, CHUNKED)
    for event in EVENTS[:5]:
        await dribble(writer, b"%x\r\n%b\r\n" % (len(event), event))
        await heard.acquire()
    await dribble(writer, b"0\r\n\r\n")


async def dribbled_until_close(writer: asyncio.StreamWriter, heard: Heard) -> None:
    await dribble(writer, UNTIL_CLOSE)
    for event in EVENTS[:5]:
        await dribble(writer, event)
        await heard.acquire()


async def dribble(writer: asyncio.StreamWriter, data: bytes) -> None:
    for byte in data:
        writer.write(bytes((byte,)))
        await writer.drain()
        await asyncio.sleep(0)


async def received(reader: asyncio.StreamReader, heard: Heard) -> list[bytes]:
    """The events of an answer, taken apart by hand; each is told to the upstream as soon as it is there."""
    head = await reader.readuntil(b"\r\n\r\n")
    events: list[bytes] = []
    rest = b""
    chunked = b"transfer-encoding: chunked" in head.lower()
    while True:
        if chunked:
            size = int(await reader.readuntil(b"\r\n"), 16)
            piece = (await reader.readexactly(size + 2))[:-2]
        else:
            piece = await reader.read(1)
        if not piece:
            assert not rest
            return events
        *whole, rest = (rest + piece).split(b"\n\n")
        for event in whole:
            events.append(event + b"\n\n")
            heard.release()


@asynccontextmanager
async def client_of(
    handle: Callable[[Upstream, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client's connection to a proxy in front of this endpoint."""
    async with (
        upstream(handle) as endpoint,
        proxy(one_route(endpoint.url)) as running,
        connection(running.port) as client,
        asyncio.timeout(WAIT_S),
    ):
        yield client


@pytest.mark.parametrize("send", [chunks, until_close, length, dribbled_chunks, dribbled_until_close])
@pytest.mark.parametrize("version", ["1.1", "1.0"])
async def test_every_event_goes_on_at_once(send: Send, version: str) -> None:
    heard = asyncio.Semaphore(0)

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        await send(writer, heard)
        await writer.drain()

    async with client_of(handle) as (reader, writer):
        writer.write(b"GET / HTTP/%b\r\nHost: t\r\nConnection: close\r\n\r\n" % version.encode())
        events = await received(reader, heard)
    assert events == EVENTS[: len(events)]
    assert len(events) == (5 if send in (dribbled_chunks, dribbled_until_close) else 40)


@pytest.mark.parametrize("framing", ["chunked", "length"])
async def test_an_upload_goes_on_at_once_too(framing: str) -> None:
    """The client sends a piece only after the upstream has had the one before."""
    pieces = [b"piece %d;" % number for number in range(30)]
    arrived = asyncio.Semaphore(0)

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        for piece in pieces:
            if framing == "chunked":
                assert int(await reader.readuntil(b"\r\n"), 16) == len(piece)
            assert await reader.readexactly(len(piece)) == piece
            if framing == "chunked":
                await reader.readexactly(2)
            arrived.release()
        if framing == "chunked":
            assert await read_chunked(reader) == b""
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")

    size = sum(map(len, pieces))
    header = b"Transfer-Encoding: chunked" if framing == "chunked" else b"Content-Length: %d" % size
    async with client_of(handle) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n" + header + b"\r\n\r\n")
        for piece in pieces:
            writer.write(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
            await arrived.acquire()
        writer.write(b"0\r\n\r\n" if framing == "chunked" else b"")
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 204 ")


async def test_both_directions_at_once() -> None:
    """An upstream that answers each piece of the body as it comes: neither side waits for the other to end."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(CHUNKED)
        while size := int(await reader.readuntil(b"\r\n"), 16):
            piece = (await reader.readexactly(size + 2))[:-2]
            writer.write(b"%x\r\n%b\r\n" % (size, piece.upper()))
        writer.write(b"0\r\n\r\n")

    async with client_of(handle) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        for number in range(20):
            writer.write(b"7\r\nhey %03d\r\n" % number)
            heard = await reader.readuntil(b"HEY %03d" % number)
            assert (b"HTTP/1.1 200 OK" in heard) == (number == 0)
        writer.write(b"0\r\n\r\n")
        assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"\r\n0\r\n\r\n")


async def test_a_stream_that_ends_well_says_so() -> None:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(CHUNKED + b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n")

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        answer = await say(running.port, request())
    assert body_of(answer) == b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"
