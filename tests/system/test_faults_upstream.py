"""Endpoints that fail in every way: what the client sees, what is counted, and that nothing is left behind.

The table of docs/faults.md points here.
"""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import OK, WAIT_S, Upstream, body_of, connection, one_route, read_chunked, request, say, status, upstream
from left_behind import leaves_nothing
from proxy_process import proxy_process

ADMIN = "admin: {listen: 127.0.0.1:0}"
LIMITS = "timeouts: {connect: 1s, first_byte: 400ms, idle: 400ms}"
POOL = "idle: 300ms"
ROUNDS, AT_ONCE = 6, 20
SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\n\r\nhalf"

Handler = Callable[[Upstream, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def reset(writer: asyncio.StreamWriter) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def breaks_off(*begun: bytes, with_reset: bool = False) -> Handler:
    """Reads a request, sends ``begun`` piece by piece and goes away."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        for piece in begun:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)
        if with_reset:
            reset(writer)

    return handle


def hangs(begun: bytes = b"") -> Handler:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(begun)
        await reader.read(-1)

    return handle


def without_end(piece: bytes, pause_s: float = 0.0) -> Handler:
    """Sends ``piece`` again and again until the proxy has had enough."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        while not writer.transport.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return handle


async def resets_unread(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reset(writer)


@dataclass(frozen=True)
class Fault:
    name: str
    handler: Handler
    kind: str
    """As ``/api/status`` counts it."""
    code: int
    """What the client gets; with 200 the answer had begun and is cut off."""


FAULTS = [
    Fault("hangs", hangs(), "first_byte_timeout", 504),
    Fault("resets mid-head", breaks_off(b"HTTP/1.1 200 OK\r\nContent-Le", with_reset=True), "upstream_closed", 502),
    Fault("closes mid-head", breaks_off(b"HTTP/1.1 200 OK\r\nContent-Le"), "upstream_closed", 502),
    Fault("hangs mid-head", hangs(b"HTTP/1.1 200 OK\r\nContent-Le"), "first_byte_timeout", 504),
    Fault("resets mid-body", breaks_off(SIZED, with_reset=True), "upstream_closed", 200),
    Fault("closes mid-body", breaks_off(SIZED), "upstream_closed", 200),
    Fault("resets between chunks", breaks_off(CHUNKED, with_reset=True), "upstream_closed", 200),
    Fault("closes between chunks", breaks_off(CHUNKED), "upstream_closed", 200),
    Fault("resets an answer without length", breaks_off(UNTIL_CLOSE, with_reset=True), "upstream_closed", 200),
    Fault("hangs mid-body", hangs(SIZED), "idle_timeout", 200),
    Fault("garbage", breaks_off(bytes(range(256)) * 4 + b"\r\n\r\n"), "upstream_broken", 502),
    Fault("garbage without end", without_end(b"\xff" * 4096), "upstream_broken", 502),
    Fault("a broken first chunk", breaks_off(CHUNKED + b"zz\r\n"), "upstream_broken", 502),
    Fault("a broken second chunk", breaks_off(CHUNKED, b"zz\r\n"), "upstream_broken", 200),
    Fault("another protocol", breaks_off(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), "upstream_broken", 502),
    Fault("interim answers without end", without_end(b"HTTP/1.1 102 Processing\r\n\r\n"), "upstream_broken", 502),
    Fault("slow interim answers without end", without_end(b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01), "upstream_broken", 502),
    Fault("dribbles a head", without_end(b"H", 0.05), "first_byte_timeout", 504),
]


def last_answer(answer: bytes) -> bytes:
    """Behind the interim ones."""
    while status(answer) in range(100, 200):
        answer = body_of(answer)
    return answer


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_an_endpoint_fails(fault: Fault, tmp_path: Path) -> None:
    async with (
        upstream(fault.handler) as endpoint,
        proxy_process(one_route(endpoint.url, top=ADMIN, route=LIMITS, pool=POOL), tmp_path) as running,
    ):

        async def one_round() -> None:
            answers = await asyncio.gather(*(say(running.port, request()) for _ in range(AT_ONCE)))
            for answer in map(last_answer, answers):
                assert status(answer) == fault.code
                assert (b"half" in answer) == (fault.code == 200), "what had come was passed on"
                assert (fault.kind.encode() in answer) == (fault.code != 200)
                assert not answer.endswith(b"0\r\n\r\n"), "a broken answer must not look complete"

        await one_round()
        async with leaves_nothing(running) as seen:
            for _ in range(ROUNDS):
                await one_round()
        assert seen.errors == {fault.kind: ROUNDS * AT_ONCE}


async def test_an_endpoint_resets_whoever_connects(tmp_path: Path) -> None:
    """Whether the connection stood for a moment is a matter of luck; either way nothing was delivered."""
    async with (
        upstream(resets_unread) as endpoint,
        proxy_process(one_route(endpoint.url, top=ADMIN, pool=POOL), tmp_path) as running,
    ):
        await say(running.port, request())
        async with leaves_nothing(running) as seen:
            answers = await asyncio.gather(*(say(running.port, request()) for _ in range(100)))
        assert {status(answer) for answer in answers} == {502}
        assert set(seen.errors) <= {"upstream_closed", "upstream_unreachable"}
        assert sum(seen.errors.values()) == 100


async def test_nobody_listens(tmp_path: Path) -> None:
    with socket.socket() as held_back:
        held_back.bind(("127.0.0.1", 0))
        config = one_route(f"http://127.0.0.1:{held_back.getsockname()[1]}", top=ADMIN)
        async with proxy_process(config, tmp_path) as running:
            await say(running.port, request())
            async with leaves_nothing(running) as seen:
                answers = await asyncio.gather(*(say(running.port, request()) for _ in range(100)))
            assert {status(answer) for answer in answers} == {502}
            assert b"connection refused" in answers[0]
            assert seen.errors == {"upstream_unreachable": 100}


async def test_a_name_that_does_not_resolve(tmp_path: Path) -> None:
    async with proxy_process(
        one_route("http://nobody.invalid", top=ADMIN, route="timeouts: {connect: 5s}"), tmp_path
    ) as running:
        await say(running.port, request())
        async with leaves_nothing(running) as seen:
            answers = await asyncio.gather(*(say(running.port, request()) for _ in range(20)))
        # A resolver that is not there takes its time; then the limit of the dial holds.
        assert {status(answer) for answer in answers} <= {502, 504}
        assert set(seen.errors) <= {"upstream_unreachable", "connect_timeout"}
        assert sum(seen.errors.values()) == 20


async def test_a_body_that_dribbles_arrives_whole(tmp_path: Path) -> None:
    """Every byte is on time, so there is nothing to complain of, however long the whole takes."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in b"1\r\na\r\n" * 8 + b"0\r\n\r\n":
            writer.write(bytes([byte]))
            await asyncio.sleep(0.03)

    async with (
        upstream(handle) as endpoint,
        proxy_process(one_route(endpoint.url, top=ADMIN, route="timeouts: {idle: 1s}", pool=POOL), tmp_path) as running,
    ):
        await say(running.port, request())
        async with leaves_nothing(running) as seen:
            for answer in await asyncio.gather(*(say(running.port, request()) for _ in range(20))):
                reader = asyncio.StreamReader()
                reader.feed_data(body_of(answer))
                assert await read_chunked(reader) == b"a" * 8
        assert seen.errors == {}


@pytest.mark.parametrize("moment", ["after the answer", "when the next request comes", "before the next is read"])
async def test_a_kept_connection_is_closed_at_the_moment_of_reuse(moment: str, tmp_path: Path) -> None:
    """A GET never notices. A POST is delivered once at most: it is answered, or the client is told."""
    delivered: Counter[bytes] = Counter()

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await endpoint.request(reader)
        delivered[head.split(b" ")[1]] += 1
        writer.write(OK)
        await writer.drain()
        if moment == "when the next request comes":
            head, _ = await endpoint.request(reader)
            delivered[head.split(b" ")[1]] += 1
            reset(writer)
        elif moment == "before the next is read":
            await reader.read(1)
            reset(writer)

    async with (
        upstream(handle) as endpoint,
        proxy_process(one_route(endpoint.url, top=ADMIN, pool=POOL), tmp_path) as running,
    ):
        await say(running.port, request())
        async with leaves_nothing(running) as seen, connection(running.port) as (reader, writer):
            told: dict[bytes, int] = {}
            for number in range(300):
                path = b"/%d" % number
                post = number % 2 == 1
                writer.write(request(f"{'POST' if post else 'GET'} {path.decode()} HTTP/1.1", body=b"x" * post, close=False))
                async with asyncio.timeout(WAIT_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
                told[path] = status(head)
        gets = {code for path, code in told.items() if int(path[1:]) % 2 == 0}
        posts = {path: code for path, code in told.items() if int(path[1:]) % 2 == 1}
        assert gets == {200}
        assert set(posts.values()) <= {200, 502}
        assert all(delivered[path] <= 1 for path in posts), "a POST came twice"
        assert all(delivered[path] == 1 for path, code in posts.items() if code == 200)
        failed = sum(code == 502 for code in posts.values())
        assert seen.errors == ({"upstream_closed": failed} if failed else {})
