"""A network may cut bytes anywhere: both sides must hear the same, however requests and answers come in.

Cut means in two or more segments; broken off means that the rest never comes, and then nobody may take it for whole.
"""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import pytest
import pytest_asyncio
from h11_peer import Listener, Message, answers
from harness import WAIT_S, Proxy, one_route, proxy, request, say, upstream
from hypothesis import given, settings
from hypothesis import strategies as st

on_the_stand = pytest.mark.asyncio(loop_scope="module")
"""For tests that share one proxy."""

TRACE_IDS = (b"0af7651916cd43dd8448eb211c80319c", b"4bf92f3577b34da6a3ce929d0e0e4736")

REQUESTS = {
    "get": b"GET /length HTTP/1.1\r\nHost: t\r\nAccept: */*\r\n\r\n",
    "post": b"POST /length HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\nX-Last: y\r\n\r\nhello world",
    "post with another length": b"POST /length HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nX-Last: y\r\n\r\nbye",
    "post of nothing": b"POST /length HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\nX-Last: y\r\n\r\n",
    "post without length": b"POST /length HTTP/1.1\r\nHost: t\r\nX-Last: y\r\n\r\n",
    "chunks": (
        b"POST /chunks HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
        b'5;a="b"\r\nhello\r\n00006\r\n world\r\n0;last\r\nX-Sum: 1\r\nX-Other:  two \r\n\r\n'
    ),
    "chunks without trailers": (
        b"POST /close HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n"
    ),
    "head": b"HEAD /length HTTP/1.1\r\nHost: t\r\n\r\n",
    "empty line in front": b"\r\nGET /no-content HTTP/1.1\r\nHost: t\r\nX-Empty:\r\n\r\n",
    "conditional": b"GET /not-modified HTTP/1.1\r\nHost: t\r\nIf-None-Match: x\r\n\r\n",
    "absolute": b"GET http://other.example/interim?a=b HTTP/1.1\r\nHost: t\r\n\r\n",
    "traced": b"GET /interim HTTP/1.1\r\nHost: t\r\ntraceparent: 00-" + TRACE_IDS[0] + b"-b7ad6b7169203331-01\r\n\r\n",
    "traced otherwise": b"GET /interim HTTP/1.1\r\nHost: t\r\ntraceparent: 00-"
    + TRACE_IDS[1]
    + b"-b7ad6b7169203331-01\r\n\r\n",
    "traced by nothing": b"GET /interim HTTP/1.1\r\nHost: t\r\ntraceparent: \r\n\r\n",
}
"""What a client may send. Some heads repeat but for one value, for such heads are remembered."""

ANSWERS = {
    b"/length": b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\nX-A: b\r\n\r\nhello world",
    b"/chunks": (
        b"HTTP/1.1 200 Fine\r\nTransfer-Encoding: chunked\r\nX-A: b\r\n\r\n"
        b"5;x=y\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum: 1\r\nX-Other: two\r\n\r\n"
    ),
    b"/close": b"HTTP/1.1 200 OK\r\nX-A: b\r\n\r\nhello world",
    b"/interim": b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
    b"/not-modified": b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nX-A: b\r\n\r\n",
    b"/no-content": b"HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n",
}
"""What the upstream answers, by path."""

LAST = b"GET /no-content HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"


def method_of(raw: bytes) -> str:
    return raw.split(maxsplit=1)[0].decode()


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """``data`` in pieces; a place beyond its end counts from its beginning again."""
    ends = sorted({place % len(data) for place in places} | {0})
    return [data[start:end] for start, end in zip(ends, [*ends[1:], len(data)], strict=True)]


class Script:
    """Answers by path, cut at ``places``, or broken off at ``broken_off`` by a close or a reset."""

    def __init__(self) -> None:
        self.places: Sequence[int] = ()
        self.broken_off: int | None = None
        self.resets = False

    async def reply(self, message: Message, writer: asyncio.StreamWriter) -> bool:
        path = message.target.partition(b"?")[0]
        answer = ANSWERS[path]
        if message.start[0] == b"HEAD":
            answer = answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        for piece in cut(answer[: self.broken_off], self.places):
            writer.write(piece)
            await asyncio.sleep(0)
        if self.broken_off is not None and self.resets:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()
        return self.broken_off is None and path != b"/close"


@dataclass
class Stand:
    script: Script
    listener: Listener
    proxy: Proxy

    async def talk(self, *pieces: bytes, methods: Sequence[str] = ("GET",)) -> tuple[list[Message], list[Message]]:
        """What the upstream heard, and what the client was answered."""
        self.listener.forget()
        received = await say(self.proxy.port, *pieces)
        assert self.listener.faults == []
        return list(self.listener.heard), answers(received, methods)

    async def settled(self) -> None:
        """Until the proxy has let go of the client, and of every connection to the endpoint that is not at rest."""
        worker = self.proxy.worker
        async with asyncio.timeout(WAIT_S):
            while worker.downstreams or len(worker.upstreams) > worker.connections.idle_count:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand() -> AsyncIterator[Stand]:
    script = Script()
    listener = Listener(script.reply)
    async with upstream(listener.handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        yield Stand(script, listener, running)


@pytest.fixture(autouse=True)
def unbroken(stand: Stand) -> None:
    """Every test begins with answers in one piece."""
    stand.script.places, stand.script.broken_off, stand.script.resets = (), None, False


def stable(messages: Sequence[Message]) -> list[tuple[object, ...]]:
    return [message.stable for message in messages]


def trace_id(message: Message) -> bytes:
    """The one trace id that a request carries."""
    (external,) = message.values(b"x-trace-id-ext")
    (traceparent,) = message.values(b"traceparent")
    assert traceparent.split(b"-")[1] == external
    return external


@on_the_stand
@pytest.mark.parametrize("name", REQUESTS)
async def test_request_cut_at_every_byte(stand: Stand, name: str) -> None:
    """In two segments: the upstream hears what it hears of the request in one, and so does the client."""
    raw = REQUESTS[name]
    methods = [method_of(raw), "GET"]
    heard, answered = await stand.talk(raw + LAST, methods=methods)
    assert [message.complete for message in heard + answered if message.start[0] != 103] == [True] * 4
    for place in range(1, len(raw)):
        heard_cut, answered_cut = await stand.talk(raw[:place], raw[place:] + LAST, methods=methods)
        assert stable(heard_cut) == stable(heard), place
        assert stable(answered_cut) == stable(answered), place


@on_the_stand
@pytest.mark.parametrize("path", ANSWERS)
async def test_answer_cut_at_every_byte(stand: Stand, path: bytes) -> None:
    """In two segments: the client of either version hears what it hears of the answer in one."""
    for version in ("HTTP/1.1", "HTTP/1.0"):
        asked = request(f"GET {path.decode()} {version}")
        stand.script.places = ()
        _, answered = await stand.talk(asked)
        assert answered[-1].complete
        for place in range(1, len(ANSWERS[path])):
            stand.script.places = (place,)
            _, answered_cut = await stand.talk(asked)
            assert stable(answered_cut) == stable(answered), (version, place)


@on_the_stand
@pytest.mark.parametrize("path", [b"/chunks", b"/close"])
async def test_http_1_0_sees_an_answer_without_length_end_by_a_close(stand: Stand, path: bytes) -> None:
    """Also when it asked to keep the connection: it cannot read chunks, so nothing else could tell it the end."""
    _, (answer,) = await stand.talk(b"GET " + path + b" HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert (answer.body, answer.values(b"connection"), answer.values(b"transfer-encoding")) == (b"hello world", [b"close"], [])


@on_the_stand
@pytest.mark.parametrize("piece_bytes", [1, 2, 3, 7])
async def test_everything_in_small_pieces(stand: Stand, piece_bytes: int) -> None:
    """All requests pipelined, and all answers, in segments of a few bytes each."""
    raw = b"".join(REQUESTS.values()) + LAST
    methods = [*map(method_of, REQUESTS.values()), "GET"]
    heard, answered = await stand.talk(raw, methods=methods)
    assert len(heard) == len(REQUESTS) + 1
    stand.script.places = range(0, 1000, piece_bytes)
    pieces = [raw[start : start + piece_bytes] for start in range(0, len(raw), piece_bytes)]
    heard_cut, answered_cut = await stand.talk(*pieces, methods=methods)
    assert stable(heard_cut) == stable(heard)
    assert stable(answered_cut) == stable(answered)


@on_the_stand
@settings(max_examples=100, deadline=None)
@given(
    names=st.lists(st.sampled_from(list(REQUESTS)), min_size=1, max_size=6),
    places=st.lists(st.integers(0, 2000), max_size=12),
    answer_places=st.lists(st.integers(0, 200), max_size=4),
)
async def test_pipelined_requests_cut_anywhere(
    stand: Stand, names: list[str], places: list[int], answer_places: list[int]
) -> None:
    """On one connection in any pieces: each means what it means alone, on a connection of its own and in one piece."""
    heard_alone, answered_alone = [], []
    stand.script.places = ()
    for name in names:
        raw = REQUESTS[name]
        heard, answered = await stand.talk(raw + LAST, methods=[method_of(raw), "GET"])
        heard_alone += heard[:-1]
        answered_alone += answered[:-1]
    stand.script.places = answer_places
    raws = [REQUESTS[name] for name in names]
    pieces = cut(b"".join(raws) + LAST, places)
    heard, answered = await stand.talk(*pieces, methods=[*map(method_of, raws), "GET"])
    assert stable(heard[:-1]) == stable(heard_alone)
    assert stable(answered[:-1]) == stable(answered_alone)
    assert_traces(heard, names)


def assert_traces(heard: Sequence[Message], names: Sequence[str]) -> None:
    """A trace that the client gave is kept; where it gave none, nobody else's is."""
    known = {"traced": TRACE_IDS[0], "traced otherwise": TRACE_IDS[1]}
    fresh = []
    for message, name in zip(heard, [*names, "last"], strict=True):
        if name in known:
            assert trace_id(message) == known[name]
        else:
            fresh.append(trace_id(message))
    assert len(set(fresh)) == len(fresh)
    assert not {*fresh} & {*TRACE_IDS}


@on_the_stand
@pytest.mark.parametrize("name", ["post", "chunks"])
async def test_request_broken_off_at_every_byte(stand: Stand, name: str) -> None:
    """The client leaves: the upstream may have heard the beginning, and is never left with a whole request."""
    raw = REQUESTS[name]
    for end in range(len(raw)):
        stand.listener.forget()
        _, writer = await asyncio.open_connection("127.0.0.1", stand.proxy.port)
        writer.write(raw[:end])
        await asyncio.sleep(0)
        writer.close()
        await writer.wait_closed()
        await stand.settled()
        assert stand.listener.whole == [], end
        assert stand.listener.faults == [], end


@on_the_stand
@pytest.mark.parametrize("resets", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
@pytest.mark.parametrize("path", [b"/length", b"/chunks", b"/close"])
async def test_answer_broken_off_at_every_byte(stand: Stand, path: bytes, version: str, resets: bool) -> None:
    """The upstream leaves: the client gets an error, or can tell that the answer is incomplete."""
    raw = ANSWERS[path]
    body = raw.index(b"\r\n\r\n") + 4
    stand.script.resets = resets
    for end in range(len(raw)):
        stand.script.broken_off = end
        try:
            received = await say(stand.proxy.port, request(f"GET {path.decode()} {version}"))
        except ConnectionResetError:
            # The only way to tell HTTP/1.0 that a body without length is incomplete.
            assert (version, path != b"/length", end >= body) == ("HTTP/1.0", True, True)
            continue
        answer = answers(received)[-1]
        if answer.start == (502,):
            assert answer.complete
            assert resets or end < body
        else:
            ended_by_close = path == b"/close" and not resets
            assert (answer.start, answer.complete, end >= body) == ((200,), ended_by_close, True), end
    await stand.settled()
