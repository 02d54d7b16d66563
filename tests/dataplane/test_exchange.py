"""One exchange after the other, over real sockets: what the upstream hears and what the client hears."""

import asyncio
import json
import re

from harness import (
    OK,
    WAIT_S,
    Upstream,
    answering,
    body_of,
    field,
    fields,
    one_route,
    proxy,
    request,
    say,
    status,
    upstream,
)


async def test_other_peoples_headers_keep_order_and_spelling() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        await say(running.port, request("GET /a?b=%20c HTTP/1.1", "X-SPELLING: One", "accept:  two", "x-Last:three"))
    heard = endpoint.heard[0]
    assert heard.startswith(b"GET /a?b=%20c HTTP/1.1\r\nHost: " + endpoint.url.removeprefix("http://").encode() + b"\r\n")
    assert b"\r\nX-SPELLING: One\r\naccept:  two\r\nx-Last:three\r\n" in heard


async def test_hop_by_hop_and_listed_headers_stay_here() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        await say(
            running.port,
            b"GET / HTTP/1.1\r\nHost: t\r\nConnection: close, X-Mine, Host\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\n"
            b"Proxy-Connection: x\r\nProxy-Authorization: secret\r\nX-Theirs: 2\r\n\r\n",
        )
    heard = endpoint.heard[0]
    assert field(heard, "x-theirs") == b"2"
    assert field(heard, "host") == b"127.0.0.1:%d" % endpoint.port
    for name in ("x-mine", "keep-alive", "te", "proxy-connection", "proxy-authorization", "connection"):
        assert field(heard, name) is None, name


async def test_forwarding_headers_say_who_called() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        await say(running.port, request("GET / HTTP/1.1", "X-Forwarded-For: 10.1.1.1", "X-Forwarded-Proto: https"))
    heard = endpoint.heard[0]
    assert field(heard, "x-forwarded-for") == b"10.1.1.1, 127.0.0.1"
    assert field(heard, "x-forwarded-proto") == b"https"
    assert field(heard, "x-forwarded-host") == b"test"
    assert field(heard, "via") == b"1.1 tracer-proxy"


async def test_untrusted_callers_forwarding_and_trace_headers_are_not_believed() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, top="trust: [10.9.0.0/16]")) as running:
        await say(
            running.port,
            request(
                "GET / HTTP/1.1",
                "X-Forwarded-For: 10.1.1.1",
                "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                "baggage: color=canary,a=b",
                "x-traffic-color: canary",
            ),
        )
    heard = endpoint.heard[0]
    assert field(heard, "x-forwarded-for") == b"127.0.0.1"
    assert b"0af7651916cd43dd8448eb211c80319c" not in heard
    assert field(heard, "baggage") is None
    assert field(heard, "x-traffic-color") is None


async def test_caller_and_upstream_see_the_same_trace_id() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        answer = await say(running.port, request())
    heard = endpoint.heard[0]
    trace_id = field(answer, "x-trace-id-ext")
    assert trace_id is not None
    assert re.fullmatch(rb"[0-9a-f]{32}", trace_id)
    assert field(heard, "x-trace-id-ext") == trace_id
    traceparent = field(heard, "traceparent")
    assert traceparent is not None
    assert traceparent.split(b"-")[1] == trace_id


async def test_chunked_request_keeps_trailers_and_drops_extensions() -> None:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        endpoint.bodies.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        head = b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        answer = await say(running.port, head + b'3;x="y"\r\nabc\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n')
    assert status(answer) == 200
    assert endpoint.bodies == [b"3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"]


async def test_pipelined_requests_are_answered_in_order() -> None:
    answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % number for number in range(5)]
    async with upstream(answering(*answers)) as endpoint, proxy(one_route(endpoint.url)) as running:
        pipeline = b"".join(request(f"POST /{n} HTTP/1.1", body=b"x" * n, close=n == 4) for n in range(5))
        heard = await say(running.port, pipeline)
    assert [piece[:1] for piece in heard.split(b"\r\n\r\n")[1:]] == [b"0", b"1", b"2", b"3", b"4"]
    assert endpoint.connections == 1
    assert endpoint.bodies == [b"x" * n for n in range(5)]


async def test_three_thousand_pipelined_errors_do_not_nest() -> None:
    config = one_route("http://127.0.0.1:1", route="match: {path: /none}")
    async with proxy(config) as running:
        heard = await say(running.port, request("GET /x HTTP/1.1", close=False) * 3000 + request())
    assert heard.count(b"HTTP/1.1 404 ") == 3001


async def test_head_answer_has_a_length_and_no_body() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"
    async with upstream(answering(answer)) as endpoint, proxy(one_route(endpoint.url)) as running:
        heard = await say(running.port, request("HEAD / HTTP/1.1", close=False) + request("HEAD / HTTP/1.1"))
    assert heard.count(b"Content-Length: 1000\r\n") == 2
    assert endpoint.connections == 1


async def test_bodiless_statuses_leave_the_connection_usable() -> None:
    answers = (
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: x\r\n\r\n",
        OK,
    )
    async with upstream(answering(*answers)) as endpoint, proxy(one_route(endpoint.url)) as running:
        heard = await say(running.port, request(close=False) * 2 + request())
    assert heard.count(b"HTTP/1.1 ") == 3
    assert b"Content-Length: 77\r\n" in heard
    assert heard.endswith(b"ok")
    assert endpoint.connections == 1


async def test_interim_responses_reach_http_1_1_and_not_1_0() -> None:
    answer = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK
    async with upstream(answering(answer)) as endpoint, proxy(one_route(endpoint.url)) as running:
        new = await say(running.port, request())
        old = await say(running.port, b"GET / HTTP/1.0\r\n\r\n")
    assert new.startswith(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n")
    assert new.endswith(b"ok")
    assert old.startswith(b"HTTP/1.1 200 OK\r\n")


async def test_expect_continue_is_asked_of_the_upstream() -> None:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await endpoint.head(reader)
        assert field(head, "expect") == b"100-continue"
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        endpoint.bodies.append(await reader.readexactly(4))
        writer.write(OK)

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(b"POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(WAIT_S):
            interim = await reader.readuntil(b"\r\n\r\n")
            writer.write(b"body")
            answer = await reader.read(-1)
        writer.close()
    assert interim.startswith(b"HTTP/1.1 100 ")
    assert status(answer) == 200
    assert endpoint.bodies == [b"body"]


async def test_early_error_reaches_a_client_that_is_still_sending() -> None:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig")
        await writer.drain()

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        head = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 5000000\r\n\r\n"
        answer = await say(running.port, head, *[b"x" * 100_000] * 20)
    assert status(answer) == 413
    assert body_of(answer) == b"big"
    assert field(answer, "connection") == b"close"


async def test_until_close_answer_becomes_chunks() -> None:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(b"HTTP/1.0 200 OK\r\n\r\nall of it")

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        new = await say(running.port, request())
        old = await say(running.port, b"GET / HTTP/1.0\r\n\r\n")
    assert body_of(new) == b"9\r\nall of it\r\n0\r\n\r\n"
    assert body_of(old) == b"all of it"
    assert field(old, "transfer-encoding") is None


async def test_http_1_0_keep_alive_on_request() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        heard = await say(
            running.port, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"GET / HTTP/1.0\r\n\r\n", pause_s=0.05
        )
    assert heard.count(b"HTTP/1.1 200 OK") == 2
    assert fields(heard, "connection") == [b"keep-alive"]


async def test_body_that_breaks_off_never_looks_complete() -> None:
    """Whatever the framing: the client is left with less than was announced, or a body without its end."""
    broken = {
        "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n",
    }
    for name, answer in broken.items():

        async def handle(
            endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, answer: bytes = answer
        ) -> None:
            await endpoint.head(reader)
            writer.write(answer)

        async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
            heard = await say(running.port, request())
        assert status(heard) == 200, name
        assert b"half" in body_of(heard), name
        assert not heard.endswith(b"0\r\n\r\n"), name
        assert len(body_of(heard)) < 100, name


async def test_upstream_is_closed_when_the_client_leaves() -> None:
    closed = asyncio.Event()

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await reader.read(-1)
        closed.set()

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(request())
        await reader.readuntil(b"hello")
        writer.close()
        async with asyncio.timeout(WAIT_S):
            await closed.wait()


async def test_stale_connection_is_replaced_for_a_get_and_not_for_a_post() -> None:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Every kept connection dies, without an answer, at its second request."""
        await endpoint.request(reader)
        writer.write(OK)
        await endpoint.request(reader)

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        first = await say(running.port, request())
        second = await say(running.port, request())
        third = await say(running.port, request("POST / HTTP/1.1", body=b"x"))
    assert (status(first), status(second), status(third)) == (200, 200, 502)
    assert json.loads(body_of(third))["error"]["kind"] == "upstream_closed"
    assert len(endpoint.bodies) == 4, "the POST must reach an upstream once"


async def test_surplus_bytes_never_answer_the_next_request() -> None:
    evil = OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    async with upstream(answering(evil)) as endpoint, proxy(one_route(endpoint.url)) as running:
        heard = [await say(running.port, request()) for _ in range(3)]
    assert [body_of(answer) for answer in heard] == [b"ok"] * 3
    assert endpoint.connections == 3


async def test_errors_are_told_as_promised() -> None:
    async with proxy(one_route("http://127.0.0.1:1", route="llm: {api: openai}")) as running:
        answer = await say(running.port, request("GET / HTTP/1.1", close=False), request())
    assert status(answer) == 502
    assert field(answer.split(b"}HTTP/1.1")[0], "x-tracer-proxy") == b"error"
    error = json.JSONDecoder().raw_decode(body_of(answer).decode())[0]["error"]
    assert error["kind"] == "upstream_unreachable"
    assert error["side"] == "upstream"
    assert error["trace_id"] == (field(answer.split(b"}HTTP/1.1")[0], "x-trace-id-ext") or b"").decode()
    assert error["type"] == "server_error"
    assert answer.count(b"HTTP/1.1 502 ") == 2, "an upstream's failure does not cost the client its connection"


async def test_endpoints_that_accept_and_hang_up_are_told_of() -> None:
    """A hundred at once, so that some hang up between the connection and the first write."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        answers = await asyncio.gather(*(say(running.port, request("POST / HTTP/1.1", body=b"x")) for _ in range(100)))
    assert {status(answer) for answer in answers} == {502}
