"""Every wait has an end, and whoever held things up is told so. Limits here are small; nothing measures how small."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from harness import (
    OK,
    WAIT_S,
    Proxy,
    Upstream,
    answering,
    body_of,
    connection,
    one_route,
    proxy,
    request,
    say,
    status,
    upstream,
)

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
SHORT = "200ms"


class Stalling:
    """An endpoint that begins to answer with ``begun`` and says no more. ``closed`` is set when the proxy has given it up."""

    def __init__(self, begun: bytes = b"") -> None:
        self._begun = begun
        self.closed = asyncio.Event()
        self.body = b""

    async def handle(self, endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(self._begun)
        self.body = await reader.read(-1)
        self.closed.set()


def limited(endpoint: Upstream, timeouts: str) -> str:
    return one_route(endpoint.url, route=f"timeouts: {{{timeouts}}}")


def kind(answer: bytes) -> str:
    return str(json.loads(body_of(answer))["error"]["kind"])


@pytest.mark.parametrize("begun", [b"G", b"GET / HTTP/1.1\r\nHost: t\r\n"])
async def test_a_head_that_does_not_end_is_answered_with_408(begun: bytes) -> None:
    async with proxy(one_route("http://127.0.0.1:1", listener=f"timeouts: {{head: {SHORT}}}")) as running:
        answer = await say(running.port, begun)
    assert (status(answer), kind(answer)) == (408, "slow_request")


async def test_a_dribbled_head_does_not_win_time() -> None:
    """The limit is on the whole head: bytes that keep coming do not move it."""
    config = one_route("http://127.0.0.1:1", listener="timeouts: {head: 400ms}")
    async with proxy(config) as running, connection(running.port) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: t\r\nX: ")
        ended = asyncio.ensure_future(reader.read(-1))
        async with asyncio.timeout(WAIT_S):
            while not ended.done():
                writer.write(b"x")
                await asyncio.sleep(0.02)
        assert status(ended.result()) == 408


async def test_a_connection_that_says_nothing_is_closed_without_a_word() -> None:
    async with proxy(one_route("http://127.0.0.1:1", listener=f"timeouts: {{head: {SHORT}}}")) as running:
        assert await say(running.port) == b""


async def test_a_kept_connection_is_closed_when_no_request_comes() -> None:
    listener = f"timeouts: {{keep_alive: {SHORT}}}"
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, listener=listener)) as running:
        answer = await say(running.port, request(close=False) * 2)
    assert answer.count(b"HTTP/1.1 200 OK") == 2


async def test_the_head_limit_holds_for_the_second_request_of_a_connection_too() -> None:
    listener = f"timeouts: {{head: {SHORT}, keep_alive: 1h}}"
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, listener=listener)) as running:
        answer = await say(running.port, request(close=False) + b"GET / HT")
    first, _, second = answer.partition(b"HTTP/1.1 408 ")
    assert status(first) == 200
    assert kind(second) == "slow_request"


@asynccontextmanager
async def full_backlog() -> AsyncIterator[int]:
    """A port that lets nobody in: it listens, nobody accepts, and its queue is full."""
    waiting: list[socket.socket] = []
    loop = asyncio.get_running_loop()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        try:
            while True:
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                async with asyncio.timeout(0.3):
                    await loop.sock_connect(waiting[-1], listener.getsockname())
        except TimeoutError:
            yield listener.getsockname()[1]
        finally:
            for one in waiting:
                one.close()


async def test_a_connection_that_does_not_come_about_is_a_504() -> None:
    route = f"timeouts: {{connect: {SHORT}}}"
    async with full_backlog() as port, proxy(one_route(f"http://127.0.0.1:{port}", route=route)) as running:
        answer = await say(running.port, request("POST / HTTP/1.1", body=b"x" * 1000, close=False) + request())
    assert answer.count(b"HTTP/1.1 504 ") == 2, "the client's connection is not to blame"
    assert b"did not accept a connection within 0.2 s" in answer
    assert b'"connect_timeout"' in answer


@pytest.mark.parametrize("body", [b"", b"x" * 1000])
@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nX: "], ids=["nothing", "half a head"])
async def test_an_upstream_that_does_not_answer_is_a_504(body: bytes, begun: bytes) -> None:
    stalling = Stalling(begun)
    async with upstream(stalling.handle) as endpoint, proxy(limited(endpoint, f"first_byte: {SHORT}")) as running:
        answer = await say(running.port, request("POST / HTTP/1.1", body=body))
        async with asyncio.timeout(WAIT_S):
            await stalling.closed.wait()
    assert (status(answer), kind(answer)) == (504, "first_byte_timeout")
    assert stalling.body == body


async def test_the_first_byte_may_take_longer_than_idle() -> None:
    """The clock of ``idle`` starts with the answer: a model that thinks is not idle."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        await asyncio.sleep(0.6)
        writer.write(OK)

    async with upstream(handle) as endpoint, proxy(limited(endpoint, f"idle: {SHORT}")) as running:
        answer = await say(running.port, request())
    assert status(answer) == 200


@pytest.mark.parametrize("head", [CHUNKED + b"4\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"])
async def test_an_answer_that_stops_midway_is_broken_off(head: bytes) -> None:
    stalling = Stalling(head + b"half\r\n")
    async with upstream(stalling.handle) as endpoint, proxy(limited(endpoint, f"idle: {SHORT}")) as running:
        answer = await say(running.port, request())
        async with asyncio.timeout(WAIT_S):
            await stalling.closed.wait()
        assert running.errors == {"idle_timeout": 1}
    assert b"half" in answer
    assert not answer.endswith(b"0\r\n\r\n")


async def test_a_stream_that_says_something_now_and_then_may_last() -> None:
    """Longer than its limits in all: there is none on the whole."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(CHUNKED)
        for _ in range(12):
            writer.write(b"1\r\nx\r\n")
            await asyncio.sleep(0.2)
        writer.write(b"0\r\n\r\n")

    async with (
        upstream(handle) as endpoint,
        proxy(limited(endpoint, "idle: 2s, first_byte: 2s")) as running,
    ):
        answer = await say(running.port, request())
    assert answer.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize("framing", [b"Content-Length: 10\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\n"])
async def test_a_request_body_that_stops_coming_is_answered_with_408(framing: bytes) -> None:
    stalling = Stalling()
    async with upstream(stalling.handle) as endpoint, proxy(limited(endpoint, f"idle: {SHORT}")) as running:
        answer = await say(running.port, b"POST / HTTP/1.1\r\nHost: t\r\n" + framing + b"half")
        async with asyncio.timeout(WAIT_S):
            await stalling.closed.wait()
    assert (status(answer), kind(answer)) == (408, "slow_request")


async def flood(running: Proxy, head: bytes) -> bytes:
    """Sends a body without end, until there is an answer."""
    piece = b"10000\r\n" + bytes(65536) + b"\r\n"
    async with connection(running.port) as (reader, writer), asyncio.timeout(WAIT_S):
        writer.write(head)
        answer = asyncio.ensure_future(reader.readuntil(b"}}"))
        while not answer.done():
            writer.write(piece)
            flushed = asyncio.ensure_future(writer.drain())
            await asyncio.wait((flushed, answer), return_when=asyncio.FIRST_COMPLETED)
            flushed.cancel()
        return answer.result()


async def test_an_upstream_that_stops_reading_is_a_504() -> None:
    """The client is ready to send: it is not the one to blame."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        await over.wait()

    over = asyncio.Event()
    route = f"timeouts: {{idle: {SHORT}}}\nlimits: {{request_body: unlimited}}"
    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url, route=route)) as running:
        answer = await flood(running, b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
        over.set()
    assert (status(answer), kind(answer)) == (504, "idle_timeout")


async def test_a_client_that_stops_reading_costs_the_upstream_nothing() -> None:
    """Its answer is cut off by a reset, and the upstream is let go."""
    gone = asyncio.Event()

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(CHUNKED)
        try:
            while True:
                writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
                await writer.drain()
        finally:
            gone.set()

    async with upstream(handle) as endpoint, proxy(limited(endpoint, f"idle: {SHORT}")) as running:
        with socket.create_connection(("127.0.0.1", running.port)) as client:
            client.sendall(request())
            async with asyncio.timeout(WAIT_S):
                await gone.wait()
        assert running.errors == {"client_gone": 1}


async def test_an_idle_connection_to_an_endpoint_is_closed_after_its_limit() -> None:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(OK)
        assert await reader.read(-1) == b""
        closed.set()

    closed = asyncio.Event()
    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url, pool=f"idle: {SHORT}")) as running:
        assert status(await say(running.port, request())) == 200
        async with asyncio.timeout(WAIT_S):
            await closed.wait()
        assert running.worker.connections.idle_count == 0
