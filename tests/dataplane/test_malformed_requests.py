"""What is not quite HTTP goes no further: every malformed request gets its error, and no upstream hears a whole one."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import h11
import pytest
import pytest_asyncio
from corpus_requests import (
    BODY_BYTES_MAX,
    BODY_FAMILIES,
    CHUNKED_HEAD,
    FAMILIES,
    REFUSED,
    SMUGGLED,
    UNFINISHED,
    Malformed,
)
from h11_peer import Listener, Message, answers, take
from harness import WAIT_S, Proxy, Upstream, body_of, field, one_route, proxy, request, say, status, upstream

from tracer_proxy.errors import VERDICTS, Side

DRIBBLED_BYTES_MAX = 1000
"""Longer requests are not sent byte by byte: they would take more time than they tell."""
LIMITS = f"limits: {{request_body: {BODY_BYTES_MAX}}}\n"

on_the_stand = pytest.mark.asyncio(loop_scope="module")
"""For tests that share one proxy."""


@dataclass
class Stand:
    """A proxy before an endpoint that takes note of everything."""

    listener: Listener
    endpoint: Upstream
    proxy: Proxy

    @property
    def port(self) -> int:
        return self.proxy.port

    async def settled(self) -> None:
        """Until the proxy has let go of the client, and of every connection to the endpoint that is not at rest."""
        worker = self.proxy.worker
        async with asyncio.timeout(WAIT_S):
            while worker.downstreams or len(worker.upstreams) > worker.connections.idle_count:  # noqa: ASYNC110
                await asyncio.sleep(0.001)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Stand]:
    listener = Listener()
    async with upstream(listener.handle) as endpoint, proxy(one_route(endpoint.url, route=LIMITS)) as running:
        yield Stand(listener, endpoint, running)


@pytest.fixture
def stand(shared: Stand) -> Stand:
    shared.listener.forget()
    return shared


def assert_refused(answer: bytes, case: Malformed) -> None:
    """The contract of DESIGN 4.4: one answer with its error, and nothing behind it."""
    assert status(answer) == case.status, case.name
    trace_id = field(answer, "x-trace-id-ext")
    assert trace_id is not None
    assert len(trace_id) == 32
    assert field(answer, "x-tracer-proxy") == b"error"
    assert field(answer, "connection") == b"close"
    assert field(answer, "content-type") == b"application/json"
    assert field(answer, "content-length") == b"%d" % len(body_of(answer)), "nothing stands behind the error"
    error = json.loads(body_of(answer))["error"]
    assert error.keys() == {"kind", "side", "message", "trace_id"}
    assert (error["kind"], error["side"]) == (case.kind, Side.CLIENT), case.name
    assert VERDICTS[error["kind"]] == (case.status, Side.CLIENT)
    assert error["message"].endswith(".")
    assert error["trace_id"] == trace_id.decode()


def test_corpus_is_as_large_as_promised() -> None:
    cases = REFUSED + UNFINISHED
    assert len(cases) >= 100
    assert len({case.name for case in cases}) == len({case.raw for case in cases}) == len(cases)


@on_the_stand
@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
async def test_malformed_request_gets_its_error_and_no_upstream_hears_of_it(stand: Stand, case: Malformed) -> None:
    """In one piece, the client still there: the connection closes without waiting for it, and the next one works."""
    connections = stand.endpoint.connections
    assert_refused(await say(stand.port, case.raw), case)
    assert stand.endpoint.connections == connections
    assert stand.listener.heard == []
    await stand.settled()
    assert status(await say(stand.port, request())) == 200


@on_the_stand
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
async def test_good_request_before_a_malformed_one_is_answered_first(stand: Stand, family: tuple[Malformed, ...]) -> None:
    """Pipelined behind one that begins like most of the corpus: what is remembered of a good head excuses no bad one."""
    good = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello"
    for case in family:
        stand.listener.forget()
        answer = await say(stand.port, good * 2 + case.raw)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n"), case.name
        *first, bad = answer.split(b"\r\n\r\nok")
        assert len(first) == 2, case.name
        assert_refused(bad, case)
        assert [message.body for message in stand.listener.heard] == [b"hello"] * 2, case.name


@on_the_stand
@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
async def test_malformed_request_cut_into_bytes_is_malformed_too(stand: Stand, family: tuple[Malformed, ...]) -> None:
    """However slowly it comes: the same error. Of a broken body the upstream hears the beginning, and never an end."""
    for case in family:
        if len(case.raw) <= DRIBBLED_BYTES_MAX:
            stand.listener.forget()
            pieces = [case.raw[index : index + 1] for index in range(len(case.raw))]
            assert_refused(await say(stand.port, *pieces), case)
            await stand.settled()
            assert stand.listener.whole == [], case.name
            assert stand.listener.faults == [], case.name


@on_the_stand
@pytest.mark.parametrize("family", BODY_FAMILIES.values(), ids=BODY_FAMILIES)
async def test_broken_body_behind_a_head_that_has_gone_out_is_never_completed(
    stand: Stand, family: tuple[Malformed, ...]
) -> None:
    """The upstream has the head when the body turns out to be broken: it is left with an unfinished request."""
    for case in family:
        if case.raw.startswith(CHUNKED_HEAD):
            stand.listener.forget()
            assert_refused(await say_when_heard(stand, CHUNKED_HEAD, case.raw.removeprefix(CHUNKED_HEAD)), case)
            await stand.settled()
            assert [message.complete for message in stand.listener.heard] == [False], case.name
            assert stand.listener.faults == [], case.name


async def say_when_heard(stand: Stand, head: bytes, body: bytes) -> bytes:
    """Sends ``body`` when the upstream has heard ``head``, and reads until the proxy closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
    async with asyncio.timeout(WAIT_S):
        writer.write(head)
        while not stand.listener.heard:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        writer.write(body)
        answer = await reader.read(-1)
    writer.close()
    return answer


async def test_unfinished_requests_are_told_when_their_time_is_up() -> None:
    """All at once: none of them waits for another, and none for ever."""
    listener = Listener()
    config = one_route("{url}", route="timeouts: {idle: 200ms}\n")
    config = config.replace("listen: 127.0.0.1:0", "listen: 127.0.0.1:0, timeouts: {head: 200ms}")
    async with upstream(listener.handle) as endpoint, proxy(config.replace("{url}", endpoint.url)) as running:
        heard = await asyncio.gather(*(say(running.port, case.raw) for case in UNFINISHED))
        await Stand(listener, endpoint, running).settled()
    for case, answer in zip(UNFINISHED, heard, strict=True):
        assert_refused(answer, case)
    assert listener.whole == []
    assert listener.faults == []


async def test_silent_client_is_let_go_without_a_word() -> None:
    """It has not asked for anything, so there is nothing to answer."""
    config = one_route("http://127.0.0.1:1").replace("127.0.0.1:0", "127.0.0.1:0, timeouts: {head: 200ms}")
    async with proxy(config) as running:
        assert await say(running.port) == b""


async def test_empty_lines_do_not_buy_time() -> None:
    """One empty line may stand before a request (RFC 9112 2.2); whoever goes on sending them is told to stop."""
    async with proxy(one_route("http://127.0.0.1:1")) as running:
        answer = await say(running.port, *[b"\r\n"] * 10, pause_s=0.001)
    assert status(answer) == 400


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_h11_refuses_it_too_or_the_difference_is_explained(family: tuple[Malformed, ...]) -> None:
    """``accepted_by_h11`` lists every deliberate difference, and none that does not exist."""
    for case in family:
        connection = h11.Connection(h11.SERVER)
        try:
            connection.receive_data(case.raw)
            take(connection, [])
            refused = False
        except h11.RemoteProtocolError:
            refused = True
        assert refused is not bool(case.accepted_by_h11), case.name


HARMLESS: dict[str, tuple[bytes, list[tuple[bytes, bytes, bytes]]]] = {
    "listed framing headers do not vanish": (
        b"POST /a HTTP/1.1\r\nHost: t\r\nConnection: Content-Length, Transfer-Encoding, Host\r\nContent-Length: 5\r\n\r\nhello",
        [(b"POST", b"/a", b"hello")],
    ),
    "chunked in capitals, behind a tab": (
        b"POST /a HTTP/1.1\r\nHost: t\r\nTRANSFER-encoding:\tCHUNKED \t\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        [(b"POST", b"/a", b"hello")],
    ),
    "a length with leading zeros": (
        b"POST /a HTTP/1.1\r\nHost: t\r\nContent-Length: 00005\r\n\r\nhello",
        [(b"POST", b"/a", b"hello")],
    ),
    "a request inside a body stays a body": (
        b"GET /a HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
        [(b"GET", b"/a", SMUGGLED)],
    ),
    "a length of zero ends a request": (
        b"POST /a HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n" + SMUGGLED,
        [(b"POST", b"/a", b""), (b"GET", b"/smuggled", b"")],
    ),
    "no length means no body": (
        b"POST /a HTTP/1.1\r\nHost: t\r\n\r\n" + SMUGGLED,
        [(b"POST", b"/a", b""), (b"GET", b"/smuggled", b"")],
    ),
    "an extension that looks like a chunk is dropped": (
        CHUNKED_HEAD + b"5;0=5\r\nhello\r\n00000;\r\nX: y\r\n\r\n",
        [(b"POST", b"/", b"hello")],
    ),
    "framing and routing in trailers is dropped": (
        CHUNKED_HEAD + b"5\r\nhello\r\n0\r\nContent-Length: 9\r\nTransfer-Encoding: x\r\nHost: evil\r\nCookie: a=b\r\n\r\n",
        [(b"POST", b"/", b"hello")],
    ),
    "an upgrade to HTTP/2 is not passed on": (
        b"GET /a HTTP/1.1\r\nHost: t\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n",
        [(b"GET", b"/a", b"")],
    ),
    "an upgrade with a body is no upgrade": (
        b"POST /a HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n\r\nhello",
        [(b"POST", b"/a", b"hello")],
    ),
    "one empty line before a request": (
        b"\r\nGET /a HTTP/1.1\r\nHost: t\r\n\r\n",
        [(b"GET", b"/a", b"")],
    ),
    "an absolute target loses its host": (
        b"GET http://other.example/a?b HTTP/1.1\r\nHost: t\r\n\r\n",
        [(b"GET", b"/a?b", b"")],
    ),
    "a path that looks like a URL stays a path": (
        b"GET //evil.example/a HTTP/1.1\r\nHost: t\r\n\r\n",
        [(b"GET", b"//evil.example/a", b"")],
    ),
    "dots and escapes stay as they are": (
        b"GET /a/../%2e%2e/%2Fb/./c HTTP/1.1\r\nHost: t\r\n\r\n",
        [(b"GET", b"/a/../%2e%2e/%2Fb/./c", b"")],
    ),
}


@on_the_stand
@pytest.mark.parametrize("name", HARMLESS)
async def test_odd_but_valid_requests_mean_to_the_upstream_what_they_mean_here(stand: Stand, name: str) -> None:
    """The other half of smuggling: what is accepted must be read by the upstream as it was read by the proxy."""
    raw, meant = HARMLESS[name]
    answer = await say(stand.port, raw + request("GET /last HTTP/1.1"))
    assert len(answers(answer, ["GET"] * (len(meant) + 1))) == len(meant) + 1
    assert stand.listener.faults == []
    assert [(*message.start, message.body) for message in stand.listener.whole] == [*meant, (b"GET", b"/last", b"")]
    for message in stand.listener.whole:
        assert_framed_once(message)


def assert_framed_once(message: Message) -> None:
    lengths, codings = message.values(b"content-length"), message.values(b"transfer-encoding")
    assert len(lengths) + len(codings) <= 1
    assert message.values(b"upgrade") == message.values(b"http2-settings") == []
    assert [name for name, _ in message.trailers] in ([], [b"X"])
