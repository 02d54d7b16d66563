"""Whatever trace headers come in, the upstream sees exactly one coherent set; other people's readers are the oracle."""

import random
import re
from typing import NamedTuple

import pytest
from harness import OK, Upstream, answering, field, one_route, proxy, request, say, upstream
from opentelemetry.baggage import get_all
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACE, OTHER, THIRD = "0af7651916cd43dd8448eb211c80319c", "4bf92f3577b34da6a3ce929d0e0e4736", "a" * 32
SPAN, SPAN_2 = "b7ad6b7169203331", "00f067aa0ba902b7"
SHORT = "8448eb211c80319c"
PARENT = f"traceparent: 00-{TRACE}-{SPAN}-01"
MULTI = (f"X-B3-TraceId: {OTHER}", f"X-B3-SpanId: {SPAN_2}", "X-B3-Sampled: 1", f"X-B3-ParentSpanId: {SPAN}")
NAMES = (
    *("traceparent", "tracestate", "baggage", "b3", "x-trace-id-ext", "x-traffic-color"),
    *("x-b3-traceid", "x-b3-spanid", "x-b3-parentspanid", "x-b3-sampled", "x-b3-flags"),
)
INJECTS = ("tracecontext, baggage", "b3", "b3multi", "tracecontext, baggage, b3, b3multi")


class Case(NamedTuple):
    headers: tuple[str, ...]
    trace: str | None
    """``None``: a new one."""
    sampled: bool = True
    tracestate: str | None = None


CASES = {
    "nothing": Case((), None),
    "traceparent": Case((PARENT,), TRACE),
    "traceparent, not sampled": Case((f"traceparent: 00-{TRACE}-{SPAN}-00",), TRACE, sampled=False),
    "traceparent, odd spelling and blanks": Case((f"TraceParent: \t00-{TRACE}-{SPAN}-01  ",), TRACE),
    "traceparent, flags of tomorrow": Case((f"traceparent: 00-{TRACE}-{SPAN}-ff",), TRACE),
    "traceparent, random flag": Case((f"traceparent: 00-{TRACE}-{SPAN}-02",), TRACE, sampled=False),
    "tracestate": Case((PARENT, "tracestate: a=1,b=2"), TRACE, tracestate="a=1,b=2"),
    "tracestate on two lines": Case((PARENT, "tracestate: a=1", "tracestate: b=2"), TRACE, tracestate="a=1, b=2"),
    "future version": Case((f"traceparent: cc-{TRACE}-{SPAN}-01",), TRACE),
    "future version with more": Case(
        (f"traceparent: cc-{TRACE}-{SPAN}-01-what-comes-later", "tracestate: a=1"), TRACE, True, "a=1"
    ),
    "future version with a bad end": Case((f"traceparent: cc-{TRACE}-{SPAN}-01.", "tracestate: a=1"), None),
    "version ff": Case((f"traceparent: ff-{TRACE}-{SPAN}-01",), None),
    "version 00 with more": Case((f"traceparent: 00-{TRACE}-{SPAN}-01-more",), None),
    "zero trace id": Case((f"traceparent: 00-{'0' * 32}-{SPAN}-01",), None),
    "zero span id": Case((f"traceparent: 00-{TRACE}-{'0' * 16}-01",), None),
    "capitals": Case((PARENT.replace(TRACE, TRACE.upper()),), None),
    "too short": Case((f"traceparent: 00-{TRACE[1:]}-{SPAN}-01",), None),
    "no hex": Case((f"traceparent: 00-{'g' * 32}-{SPAN}-01",), None),
    "empty": Case(("traceparent:", "tracestate:", "b3:", "x-trace-id-ext:"), None),
    "two traceparents": Case((PARENT, f"traceparent: 00-{OTHER}-{SPAN}-01"), None),
    "the same traceparent twice": Case((PARENT, PARENT), None),
    "tracestate alone": Case(("tracestate: a=1",), None),
    "b3": Case((f"b3: {TRACE}-{SPAN}-1-{SPAN_2}",), TRACE),
    "b3, no": Case((f"b3: {TRACE}-{SPAN}-0",), TRACE, sampled=False),
    "b3, debug": Case((f"b3: {TRACE}-{SPAN}-d",), TRACE),
    "b3, undecided": Case((f"B3: {TRACE}-{SPAN}",), TRACE),
    "b3 of 64 bits": Case((f"b3: {SHORT}-{SPAN}-1",), SHORT.rjust(32, "0")),
    "b3, zero": Case((f"b3: {'0' * 32}-{SPAN}-1",), None),
    "b3, broken": Case((f"b3: {TRACE}-{SPAN}-1-{SPAN_2}-more",), None),
    "b3 twice": Case((f"b3: {TRACE}-{SPAN}-1", f"b3: {TRACE}-{SPAN}-1"), None),
    "b3, only no": Case(("b3: 0",), None, sampled=False),
    "b3, only yes": Case(("b3: 1",), None),
    "multi": Case(MULTI, OTHER),
    "multi, no": Case((*MULTI[:2], "x-b3-sampled: 0"), OTHER, sampled=False),
    "multi, old spelling of no": Case((*MULTI[:2], "x-b3-sampled: false"), OTHER, sampled=False),
    "multi, debug": Case((*MULTI[:2], "x-b3-flags: 1"), OTHER),
    "multi of 64 bits": Case((f"x-b3-traceid: {SHORT}", MULTI[1]), SHORT.rjust(32, "0")),
    "multi without span": Case((MULTI[0], "x-b3-sampled: 0"), None, sampled=False),
    "multi, trace id twice": Case((MULTI[0], *MULTI), None),
    "multi, only no": Case(("x-b3-sampled: 0",), None, sampled=False),
    "ext": Case((f"x-trace-id-ext: {TRACE}",), TRACE),
    "ext in capitals": Case((f"X-Trace-Id-Ext: {TRACE.upper()}",), TRACE),
    "ext, no trace id": Case(("x-trace-id-ext: order-4711",), None),
    "ext with a decision": Case((f"x-trace-id-ext: {TRACE}", "b3: 0"), TRACE, sampled=False),
    "traceparent beats all": Case((f"b3: {OTHER}-{SPAN}-0", *MULTI, f"x-trace-id-ext: {THIRD}", PARENT), TRACE),
    "b3 beats multi and ext": Case((*MULTI, f"x-trace-id-ext: {THIRD}", f"b3: {TRACE}-{SPAN}-0"), TRACE, sampled=False),
    "multi beats ext": Case((f"x-trace-id-ext: {THIRD}", *MULTI), OTHER),
    "broken traceparent, b3 stands in": Case((f"traceparent: 00-{OTHER}", "tracestate: a=1", f"b3: {TRACE}-{SPAN}-1"), TRACE),
    "two traceparents, multi stands in": Case((PARENT, PARENT, *MULTI), OTHER),
    "zero b3 does not spoil a traceparent": Case((PARENT, f"b3: {'0' * 32}-{'0' * 16}-0"), TRACE),
    "broken b3, multi stands in": Case(("b3: nonsense", *MULTI), OTHER),
    "everything broken": Case(("traceparent: x", "b3: y", "x-b3-traceid: z", "x-trace-id-ext: a b", "tracestate: c"), None),
    "debug beside a traceparent": Case((PARENT, f"b3: {TRACE}-{SPAN}-d"), TRACE),
}


class Heard(NamedTuple):
    trace: str
    span: str
    sampled: bool


def read(propagator: TextMapPropagator, carrier: dict[str, str]) -> Heard:
    found = get_current_span(propagator.extract(carrier)).get_span_context()
    return Heard(f"{found.trace_id:032x}", f"{found.span_id:016x}", found.trace_flags.sampled)


def coherent(head: bytes, inject: str) -> Heard:
    """What the upstream is told; fails where two of its headers disagree, stand there twice, or were not to be written."""
    carrier = {name: value.decode() for name in NAMES if (value := field(head, name)) is not None}
    readers: list[TextMapPropagator] = []
    expected = {"x-trace-id-ext"}
    wanted = inject.split(", ")
    if "tracecontext" in wanted:
        readers.append(TraceContextTextMapPropagator())
        expected.add("traceparent")
    if "b3" in wanted:
        readers.append(B3SingleFormat())
        expected.add("b3")
    if "b3multi" in wanted:
        expected |= {"x-b3-traceid", "x-b3-spanid", "x-b3-flags" if "x-b3-flags" in carrier else "x-b3-sampled"}
    assert set(carrier) - {"tracestate", "baggage", "x-traffic-color"} == expected
    told = {read(reader, carrier) for reader in readers}
    if "b3multi" in wanted:
        # Either class of the package reads both forms, and prefers the single one.
        told.add(read(B3MultiFormat(), {name: value for name, value in carrier.items() if name != "b3"}))
    assert len(told) == 1, f"the headers contradict each other: {carrier}"
    heard = told.pop()
    assert carrier["x-trace-id-ext"] == heard.trace
    return heard


def tracing(endpoint: Upstream, settings: str) -> str:
    return one_route(endpoint.url, top=f"tracing: {{{settings}}}")


@pytest.mark.parametrize("inject", INJECTS)
async def test_one_coherent_set_whatever_came(inject: str) -> None:
    async with upstream(answering(OK)) as endpoint, proxy(tracing(endpoint, f"inject: [{inject}]")) as running:
        for name, case in CASES.items():
            answer = await say(running.port, request("GET / HTTP/1.1", *case.headers))
            check(name, case, answer, endpoint.heard[-1], inject)
    spans = [coherent(head, inject).span for head in endpoint.heard]
    assert len(set(spans)) == len(CASES), "every exchange has a span of its own"


def check(name: str, case: Case, answer: bytes, head: bytes, inject: str) -> None:
    heard = coherent(head, inject)
    came = " ".join(case.headers).lower()
    if case.trace is None:
        assert heard.trace not in came, name
    else:
        assert heard.trace == case.trace, name
    assert re.fullmatch("[0-9a-f]{16}", heard.span), name
    assert heard.span not in came, f"{name}: the parent of the next hop is this hop, not the one before"
    assert heard.sampled == case.sampled, name
    assert field(answer, "x-trace-id-ext") == heard.trace.encode(), name
    tracestate = case.tracestate if "tracecontext" in inject else None
    assert (field(head, "tracestate") or b"").decode() == (tracestate or ""), name


async def test_any_mixture_comes_out_coherent() -> None:
    """300 random heaps of the headers above, in random order and often doubled."""
    dice = random.Random(20)
    heap = sorted({header for case in CASES.values() for header in case.headers})
    inject = INJECTS[-1]
    async with upstream(answering(OK)) as endpoint, proxy(tracing(endpoint, f"inject: [{inject}]")) as running:
        for _ in range(300):
            headers = dice.choices(heap, k=dice.randrange(8))
            answer = await say(running.port, request("GET / HTTP/1.1", *headers))
            heard = coherent(endpoint.heard[-1], inject)
            assert field(answer, "x-trace-id-ext") == heard.trace.encode(), headers


async def test_debug_survives_a_hop_that_writes_both_formats() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(tracing(endpoint, f"inject: [{INJECTS[-1]}]")) as running:
        await say(running.port, request("GET / HTTP/1.1", PARENT, f"b3: {TRACE}-{SPAN}-d"))
    head = endpoint.heard[0]
    assert (field(head, "b3") or b"").endswith(b"-d")
    assert (field(head, "x-b3-flags"), field(head, "x-b3-sampled")) == (b"1", None)


@pytest.mark.parametrize(("share", "flag"), [("0", b"00"), ("1", b"01")])
async def test_the_sampler_decides_where_nobody_has(share: str, flag: bytes) -> None:
    """The two right-hand digits: a new trace is random as well, hence 2 and 3."""
    async with (
        upstream(answering(OK)) as endpoint,
        proxy(tracing(endpoint, f"sample: {share}")) as running,
    ):
        await say(running.port, request("GET / HTTP/1.1", f"b3: {TRACE}-{SPAN}"))
        await say(running.port, request("GET / HTTP/1.1", PARENT))
        await say(running.port, request())
    flags = [(field(head, "traceparent") or b"").rpartition(b"-")[2] for head in endpoint.heard]
    assert flags == [flag, b"01", b"%02x" % (int(flag) | 2)]


async def test_baggage_goes_on_as_it_came_and_other_readers_agree() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        await say(running.port, request("GET / HTTP/1.1", "baggage: a=1, b=%C3%A9;p=x", "Baggage: session.id=s"))
        await say(running.port, request("GET / HTTP/1.1", "baggage: a=1", "x-traffic-color: canary"))
    first, second = (field(head, "baggage") for head in endpoint.heard)
    assert first == b"a=1, b=%C3%A9;p=x, session.id=s"
    # The package takes properties for a part of the value.
    read_back = get_all(W3CBaggagePropagator().extract({"baggage": first.decode()}))
    assert read_back == {"a": "1", "b": "é;p=x", "session.id": "s"}
    assert second == b"color=canary,a=1"


EVERYTHING = (
    PARENT,
    "tracestate: a=1",
    f"b3: {OTHER}-{SPAN}-1",
    *MULTI,
    f"x-trace-id-ext: {THIRD}",
    "baggage: user=li,color=canary",
    "x-traffic-color: canary",
    "x-agent-id: planner",
    "X-Forwarded-For: 10.1.1.1",
    "x-theirs: 1",
)
TRACES = {"traceparent", "tracestate", "x-trace-id-ext"}
COLORS = {"baggage", "x-traffic-color"}
FORWARDED = {"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"}
OURS = {*NAMES, *FORWARDED, "x-agent-id"}


def ours(endpoint: Upstream) -> set[str]:
    return {name for name in OURS if field(endpoint.heard[0], name) is not None}


@pytest.mark.parametrize(
    ("route", "left"),
    [
        ("", TRACES | COLORS | FORWARDED | {"x-agent-id"}),
        ("egress: full", TRACES | COLORS | FORWARDED | {"x-agent-id"}),
        ("egress: trace", TRACES),
        ("egress: none", set()),
        ("llm: {api: openai}", set()),
        ("llm: {api: openai}\negress: trace", TRACES),
    ],
)
async def test_egress_decides_what_of_ours_leaves(route: str, left: set[str]) -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, route=route)) as running:
        answer = await say(running.port, request("GET / HTTP/1.1", *EVERYTHING))
    assert ours(endpoint) == left
    assert field(endpoint.heard[0], "x-theirs") == b"1"
    assert field(answer, "x-trace-id-ext") == TRACE.encode(), "the caller is told its trace, whatever the upstream sees"
    for secret in (b"planner", b"canary", b"10.1.1.1") if not left & COLORS else ():
        assert secret not in endpoint.heard[0]


async def test_an_untrusted_callers_headers_are_gone_whatever_the_egress() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, top="trust: [10.9.0.0/16]")) as running:
        await say(running.port, request("GET / HTTP/1.1", *EVERYTHING))
    head = endpoint.heard[0]
    heard = coherent(head, INJECTS[0])
    assert heard.trace not in (TRACE, OTHER, THIRD)
    assert ours(endpoint) == {"traceparent", "x-trace-id-ext", "x-agent-id"} | FORWARDED
