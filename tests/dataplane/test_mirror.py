"""Copies for a shadow lane: whole, marked, counted apart, and never felt by the original, whatever becomes of them."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from harness import (
    OK,
    WAIT_S,
    Proxy,
    Upstream,
    answering,
    body_of,
    connection,
    field,
    one_route,
    proxy,
    request,
    say,
    status,
    upstream,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from records_kept import EXPORTED, Kept

from tracer_proxy import limits
from tracer_proxy.dataplane import copies, metering, mirror
from tracer_proxy.dataplane.exchange import Exchange
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.spans import Kind as SpanKind
from tracer_proxy.telemetry.spans import SpanOptions, spans_of
from tracer_proxy.telemetry.totals import Totals

Handler = Callable[[Upstream, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
POST = "POST /run?x=1 HTTP/1.1"
CHUNKED = request(POST, "Transfer-Encoding: chunked")


def config(stable: str, shadow: str, mirror: str = "{lane: shadow}", *, route: str = "", top: str = "", lane: str = "") -> str:
    return (
        f"version: 1\nproxy: {{listen: 127.0.0.1:0}}\n{top}\n"
        "routes:\n"
        "  - name: planner\n"
        f"    mirror: {mirror}\n"
        f"    {route}\n"
        f"    lanes: [{{name: stable, pool: stable}}, {{name: shadow, pool: shadow, weight: 0{lane}}}]\n"
        "pools:\n"
        f"  stable: {{endpoints: ['{stable}']}}\n"
        f"  shadow: {{endpoints: ['{shadow}']}}\n"
    )


@asynccontextmanager
async def mirrored(
    shadow: Handler, *, stable: Handler | None = None, **keys: str
) -> AsyncIterator[tuple[Proxy, Upstream, Upstream]]:
    """A proxy with an endpoint for originals and one for copies."""
    async with (
        upstream(stable or answering(OK)) as original,
        upstream(shadow) as copied,
        proxy(config(original.url, copied.url, **keys)) as running,
    ):
        yield running, original, copied


async def until(holds: Callable[[], Any]) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            if holds():
                return
            await asyncio.sleep(0.005)


class Counted:
    """What the worker has counted so far."""

    def __init__(self, running: Proxy) -> None:
        self._running = running
        self._totals = Totals()

    def _take(self) -> None:
        delta = metering.take(self._running.worker)
        self._totals.add("0", delta)
        self._running.worker.meters.confirm(delta["run"], delta["number"])

    def of(self, metric: catalogue.Metric) -> Mapping[tuple[str, ...], Any]:
        """By what stands behind route and lane in the labels."""
        self._take()
        found = {}
        for labels, series in self._totals.series[metric.name].items():
            if metric.labels[:2] != ("route", "lane") or labels[:2] == ("planner", "shadow"):
                value = sum(series.values[:-1]) if metric.type is catalogue.Type.HISTOGRAM else series.values[0]
                found[labels[2:] if metric.labels[:2] == ("route", "lane") else labels] = value
        return {labels: value for labels, value in found.items() if value}

    async def outcome(self) -> str:
        """What came of the only copy."""
        await until(lambda: self.of(catalogue.MIRRORED))
        ((outcome,),) = self.of(catalogue.MIRRORED)
        return outcome

    async def reason(self) -> str:
        """Why the only copy was none."""
        await until(lambda: self.of(catalogue.NOT_MIRRORED))
        ((reason,),) = self.of(catalogue.NOT_MIRRORED)
        return reason


def is_at_rest(running: Proxy) -> bool:
    """Nothing is kept or counted as under way for copies."""
    pool = running.worker.table.pools["shadow"]
    left = (running.worker.copies.under_way, running.worker.copies.held_bytes, pool.circuit.requests, pool.circuit.pending)
    return not any(left) and not any(endpoint.pending for endpoint in pool.endpoints)


async def test_the_copy_is_the_original_with_a_mark() -> None:
    async with mirrored(answering(OK)) as (running, original, copied):
        headers = ("x-session-id: alice", "baggage: a=1", "Authorization: Bearer k", "X-Spelling: One")
        answer = await say(running.port, request(POST, *headers, body=b"hello"))
        await until(lambda: copied.bodies)
        await until(lambda: is_at_rest(running))
    assert (status(answer), body_of(answer)) == (200, b"ok")
    assert original.bodies == copied.bodies == [b"hello"]
    first, second = original.heard[0], copied.heard[0]
    assert field(second, "x-tracer-proxy-shadow") == b"1"
    assert field(second, "baggage") == b"shadow=1,a=1"
    assert field(first, "x-tracer-proxy-shadow") is None
    assert field(first, "baggage") == b"a=1"
    ours = ("host", "traceparent", "baggage", "x-tracer-proxy-shadow")
    others = [
        [line for line in head.split(b"\r\n") if line.partition(b":")[0].decode().lower() not in ours]
        for head in (first, second)
    ]
    assert others[0] == others[1]
    parents = [field(head, "traceparent") for head in (first, second)]
    assert parents[0] is not None
    assert parents[1] is not None
    assert parents[0].split(b"-")[1] == parents[1].split(b"-")[1] == field(answer, "x-trace-id-ext")
    assert parents[0].split(b"-")[2] != parents[1].split(b"-")[2]


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "OPTIONS"])
async def test_every_method_is_copied(method: str) -> None:
    async def answers(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await endpoint.request(reader)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async with mirrored(answers, stable=answers) as (running, _, copied):
        assert status(await say(running.port, request(f"{method} /a HTTP/1.1"))) == 200
        assert await Counted(running).outcome() == "200"
    assert copied.heard[0].startswith(f"{method} /a HTTP/1.1\r\n".encode())


@given(st.binary(min_size=1, max_size=400), st.lists(st.integers(1, 600), max_size=6), st.booleans())
@settings(max_examples=25, deadline=None)
async def test_whatever_way_the_body_comes_the_copy_has_all_of_it(body: bytes, cuts: list[int], is_chunked: bool) -> None:
    if is_chunked:
        half = len(body) // 2
        chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:half], body[half:]) if part)
        sent = CHUNKED + chunks + b"0\r\nX-Sum: 7\r\n\r\n"
    else:
        sent = request(POST, body=body)
    places = [0, *sorted({cut for cut in cuts if cut < len(sent)}), len(sent)]
    pieces = [sent[start:end] for start, end in pairwise(places)]
    async with mirrored(answering(OK)) as (running, original, copied):
        answer = await say(running.port, *pieces, pause_s=0.002)
        await until(lambda: copied.bodies)
    assert status(answer) == 200
    assert original.bodies == copied.bodies == [body]


async def test_a_body_of_megabytes_is_copied_whole() -> None:
    body = bytes(range(256)) * (limits.MIRROR_BODY_BYTES_MAX // 256)
    async with mirrored(answering(OK)) as (running, original, copied):
        answer = await say(running.port, request(POST, body=body))
        await until(lambda: copied.bodies and is_at_rest(running))
    assert status(answer) == 200
    assert original.bodies[0] == copied.bodies[0] == body


@pytest.mark.parametrize("is_chunked", [False, True])
async def test_a_larger_body_passes_and_is_not_copied(is_chunked: bool) -> None:
    body = b"x" * (limits.MIRROR_BODY_BYTES_MAX + 1)
    sent = CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if is_chunked else request(POST, body=body)
    async with mirrored(answering(OK)) as (running, original, copied):
        answer = await say(running.port, sent)
        assert await Counted(running).reason() == "body_too_large"
        assert is_at_rest(running)
    assert status(answer) == 200
    assert original.bodies == [body]
    assert copied.connections == 0


async def test_what_a_worker_keeps_for_copies_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mirror, "MIRROR_HELD_BYTES_MAX", 10_000)
    async with mirrored(answering(OK)) as (running, original, _):
        async with connection(running.port) as (_, first), connection(running.port) as (_, second):
            for writer in (first, second):
                writer.write(request(POST, body=b"x" * 8000)[:-1])
            await until(lambda: len(original.heard) == 2)
            assert await Counted(running).reason() == "memory"
            assert 0 < running.worker.copies.held_bytes <= 10_000
        await until(lambda: is_at_rest(running))


async def test_a_request_that_breaks_off_is_not_copied() -> None:
    async with mirrored(answering(OK)) as (running, original, copied):
        async with connection(running.port) as (_, writer):
            writer.write(request(POST, body=b"x" * 100)[:-1])
            await until(lambda: original.heard)
        assert await Counted(running).reason() == "ended_early"
        assert is_at_rest(running)
    assert copied.connections == 0


async def test_a_request_that_is_refused_early_is_not_copied() -> None:
    async def refuses(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    async with mirrored(answering(OK), stable=refuses) as (running, _, copied):
        async with connection(running.port) as (reader, writer):
            writer.write(request(POST, body=b"x" * 100)[:-1])
            assert b"401" in await reader.readuntil(b"\r\n\r\n")
        assert await Counted(running).reason() == "ended_early"
    assert copied.connections == 0


async def test_an_original_that_is_never_sent_has_no_copy() -> None:
    async with upstream(answering(OK)) as copied, proxy(config("http://127.0.0.1:1", copied.url)) as running:
        assert status(await say(running.port, request(POST, body=b"x"))) == 502
        assert await Counted(running).reason() == "ended_early"
        assert is_at_rest(running)
    assert copied.connections == 0


async def test_an_upgrade_is_not_copied() -> None:
    async def switches(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nhi")
        await writer.drain()

    async with mirrored(answering(OK), stable=switches) as (running, _, copied):
        answer = await say(running.port, request("GET / HTTP/1.1", "Connection: upgrade", "Upgrade: echo", close=False))
        assert await Counted(running).reason() == "upgrade"
    assert (status(answer), body_of(answer)) == (101, b"hi")
    assert copied.connections == 0


async def test_a_retried_original_is_copied_once() -> None:
    answers = answering(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", OK)
    async with mirrored(answering(OK), stable=answers, route="retries: {on: [connect, 503], non_idempotent: true}") as (
        running,
        original,
        copied,
    ):
        assert status(await say(running.port, request(POST, body=b"x"))) == 200
        assert await Counted(running).outcome() == "200"
    assert (original.bodies, copied.bodies) == ([b"x", b"x"], [b"x"])


# Which sessions.


async def test_a_session_is_copied_wholly_or_not_at_all() -> None:
    async with mirrored(answering(OK), mirror="{lane: shadow, percent: 40}") as (running, original, copied):
        for turn in range(3):
            for number in range(12):
                await say(running.port, request(f"GET /{turn} HTTP/1.1", f"x-session-id: s{number}"))
        route = running.worker.table.routes[0]
        assert route.mirror is not None
        expected = {f"s{number}".encode() for number in range(12) if route.mirror.takes(f"s{number}".encode())}
        await until(lambda: len(copied.heard) == 3 * len(expected) and is_at_rest(running))
    assert 0 < len(expected) < 12, "the keys must show both"
    assert {field(head, "x-session-id") for head in copied.heard} == expected
    assert len(original.heard) == 36


async def test_a_session_that_the_body_names_is_copied_by_that() -> None:
    """The body is waited for then, and what was held of it goes to both."""
    half, by_body = "{lane: shadow, percent: 50}", "sticky: [body:/session, trace]"
    async with mirrored(answering(OK), mirror=half, route=by_body) as (running, original, copied):
        route = running.worker.table.routes[0]
        assert route.mirror is not None
        takes = route.mirror.takes
        bodies = [b'{"session": "s%d"}' % number for number in range(8)]
        for body in bodies:
            sent = request(POST, "Content-Type: application/json", body=body)
            await say(running.port, sent[:-9], sent[-9:], pause_s=0.01)
        expected = [body for number, body in enumerate(bodies) if takes(b"s%d" % number)]
        await until(lambda: len(copied.bodies) == len(expected) and is_at_rest(running))
    assert 0 < len(expected) < len(bodies)
    assert original.bodies == bodies
    assert copied.bodies == expected


async def test_who_is_on_the_shadow_lane_already_is_not_copied() -> None:
    async with mirrored(answering(OK), lane=", colors: [dark]") as (running, original, copied):
        await say(running.port, request("GET / HTTP/1.1", "x-traffic-color: dark"))
        await say(running.port, request("GET / HTTP/1.1"))
        await until(lambda: len(copied.heard) == 2 and is_at_rest(running))
    assert [field(head, "x-tracer-proxy-shadow") for head in copied.heard] == [None, b"1"]
    assert len(original.heard) == 1


async def test_the_copy_has_the_shadow_lanes_color_or_the_originals() -> None:
    async with mirrored(answering(OK), lane=", color: dark") as (running, original, copied):
        await say(running.port, request("GET / HTTP/1.1", "x-traffic-color: blue"))
        await until(lambda: copied.heard)
    assert field(copied.heard[0], "x-traffic-color") == b"dark"
    assert field(copied.heard[0], "baggage") == b"shadow=1,color=dark"
    assert field(original.heard[0], "baggage") == b"color=blue"
    async with mirrored(answering(OK)) as (running, _, copied):
        await say(running.port, request("GET / HTTP/1.1", "x-traffic-color: blue"))
        await until(lambda: copied.heard)
    assert field(copied.heard[0], "baggage") == b"shadow=1,color=blue"


# What is done for a copy's sake.


@pytest.mark.parametrize("mark", ["x-tracer-proxy-shadow: 1", "baggage: shadow=1"])
async def test_what_is_marked_stays_marked_and_is_not_copied_again(mark: str) -> None:
    async with mirrored(answering(OK), top=EXPORTED) as (running, original, copied):
        kept = Kept(running)
        await say(running.port, request(POST, mark, body=b"x"))
        record = await kept.one()
        assert not Counted(running).of(catalogue.MIRRORED)
    assert copied.connections == 0
    assert field(original.heard[0], "x-tracer-proxy-shadow") == b"1"
    assert field(original.heard[0], "baggage") == b"shadow=1"
    assert record.shadow == "marked"
    assert all(span.attributes["tracer_proxy.shadow"] is True for span in spans_of(record, SpanOptions()))


async def test_an_untrusted_senders_mark_is_removed() -> None:
    async with mirrored(answering(OK), top="trust: [10.9.0.0/16]") as (running, original, copied):
        await say(running.port, request(POST, "x-tracer-proxy-shadow: 1", "baggage: shadow=1", body=b"x"))
        await until(lambda: copied.heard)
    assert field(original.heard[0], "x-tracer-proxy-shadow") is None
    assert field(original.heard[0], "baggage") is None


async def test_the_mark_leaves_whatever_the_egress() -> None:
    async with mirrored(answering(OK), route="egress: none") as (running, _, copied):
        await say(running.port, request(POST, "baggage: a=1", body=b"x"))
        await until(lambda: copied.heard)
    assert field(copied.heard[0], "x-tracer-proxy-shadow") == b"1"
    assert field(copied.heard[0], "traceparent") is None
    assert field(copied.heard[0], "baggage") is None


async def test_the_color_of_marked_steps_is_not_remembered_for_the_trace() -> None:
    """They are in the original's trace, whose next step may bring no colour along."""
    trace = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    async with mirrored(answering(OK), lane=", colors: [dark]") as (running, original, _):
        await say(running.port, request(POST, trace, "x-traffic-color: dark", "x-tracer-proxy-shadow: 1", body=b"marked"))
        await say(running.port, request(POST, trace, body=b"next"))
        await until(lambda: original.bodies)
    assert original.bodies == [b"next"]
    assert field(original.heard[0], "x-traffic-color") is None


# What may become of a copy. The original is asked the same beside one without a mirror.


async def silent(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await endpoint.request(reader)
    await reader.read()


async def deaf(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    reader._transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(WAIT_S)


async def closing(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await endpoint.request(reader)


def sending(answer: bytes, *, then: str = "close") -> Handler:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(answer)
        await writer.drain()
        if then == "stall":
            await reader.read()

    return handle


async def endless(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await endpoint.request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % 2**30)
    for _ in range(2**10):
        writer.write(b"x" * 2**20)
        await writer.drain()


HALF = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
SHORT = "timeouts: {first_byte: 300ms, idle: 300ms}"
FAULTS: dict[str, tuple[Handler, str, str]] = {
    "closes": (closing, "", "upstream_closed"),
    "garbage": (sending(b"SSH-2.0-OpenSSH\r\n\r\n"), "", "upstream_broken"),
    "broken chunks": (sending(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "", "upstream_broken"),
    "switches": (sending(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n"), "", "upstream_broken"),
    "interim without end": (sending(b"HTTP/1.1 103 Early\r\n\r\n" * 20), "", "upstream_broken"),
    "breaks off": (sending(HALF), "", "upstream_closed"),
    "stalls": (sending(HALF, then="stall"), SHORT, "idle_timeout"),
    "black hole": (silent, SHORT, "first_byte_timeout"),
    "reads nothing": (deaf, SHORT, "first_byte_timeout"),
    "a gibibyte": (endless, "", "answer_too_large"),
    "an error": (sending(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), "", "500"),
    "early error": (sending(b"HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 429 Slow\r\n\r\nwait"), "", "429"),
    "surplus": (sending(OK + b"more"), "", "200"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_of_the_shadow_is_felt(fault: str) -> None:
    shadow, route, outcome = FAULTS[fault]
    body = b"x" * 1_000_000 if fault == "reads nothing" else b"hello"
    async with mirrored(shadow, route=route) as (running, original, _):
        answers = [await say(running.port, request(POST, body=body)) for _ in range(2)]
        assert await Counted(running).outcome() == outcome
        await until(lambda: is_at_rest(running))
        assert running.errors == {}
    assert [(status(answer), body_of(answer)) for answer in answers] == [(200, b"ok")] * 2
    assert original.bodies == [body] * 2


async def test_a_shadow_that_is_down_is_not_felt() -> None:
    async with upstream(answering(OK)) as original, proxy(config(original.url, "http://127.0.0.1:1")) as running:
        assert status(await say(running.port, request(POST, body=b"x"))) == 200
        assert await Counted(running).outcome() == "upstream_unreachable"
        assert is_at_rest(running)
        assert running.errors == {}


async def test_a_copy_has_its_time_in_all() -> None:
    async def drips(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    async with mirrored(drips, mirror="{lane: shadow, timeout: 300ms}") as (running, _, _):
        await say(running.port, request(POST, body=b"x"))
        assert await Counted(running).outcome() == "timeout"
        assert is_at_rest(running)


async def test_copies_under_way_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "MIRROR_COPIES_MAX", 2)
    async with mirrored(silent) as (running, _, copied):
        answers = [await say(running.port, request(POST, body=b"x")) for _ in range(5)]
        counted = Counted(running)
        assert await counted.reason() == "busy"
        assert counted.of(catalogue.NOT_MIRRORED) == {("busy",): 3}
        assert len(running.worker.copies.under_way) == 2
    assert [status(answer) for answer in answers] == [200] * 5
    assert copied.connections == 2


async def test_the_shadow_pools_limits_hold_for_copies() -> None:
    async with upstream(answering(OK)) as original, upstream(silent) as copied:
        text = config(original.url, copied.url).replace(f"['{copied.url}']", f"['{copied.url}'], limits: {{requests: 1}}")
        async with proxy(text) as running:
            answers = [await say(running.port, request(POST, body=b"x")) for _ in range(2)]
            assert await Counted(running).reason() == "pool_full"
            assert not Counted(running).of(catalogue.SHED).get(("pool_requests",))
    assert [status(answer) for answer in answers] == [200] * 2


async def test_a_shadow_that_fails_is_left_out_as_any_endpoint() -> None:
    async with upstream(answering(OK)) as original, upstream(closing) as bad, upstream(answering(OK)) as good:
        pool = f"['{bad.url}', '{good.url}'], ejection: {{failures: 2, max_ejected: 100}}"
        async with proxy(config(original.url, "http://x").replace("['http://x']", pool)) as running:
            for _ in range(12):
                await say(running.port, request(POST, body=b"x"))
                await until(lambda: is_at_rest(running))
    assert len(bad.heard) == 2
    assert len(good.heard) == 10


async def test_kept_connections_serve_copies() -> None:
    async with mirrored(answering(OK)) as (running, _, copied):
        for _ in range(3):
            await say(running.port, request(POST, body=b"x"))
            await until(lambda: is_at_rest(running))
    assert len(copied.bodies) == 3
    assert copied.connections == 1


async def test_a_shadow_that_is_waited_for_holds_up_nobody() -> None:
    """It answers when all originals are through, and not before."""
    are_through = asyncio.Event()

    async def waits(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        await are_through.wait()
        writer.write(OK)

    async with mirrored(waits) as (running, original, copied):
        for _ in range(20):
            assert status(await say(running.port, request(POST, body=b"x"))) == 200
        await until(lambda: len(copied.bodies) == 20)
        assert len(running.worker.copies.under_way) == len(original.bodies) == 20
        are_through.set()
        await until(lambda: is_at_rest(running))
        assert Counted(running).of(catalogue.MIRRORED) == {("200",): 20}


async def test_a_client_that_leaves_takes_no_copy_with_it() -> None:
    async with mirrored(sending(OK), stable=silent) as (running, original, _):
        async with connection(running.port) as (_, writer):
            writer.write(request(POST, body=b"x"))
            await until(lambda: original.bodies)
        assert await Counted(running).outcome() == "200"
        assert is_at_rest(running)


async def test_draining_does_not_wait_for_copies() -> None:
    async with mirrored(silent) as (running, _, copied):
        await say(running.port, request(POST, body=b"x"))
        await until(lambda: copied.bodies)
        began = time.monotonic()
        await running.worker.drain(WAIT_S)
        assert time.monotonic() - began < WAIT_S
        assert not running.worker.copies.under_way


async def test_a_bug_here_costs_the_copy_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("a bug")

    told: list[str] = []
    for place, name in ((copies.Copy, "begin"), (mirror.MirroredExchange, "_keep"), (copies.Copy, "_answer_begins")):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, fails)
            async with mirrored(answering(OK)) as (running, original, _):
                running.worker.loop.set_exception_handler(lambda _, context: told.append(context["message"]))
                head, body = request(POST, body=b"xy")[:-1], b"y"
                assert status(await say(running.port, head, body, pause_s=0.01)) == 200
                await until(lambda: told and is_at_rest(running))
                assert original.bodies == [b"xy"], name
                told.clear()


# What is counted and shown.


async def test_a_copy_is_counted_apart_and_compared() -> None:
    stable = answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    shadow = answering(b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nabcde", OK)
    async with mirrored(shadow, stable=stable, mirror="{lane: shadow, compare: true}") as (running, _, _):
        counted = Counted(running)
        for _ in range(2):
            await say(running.port, request(POST, body=b"x"))
            await until(lambda: is_at_rest(running))
        await until(lambda: sum(counted.of(catalogue.MIRROR_PAIRS).values()) == 2)
        assert counted.of(catalogue.MIRRORED) == {("404",): 1, ("200",): 1}
        assert counted.of(catalogue.MIRROR_PAIRS) == {("differs",): 1, ("same",): 1}
        assert counted.of(catalogue.MIRROR_DURATION) == {("original",): 2, ("copy",): 2}
        assert counted.of(catalogue.MIRROR_BYTES) == {("original",): 6, ("copy",): 7}
        assert not counted.of(catalogue.EXCHANGES), "the shadow lane has had no exchange"


async def test_a_pair_with_one_answer_is_no_comparison() -> None:
    async with mirrored(closing, mirror="{lane: shadow, compare: true}") as (running, _, _):
        counted = Counted(running)
        await say(running.port, request(POST, body=b"x"))
        await until(lambda: counted.of(catalogue.MIRROR_PAIRS))
        assert counted.of(catalogue.MIRROR_PAIRS) == {("unanswered",): 1}
        assert not counted.of(catalogue.MIRROR_DURATION)


async def test_answers_are_not_compared_unless_asked() -> None:
    async with mirrored(answering(OK)) as (running, _, _):
        await say(running.port, request(POST, body=b"x"))
        counted = Counted(running)
        assert await counted.outcome() == "200"
        assert not counted.of(catalogue.MIRROR_PAIRS)


async def test_a_copy_is_one_span_beside_the_originals() -> None:
    async with mirrored(answering(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), top=EXPORTED) as (running, _, copied):
        kept = Kept(running)
        await say(running.port, request(POST, body=b"x"))
        records = await kept.next(2)
    original, copy = sorted(records, key=lambda record: record.shadow)
    assert (original.shadow, copy.shadow) == ("", "copy")
    server, client = spans_of(original, SpanOptions())
    (span,) = spans_of(copy, SpanOptions())
    parent = field(copied.heard[0], "traceparent")
    assert parent is not None
    assert (span.kind, span.trace_id, span.parent_id) == (SpanKind.CLIENT, server.trace_id, server.span_id)
    assert span.span_id == parent.split(b"-")[2].decode() != client.span_id
    assert span.attributes["tracer_proxy.shadow"] is True
    assert span.attributes["tracer_proxy.lane"] == "shadow"
    assert span.attributes["http.response.status_code"] == 404
    assert "tracer_proxy.shadow" not in server.attributes
    assert "tracer_proxy.shadow" not in client.attributes


@pytest.mark.parametrize("is_copy_first", [True, False])
async def test_tokens_of_a_copy_are_its_own(is_copy_first: bool) -> None:
    """On a route to a model: never in ``gen_ai_client_token_usage``, by which people pay."""

    def saying(tokens: int) -> bytes:
        usage = {"prompt_tokens": 9, "completion_tokens": tokens, "total_tokens": 9 + tokens}
        message = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hi."}}
        body = json.dumps({"id": "c", "object": "chat.completion", "model": "m", "choices": [message], "usage": usage}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)

    copy_is_over = asyncio.Event()

    async def stable(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        if is_copy_first:
            await copy_is_over.wait()
        writer.write(saying(2))

    keys = {"mirror": "{lane: shadow, compare: true}", "route": "llm: {api: openai}"}
    async with mirrored(answering(saying(5)), stable=stable, **keys) as (running, _, copied):
        body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "Hello"}]}).encode()
        counted = Counted(running)
        async with connection(running.port) as (reader, writer):
            writer.write(request("POST /v1/chat/completions HTTP/1.1", body=body))
            if is_copy_first:
                await until(lambda: copied.bodies and is_at_rest(running))
                copy_is_over.set()
            assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        await until(lambda: counted.of(catalogue.MIRROR_PAIRS))
        assert counted.of(catalogue.MIRROR_TOKENS) == {
            ("original", "input"): 9,
            ("original", "output"): 2,
            ("copy", "input"): 9,
            ("copy", "output"): 5,
        }
        assert sum(counted.of(catalogue.TOKEN_USAGE).values()) == 2, "one input and one output: those of the original"
    assert copied.bodies == [body]


async def test_routes_without_a_mirror_know_nothing_of_it() -> None:
    async with (
        upstream(answering(OK)) as endpoint,
        proxy(one_route(endpoint.url)) as running,
        connection(running.port) as (_, writer),
    ):
        writer.write(request(POST, body=b"xy")[:-1])
        await until(lambda: endpoint.heard)
        (downstream,) = running.worker.downstreams
        assert type(downstream.exchange) is Exchange
