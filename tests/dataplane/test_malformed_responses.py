"""Whatever an upstream sends: the client gets a valid answer, an error, or an answer that is visibly incomplete.

And nothing is left over: no connection that could carry the rest to somebody else, no exchange that waits for ever.
"""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import h11
import pytest
import pytest_asyncio
from corpus_responses import CHUNKS, CORPUS, FAMILIES, STRICTER_THAN_H11, SURPLUS, Ending, Fate, Malformed
from h11_peer import Message, answers, take
from harness import OK, WAIT_S, Proxy, Upstream, one_route, proxy, request, say, upstream

from tracer_proxy.errors import VERDICTS, Kind, Side

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\ngood"
LONG_IDLE = "idle: 60s\n"
"""So that a connection that is closed was not merely idle for too long."""

on_the_stand = pytest.mark.asyncio(loop_scope="module")
"""For tests that share one proxy."""


@dataclass
class Stand:
    """A proxy before an endpoint that answers ``/good`` well, and everything else with ``case``."""

    case: Malformed
    apart: bool = False
    """The rest of the answer comes when the client has its head."""
    kept: int = 0
    """How many good answers come first on the same connection."""
    played: int = 0
    """How often ``case`` was asked for."""
    head_passed: asyncio.Event = field(default_factory=asyncio.Event)

    def play(self, case: Malformed, *, apart: bool = False, kept: int = 0) -> None:
        self.played = 0
        self.case, self.apart, self.kept, self.head_passed = case, apart, kept, asyncio.Event()

    async def handle(self, endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        case, head_passed = self.case, self.head_passed
        while True:
            head, _ = await endpoint.request(reader)
            if b" /good " in head:
                writer.write(GOOD)
                return
            if b" /kept " in head:
                writer.write(OK)
                continue
            self.played += 1
            start, end, rest = case.raw.partition(b"\r\n\r\n")
            writer.write(start + end if self.apart else case.raw)
            if self.apart:
                await head_passed.wait()
                writer.write(rest)
            if case.ending is Ending.CLOSES:
                return
            if case.ending is Ending.RESETS:
                if case.fate is Fate.CUT:
                    await head_passed.wait()
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
                return


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[tuple[Stand, Proxy]]:
    stand = Stand(CORPUS[0])
    async with upstream(stand.handle) as endpoint, proxy(one_route(endpoint.url, pool=LONG_IDLE)) as running:
        yield stand, running


@pytest.fixture
def stand(shared: tuple[Stand, Proxy]) -> Stand:
    return shared[0]


@pytest.fixture
def running(shared: tuple[Stand, Proxy]) -> Proxy:
    return shared[1]


async def hear(port: int, asked: bytes, stand: Stand) -> tuple[bytes, bool]:
    """Everything until the proxy closes, and whether it closed by a reset. Tells the upstream when a head has come."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(asked)
    received = b""
    try:
        async with asyncio.timeout(WAIT_S):
            while data := await reader.read(65536):
                received += data
                if received.count(b"\r\n\r\n") > stand.kept:
                    stand.head_passed.set()
    except ConnectionResetError:
        return received, True
    finally:
        writer.close()
    return received, False


async def nothing_left(running: Proxy) -> None:
    """Until the worker is as it was before: no client, no upstream connection, no wait, nothing counted as under way."""
    worker = running.worker
    endpoints = [endpoint for lane in worker.table.routes[0].split.lanes for endpoint in lane.pool.endpoints]
    async with asyncio.timeout(WAIT_S):
        while worker.downstreams or worker.upstreams or worker.tunnels:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
    assert worker.connections.idle_count == 0
    assert worker.clock.waiting <= {worker.connections}
    assert [endpoint.pending for endpoint in endpoints] == [0] * len(endpoints)


async def next_one_works(running: Proxy) -> None:
    answer = answers(await say(running.port, request("GET /good HTTP/1.1")))[-1]
    assert (answer.start, answer.body, answer.complete) == ((200,), b"good", True)
    await nothing_left(running)


def assert_error(answer: Message, kind: Kind, *, with_body: bool = True) -> None:
    """The contract of DESIGN 4.4."""
    expected, side = VERDICTS[kind]
    assert answer.start == (expected,)
    assert answer.complete
    assert answer.values(b"x-tracer-proxy") == [b"error"]
    assert answer.values(b"content-type") == [b"application/json"]
    if with_body:
        error = json.loads(answer.body)["error"]
        assert error.keys() == {"kind", "side", "message", "trace_id"}
        assert (error["kind"], error["side"]) == (kind, side)
        assert side is Side.UPSTREAM
        assert answer.values(b"x-trace-id-ext") == [error["trace_id"].encode()]


def assert_fate(case: Malformed, heard: list[Message], *, head_passes: bool) -> None:
    *interims, answer = heard
    assert all(100 <= int(interim.start[0]) < 200 and interim.body == b"" for interim in interims)
    if case.fate is Fate.WHOLE:
        assert answer.complete
        assert answer.start[0] in (200, 204, 304)
        assert answer.body == (b"ok" if b"ok" in case.raw and case.method == "GET" and answer.start == (200,) else b"")
    elif case.fate is Fate.CUT and head_passes:
        assert answer.start == (200,)
        assert not answer.complete
    else:
        assert_error(answer, case.kind, with_body=case.method != "HEAD")


def test_corpus_is_as_large_as_promised() -> None:
    assert len(CORPUS) >= 60
    assert len({case.name for case in CORPUS}) == len(CORPUS)
    assert len({(case.raw, case.ending, case.method) for case in CORPUS}) == len(CORPUS)


@on_the_stand
@pytest.mark.parametrize("case", CORPUS, ids=lambda case: case.name)
async def test_malformed_answer_does_no_harm(stand: Stand, running: Proxy, case: Malformed) -> None:
    """In one piece. What is broken before its head has passed becomes an error; else the client can tell."""
    stand.play(case)
    received, reset = await hear(running.port, request(f"{case.method} / HTTP/1.1"), stand)
    assert not reset
    assert_fate(case, answers(received, [case.method]), head_passes=case not in CHUNKS)
    await nothing_left(running)
    await next_one_works(running)


@on_the_stand
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
async def test_malformed_answer_behind_good_ones_on_a_kept_connection(
    stand: Stand, running: Proxy, family: tuple[Malformed, ...]
) -> None:
    """What is remembered of an endpoint's good heads excuses no bad one. POST, for it is not sent twice."""
    for case in family:
        if case.method == "GET":
            stand.play(case, kept=2)
            kept = request("GET /kept HTTP/1.1", close=False)
            received, _ = await hear(running.port, kept * 2 + request("POST / HTTP/1.1", body=b"hello"), stand)
            *good, answer = [one for one in answers(received, ["GET", "GET", "POST"]) if one.start[0] in range(200, 600)]
            assert [one.body for one in good] == [b"ok"] * 2, case.name
            assert_fate(case, [answer], head_passes=case not in CHUNKS)
            await nothing_left(running)


@on_the_stand
async def test_answer_that_has_begun_is_not_asked_for_again(stand: Stand, running: Proxy) -> None:
    """A GET on a kept connection is sent again when nothing came back, and only then: a first byte says that it was heard."""
    for case in CORPUS:
        if case.fate is Fate.LOST and case.ending is Ending.CLOSES:
            stand.play(case, kept=1)
            received, _ = await hear(running.port, request("GET /kept HTTP/1.1", close=False) + request(), stand)
            assert_error(answers(received, ["GET", "GET"])[-1], Kind.UPSTREAM_CLOSED)
            assert stand.played == (1 if case.raw else 2), case.name
            await nothing_left(running)


@on_the_stand
@pytest.mark.parametrize("case", [case for case in CORPUS if case.fate is Fate.CUT], ids=lambda case: case.name)
async def test_answer_that_breaks_behind_its_head_is_visibly_incomplete(stand: Stand, running: Proxy, case: Malformed) -> None:
    """The client has the head already. It gets no last chunk, or less than was announced."""
    stand.play(case, apart=True)
    received, reset = await hear(running.port, request(), stand)
    assert not reset
    assert_fate(case, answers(received), head_passes=True)
    await nothing_left(running)


@on_the_stand
@pytest.mark.parametrize("case", [case for case in CORPUS if case.fate is Fate.CUT], ids=lambda case: case.name)
async def test_http_1_0_can_tell_too(stand: Stand, running: Proxy, case: Malformed) -> None:
    """HTTP/1.0 has no chunks: where there is no length, only a reset says that an answer is incomplete."""
    stand.play(case, apart=True)
    received, reset = await hear(running.port, b"GET / HTTP/1.0\r\n\r\n", stand)
    announced = b"Content-Length" in received
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert reset is not announced
    assert not announced or not answers(received)[-1].complete
    await nothing_left(running)


@on_the_stand
@pytest.mark.parametrize("case", SURPLUS, ids=lambda case: case.name)
async def test_surplus_that_comes_later_is_nobodys_answer(stand: Stand, running: Proxy, case: Malformed) -> None:
    """The client has its answer and the connection lies idle when more comes: it is closed, not handed to the next."""
    stand.play(case, apart=case.raw.startswith(OK) is False)
    received, _ = await hear(running.port, request(f"{case.method} / HTTP/1.1"), stand)
    assert_fate(case, answers(received, [case.method]), head_passes=True)
    await nothing_left(running)
    await next_one_works(running)


@on_the_stand
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
async def test_upstreams_failure_does_not_cost_the_client_its_connection(
    stand: Stand, running: Proxy, family: tuple[Malformed, ...]
) -> None:
    """A client that keeps its connection gets one error after the other on it, each with its end where it says."""
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    for case in family:
        if case.fate in (Fate.REFUSED, Fate.LOST) and case.method == "GET":
            stand.play(case)
            writer.write(request(close=False))
            async with asyncio.timeout(WAIT_S):
                received = await reader.readuntil(b"\r\n\r\n")
                while received.startswith(b"HTTP/1.1 1"):
                    received = await reader.readuntil(b"\r\n\r\n")
                length = int(received.partition(b"content-length: ")[2].partition(b"\r\n")[0])
                received += await reader.readexactly(length)
            assert_error(answers(received)[-1], case.kind)
            assert b"connection: keep-alive\r\n" in received
    writer.close()
    await nothing_left(running)


@on_the_stand
async def test_switch_to_another_protocol_than_was_offered(stand: Stand, running: Proxy) -> None:
    """RFC 9110 7.8: an upstream must not switch to what was not listed; HTTP/2 is never listed to it."""
    for offered, answered in (("websocket", b"h2c"), ("h2c", b"h2c"), ("websocket", b"websocket, h2c"), ("websocket", b"")):
        raw = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: " + answered + b"\r\n\r\nsecret"
        stand.play(Malformed("", raw, "9110 7.8"))
        asked = request("GET / HTTP/1.1", "Connection: upgrade", f"Upgrade: {offered}", close=False)
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(asked)
        async with asyncio.timeout(WAIT_S):
            received = await reader.readuntil(b"}}")
        assert_error(answers(received)[-1], Kind.UPSTREAM_BROKEN)
        writer.close()
        await nothing_left(running)


async def test_answer_before_the_request_has_ended() -> None:
    """A final answer may come early (RFC 9112 9.5): it passes, and both connections end with it."""
    for early in (OK, b"HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nok", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: x\r\n\r\n"):

        async def handle(
            endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, early: bytes = early
        ) -> None:
            await endpoint.head(reader)
            writer.write(early)
            await reader.read(-1)

        async with upstream(handle) as endpoint, proxy(one_route(endpoint.url, pool=LONG_IDLE)) as running:
            received = await say(running.port, request("POST / HTTP/1.1", "Content-Length: 1000", close=False))
            answer = answers(received)[-1]
            await nothing_left(running)
        assert answer.complete
        assert b"connection: close" in received.lower()
        assert answer.start == (502 if b"Encoding" in early else int(early[9:12]),)


async def test_answer_before_any_request() -> None:
    """An endpoint that speaks first has no request to answer: its bytes may fail this exchange, and reach no other."""
    heads = 0

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal heads
        writer.write(OK.replace(b"ok", b"no"))
        await endpoint.request(reader)
        heads += 1
        writer.write(OK)
        await reader.read(-1)

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url, pool=LONG_IDLE)) as running:
        for _ in range(5):
            await say(running.port, request())
        await nothing_left(running)
    assert endpoint.connections == 5, "a connection that spoke out of turn is not used again"


async def test_endpoint_that_hangs_up_at_once() -> None:
    """It accepts a connection and closes it, in order or by a reset: an error, at once."""
    for reset in (False, True):

        async def handle(
            endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reset: bool = reset
        ) -> None:
            if reset:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

        async with upstream(handle) as endpoint, proxy(one_route(endpoint.url, pool=LONG_IDLE)) as running:
            for asked in (request(), request("POST / HTTP/1.1", body=b"x" * 100_000)):
                assert_error(answers(await say(running.port, asked))[-1], Kind.UPSTREAM_CLOSED)
            await nothing_left(running)


SILENT = {
    "nothing": (b"", Kind.FIRST_BYTE_TIMEOUT),
    "half a head": (b"HTTP/1.1 200 OK\r\nX: y", Kind.FIRST_BYTE_TIMEOUT),
    "an interim answer": (b"HTTP/1.1 100 Continue\r\n\r\n", Kind.FIRST_BYTE_TIMEOUT),
    "http-2 settings": (b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18), Kind.FIRST_BYTE_TIMEOUT),
    "a head": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", None),
    "half a body": (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no", None),
    "half a chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", None),
    "no last chunk": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", None),
    "half a trailer": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX", None),
    "no close": (b"HTTP/1.1 200 OK\r\n\r\nhello", None),
}


async def test_upstream_that_falls_silent_is_given_up() -> None:
    """All at once: 504 as long as nothing has passed, else a visible break."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await endpoint.request(reader)
        writer.write(SILENT[head.split(b" ")[1][1:].decode().replace("_", " ")][0])
        await reader.read(-1)

    config = "timeouts: {first_byte: 400ms, idle: 400ms}\n"
    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url, route=config, pool=LONG_IDLE)) as running:
        paths = [name.replace(" ", "_") for name in SILENT]
        received = await asyncio.gather(*(say(running.port, request(f"GET /{path} HTTP/1.1")) for path in paths))
        await nothing_left(running)
    for (name, (_, kind)), heard in zip(SILENT.items(), received, strict=True):
        answer = answers(heard)[-1]
        if kind:
            assert_error(answer, kind)
        else:
            assert (answer.start, answer.complete) == ((200,), False), name


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_h11_refuses_it_too_or_the_difference_is_explained(family: tuple[Malformed, ...]) -> None:
    """``STRICTER_THAN_H11`` lists every deliberate difference, and none that does not exist."""
    listed = {name for names in STRICTER_THAN_H11.values() for name in names}
    for case in family:
        if case.fate is not Fate.WHOLE and case.ending is not Ending.RESETS:
            assert refused_by_h11(case) is (case.name not in listed), case.name


def refused_by_h11(case: Malformed) -> bool:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method=case.method, target="/", headers=[("Host", "t")]))
    connection.send(h11.EndOfMessage())
    try:
        if case.raw:
            connection.receive_data(case.raw)
            take(connection, [])
        if case.ending is Ending.CLOSES:
            connection.receive_data(b"")
            take(connection, [])
    except h11.RemoteProtocolError:
        return True
    return False
