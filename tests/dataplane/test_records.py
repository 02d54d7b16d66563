"""What the record of an exchange says, whatever becomes of the exchange."""

import asyncio

import pytest
from harness import OK, Upstream, answering, connection, field, one_route, proxy, request, say, status, upstream
from leftovers import refusing, resets
from records_kept import EXPORTED, Kept

from tracer_proxy.errors import Kind
from tracer_proxy.limits import RECENT_RECORDS_PER_S

TRACE, PARENT = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"
TRACEPARENT = f"traceparent: 00-{TRACE.decode()}-{PARENT.decode()}-01"
NOT_SAMPLED = f"traceparent: 00-{TRACE.decode()}-{PARENT.decode()}-00"


async def test_a_whole_exchange() -> None:
    async with upstream(answering(OK)) as endpoint:
        route = "match: {path: /a}\nrewrite: {prefix: /b}"
        async with proxy(one_route(endpoint.url, top=EXPORTED, route=route)) as running:
            kept = Kept(running)
            answer = await say(
                running.port,
                request("POST /a/x?q=1 HTTP/1.1", TRACEPARENT, "User-Agent: agent/1", "x-agent-id: svc-1", body=b"abc"),
            )
            record = await kept.one()
    assert (record.trace_id, record.parent_id, record.joined_by, record.sampled) == (TRACE, PARENT, "traceparent", True)
    assert field(answer, "x-trace-id-ext") == record.trace_id
    assert (record.method, record.scheme, record.host, record.path, record.query) == ("POST", "http", "test", "/a/x", "q=1")
    assert (record.route, record.http_route, record.lane, record.lane_intended) == ("all", "/a", "only", "only")
    assert (record.target, record.client, record.user_agent, record.agent) == ("/b/x?q=1", "127.0.0.1", "agent/1", "svc-1")
    assert (record.status, record.error, record.request_bytes, record.response_bytes) == (200, "", 3, 2)
    (attempt,) = record.attempts
    assert (attempt.status, attempt.error, attempt.host, attempt.port, attempt.peer) == (
        200,
        "",
        "127.0.0.1",
        endpoint.port,
        "127.0.0.1",
    )
    assert attempt.first_byte is not None
    assert record.began <= attempt.began <= attempt.first_byte <= attempt.ended <= record.ended
    # The endpoint was told that the attempt is its parent.
    assert field(endpoint.heard[0], "traceparent") == b"00-" + TRACE + b"-" + attempt.span_id + b"-01"
    assert record.span_id not in (attempt.span_id, PARENT)


async def test_each_attempt_has_a_span_of_its_own() -> None:
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    async with upstream(answering(busy, OK)) as endpoint:
        route = "retries: {on: [503], backoff: 1ms}"
        async with proxy(one_route(endpoint.url, top=EXPORTED, route=route)) as running:
            kept = Kept(running)
            assert status(await say(running.port, request())) == 200
            record = await kept.one()
    assert [(attempt.status, attempt.error) for attempt in record.attempts] == [(503, ""), (200, "")]
    told = [field(head, "traceparent") for head in endpoint.heard]
    assert told == [b"00-%b-%b-03" % (record.trace_id, attempt.span_id) for attempt in record.attempts]
    assert record.attempts[0].ended <= record.attempts[1].began


async def test_attempts_that_found_nobody() -> None:
    with refusing() as first, refusing() as second:
        config = one_route(first, second, top=EXPORTED, route="retries: {backoff: 1ms}", pool="balance: round_robin")
        async with proxy(config) as running:
            kept = Kept(running)
            assert status(await say(running.port, request())) == 502
            record = await kept.one()
    assert [attempt.error for attempt in record.attempts] == [Kind.UNREACHABLE] * 2
    assert len({attempt.port for attempt in record.attempts}) == 2
    assert (record.status, record.error, record.response_bytes) == (502, Kind.UNREACHABLE, 0)
    assert record.first_byte is None


async def test_an_answer_that_breaks_off_keeps_its_status() -> None:
    async def breaks_off(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")

    async with upstream(breaks_off) as endpoint, proxy(one_route(endpoint.url, top=EXPORTED)) as running:
        kept = Kept(running)
        await say(running.port, request())
        record = await kept.one()
    assert (record.status, record.error, record.response_bytes) == (200, Kind.UPSTREAM_CLOSED, 3)
    assert [(attempt.status, attempt.error) for attempt in record.attempts] == [(200, Kind.UPSTREAM_CLOSED)]


async def test_a_client_that_leaves_before_the_answer() -> None:
    asked = asyncio.Event()

    async def waits(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        asked.set()
        await reader.read()

    async with upstream(waits) as endpoint, proxy(one_route(endpoint.url, top=EXPORTED)) as running:
        kept = Kept(running)
        async with connection(running.port) as (_, writer):
            writer.write(request())
            await asked.wait()
        record = await kept.one()
    assert (record.status, record.error) == (499, Kind.CLIENT_GONE)
    assert [attempt.error for attempt in record.attempts] == [Kind.CLIENT_GONE]


async def test_no_route_and_no_request() -> None:
    async with (
        upstream(answering(OK)) as endpoint,
        proxy(one_route(endpoint.url, top=EXPORTED, route="match: {path: /a}")) as running,
    ):
        kept = Kept(running)
        await say(running.port, request("GET /b HTTP/1.1"))
        record = await kept.one()
    assert (record.status, record.error, record.route, record.lane, record.attempts) == (404, Kind.NO_ROUTE, "", "", [])


async def test_bytes_that_are_no_request() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, top="log: {exchanges: stderr}")) as running:
        kept = Kept(running)
        assert status(await say(running.port, b"NONSENSE\r\n\r\n")) == 400
        record = await kept.one()
    assert (record.status, record.error, record.method, record.attempts) == (400, Kind.MALFORMED, "", [])


async def test_a_stream_of_events() -> None:
    async def streams(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(3):
            writer.write(b"9\r\ndata: x\n\n\r\n")
            await writer.drain()
            await asyncio.sleep(0.02)
        writer.write(b"0\r\n\r\n")

    async with upstream(streams) as endpoint, proxy(one_route(endpoint.url, top=EXPORTED)) as running:
        kept = Kept(running)
        await say(running.port, request())
        record = await kept.one()
        assert running.worker.meters.worker.streams_open == 0
    assert record.is_stream
    assert record.first_byte is not None
    assert record.first_byte < record.ended
    assert record.events >= 3


async def test_a_tunnel_is_recorded_when_it_closes() -> None:
    async def echoes(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        writer.write(await reader.readexactly(4))

    async with upstream(echoes) as endpoint, proxy(one_route(endpoint.url, top=EXPORTED)) as running:
        kept = Kept(running)
        async with connection(running.port) as (reader, writer):
            writer.write(request("GET / HTTP/1.1", "Connection: upgrade", "Upgrade: echo", close=False))
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"ping")
            assert await reader.readexactly(4) == b"ping"
            assert not kept.records
        record = await kept.one()
    assert (record.status, record.error, record.is_stream) == (101, "", True)
    assert (record.request_bytes, record.response_bytes) == (4, 4)
    assert [attempt.status for attempt in record.attempts] == [101]


async def test_a_reset_connection() -> None:
    async with upstream(resets) as endpoint, proxy(one_route(endpoint.url, top=EXPORTED)) as running:
        kept = Kept(running)
        assert status(await say(running.port, request("POST / HTTP/1.1", body=b"x"))) == 502
        record = await kept.one()
    assert (record.error, record.attempts[0].status) == (Kind.UPSTREAM_CLOSED, None)


# Which exchanges are recorded.


@pytest.mark.parametrize(
    ("tracing", "line", "header", "count"),
    [
        ("{exporter: otlp}", "GET / HTTP/1.1", NOT_SAMPLED, 0),
        ("{exporter: otlp, believe_sampled: false}", "GET / HTTP/1.1", NOT_SAMPLED, 1),
        ("{exporter: otlp, sample: 0}", "GET / HTTP/1.1", "x: y", 0),
        ("{exporter: otlp, sample: 0}", "GET / HTTP/1.1", TRACEPARENT, 1),
        ("{exporter: otlp, sample: 0, always: {errors: true}}", "GET / HTTP/1.1", "x: y", 0),
        ("{exporter: otlp, sample: 0, always: {errors: true}}", "GET /none HTTP/1.1", "x: y", 1),
        ("{exporter: otlp, sample: 0, always: {slower: 1ms}}", "GET /slow HTTP/1.1", "x: y", 1),
        ("{exporter: none}", "GET / HTTP/1.1", TRACEPARENT, 0),
        ("{exporter: none}\nlog: {exchanges: stderr}", "GET / HTTP/1.1", NOT_SAMPLED, 1),
    ],
)
async def test_which_exchanges_are_recorded(tracing: str, line: str, header: str, count: int) -> None:
    async def answers(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await endpoint.request(reader)
        await asyncio.sleep(0.01 if b"/slow" in head else 0)
        writer.write(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n" if b"/none" in head else OK)

    async with upstream(answers) as endpoint, proxy(one_route(endpoint.url, top=f"tracing: {tracing}")) as running:
        kept = Kept(running)
        await say(running.port, request(line, header))
        await asyncio.sleep(0.01)
        running.worker.records.flush()
        assert len(kept.records) == count


async def test_all_are_recorded_while_somebody_looks_on() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        kept = Kept(running)
        records = running.worker.records
        await say(running.port, request())
        records.want(running.worker.table.wanted, live=True)
        await say(running.port, request("GET /seen HTTP/1.1"))
        record = await kept.one()
        records.want(running.worker.table.wanted, live=False)
        await say(running.port, request())
        records.flush()
    assert record.path == "/seen"
    assert not kept.records


async def test_a_few_are_recorded_for_the_admin_api() -> None:
    async with (
        upstream(answering(OK)) as endpoint,
        proxy(one_route(endpoint.url, top="admin: {listen: 127.0.0.1:0}")) as running,
    ):
        kept = Kept(running)
        asked = 3 * RECENT_RECORDS_PER_S
        await say(running.port, request(close=False) * (asked - 1) + request())
        running.worker.records.flush()
    assert 0 < len(kept.records) < asked


async def test_records_that_control_does_not_take_are_dropped_and_counted() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, top=EXPORTED)) as running:
        running.worker.records.send = lambda _: False
        await say(running.port, request(close=False) * 4 + request())
        running.worker.records.flush()
        assert running.worker.records.take_dropped() == 5


# What a caller says of its trace.


async def test_other_formats_that_disagree_become_links() -> None:
    other = "b" * 32
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, top=EXPORTED)) as running:
        kept = Kept(running)
        await say(running.port, request("GET / HTTP/1.1", TRACEPARENT, f"b3: {other}-{'c' * 16}-1"))
        record = await kept.one()
    assert [(link.trace_id, link.span_id, link.reason) for link in record.links] == [(b"b" * 32, b"c" * 16, "conflict")]


@pytest.mark.parametrize(("policy", "links"), [("link", [(TRACE, PARENT, "inbound")]), ("ignore", [])])
async def test_a_caller_may_be_linked_or_ignored(policy: str, links: list[tuple[bytes, bytes, str]]) -> None:
    top = f"tracing: {{exporter: otlp, inbound: {policy}}}"
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, top=top)) as running:
        kept = Kept(running)
        await say(running.port, request("GET / HTTP/1.1", TRACEPARENT))
        record = await kept.one()
    assert record.trace_id != TRACE
    assert (record.parent_id, record.joined_by) == (b"", "new")
    assert [(link.trace_id, link.span_id, link.reason) for link in record.links] == links


async def test_a_run_in_the_path_is_one_trace() -> None:
    async with (
        upstream(answering(OK)) as endpoint,
        proxy(one_route(endpoint.url, top=EXPORTED, route="match: {path: /a}")) as running,
    ):
        kept = Kept(running)
        for line in ("GET /~/run-7/a HTTP/1.1", "GET /~/run-7/a/b HTTP/1.1", "GET /~/run-8/a HTTP/1.1"):
            assert status(await say(running.port, request(line))) == 200
        first, second, other = await kept.next(3)
        assert status(await say(running.port, request("GET /~/a HTTP/1.1"))) == 404
    assert [head.split(b" ")[1] for head in endpoint.heard] == [b"/a", b"/a/b", b"/a"]
    assert first.trace_id == second.trace_id != other.trace_id
    assert (first.parent_id, second.parent_id, other.parent_id) == (b"", first.span_id, b"")
    assert (first.joined_by, second.joined_by, second.session) == ("new", "run", "run-7")
    assert second.path == "/~/run-7/a/b"
    # What the lane hangs on is the run, though its source is the trace.
    assert [(each.session_source, each.session_key) for each in (first, second, other)] == [
        ("trace", "run-7"),
        ("trace", "run-7"),
        ("trace", "run-8"),
    ]


async def test_a_strangers_run_is_its_own_business() -> None:
    """Without trust the prefix goes, and means nothing."""
    async with (
        upstream(answering(OK)) as endpoint,
        proxy(one_route(endpoint.url, top=f"{EXPORTED}\ntrust: [10.0.0.0/8]")) as running,
    ):
        kept = Kept(running)
        for _ in range(2):
            await say(running.port, request("GET /~/run-7/a HTTP/1.1"))
        first, second = await kept.next(2)
    assert first.trace_id != second.trace_id
