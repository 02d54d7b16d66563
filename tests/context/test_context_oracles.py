"""OpenTelemetry's propagators as referees: the same answer where they are right, and a test for each place where they are not.

A deviation test states both answers, so that it fails when the package changes its mind.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.baggage import get_all
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from tracer_proxy.context.baggage import member, with_color
from tracer_proxy.context.inject import Injector
from tracer_proxy.context.trace import TraceContext, extract, sampling_hint

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
OTHER = "0af7651916cd43dd8448eb211c80319c"
SPAN = "00f067aa0ba902b7"
IDS = f"{TRACE}-{SPAN}"

W3C, SINGLE, MULTI = TraceContextTextMapPropagator(), B3SingleFormat(), B3MultiFormat()


def theirs(propagator: TextMapPropagator, carrier: dict[str, str] | dict[str, list[str]]) -> trace.SpanContext:
    return trace.get_current_span(propagator.extract(carrier, context=Context())).get_span_context()


def ours(carrier: dict[str, str]) -> TraceContext | None:
    return extract({name.encode(): value.encode() for name, value in carrier.items()})


def agree(context: TraceContext | None, span: trace.SpanContext) -> bool:
    """The same trace, the same parent and the same decision, or nothing valid on either side."""
    if context is None:
        return not span.is_valid
    return (
        int(context.trace_id, 16) == span.trace_id
        and int(context.parent_id, 16) == span.span_id
        and context.sampled is span.trace_flags.sampled
    )


def written(propagator: TextMapPropagator, span: trace.SpanContext) -> dict[str, str]:
    """The headers that the package writes for a span context."""
    carrier: dict[str, str] = {}
    propagator.inject(carrier, trace.set_span_in_context(trace.NonRecordingSpan(span), Context()))
    return carrier


def fields_of(block: bytes) -> dict[str, str]:
    lines = (line.decode().partition(": ") for line in block.removesuffix(b"\r\n").split(b"\r\n"))
    return {name: value for name, _, value in lines}


span_contexts = st.builds(
    lambda trace_id, span_id, flags: trace.SpanContext(trace_id, span_id, True, trace.TraceFlags(flags)),
    st.integers(1, 2**128 - 1),
    st.integers(1, 2**64 - 1),
    st.integers(0, 3),
)
OURS = b"b9c7c989f97918e1"

versions = st.sampled_from(["00", "01", "cc", "fe", "ff", "0F", "0", "000", ""])
trace_ids = st.sampled_from([TRACE, OTHER, TRACE.upper(), TRACE[1:], TRACE + "0", "0" * 32, "0" * 31 + "1", "g" * 32])
span_ids = st.sampled_from([SPAN, SPAN.upper(), SPAN[1:], SPAN + "0", "0" * 16, "0" * 15 + "1", "z" * 16])
flags = st.sampled_from(["00", "01", "02", "03", "08", "ff", "0A", "1", "001", "xx"])
tails = st.sampled_from(["", "-", "-more", "-more-still", ".", "x"])


# traceparent


@given(versions, trace_ids, span_ids, flags, tails)
def test_traceparent_is_read_alike(version: str, trace_id: str, span_id: str, flag: str, tail: str) -> None:
    carrier = {"traceparent": f"{version}-{trace_id}-{span_id}-{flag}{tail}"}
    context, span = ours(carrier), theirs(W3C, carrier)
    assert agree(context, span)
    if context is not None:
        assert context.random is bool(span.trace_flags & trace.TraceFlags.RANDOM_TRACE_ID)


@given(span_contexts)
def test_traceparent_written_by_either_side_is_read_by_the_other(span: trace.SpanContext) -> None:
    context = ours(written(W3C, span))
    assert context is not None
    assert agree(context, span)
    back = theirs(W3C, fields_of(Injector(("tracecontext",)).block(context, OURS, bool(span.trace_flags.sampled))))
    assert (back.trace_id, back.span_id) == (span.trace_id, int(OURS, 16))
    assert back.trace_flags == span.trace_flags


def test_deviation_two_traceparents_are_invalid_not_the_first_one() -> None:
    """Which of two is the caller's cannot be known (W3C: restart the trace)."""
    values = [f"00-{IDS}-01", f"00-{OTHER}-{SPAN}-01"]
    assert theirs(W3C, {"traceparent": values}).is_valid
    assert ours({"traceparent": ", ".join(values)}) is None


def test_deviation_a_comma_in_a_later_version_is_a_second_header() -> None:
    carrier = {"traceparent": f"01-{IDS}-01-x, 01-{OTHER}-{SPAN}-01"}
    assert theirs(W3C, carrier).is_valid
    assert ours(carrier) is None


def test_deviation_a_trailing_newline_is_invalid() -> None:
    """In the package a ``$`` lets it pass."""
    carrier = {"traceparent": f"00-{IDS}-01\n"}
    assert theirs(W3C, carrier).is_valid
    assert ours(carrier) is None


def test_deviation_a_long_later_version_is_read() -> None:
    """The package stops at 512 characters; the limit on heads bounds ours."""
    carrier = {"traceparent": f"01-{IDS}-01-{'x' * 600}"}
    assert not theirs(W3C, carrier).is_valid
    context = ours(carrier)
    assert context is not None
    assert context.trace_id == TRACE.encode()


def test_deviation_unknown_flags_are_zero_on_output() -> None:
    """The package passes them on when no span is made between."""
    carrier = {"traceparent": f"00-{IDS}-ff"}
    assert written(W3C, theirs(W3C, carrier))["traceparent"].endswith("-ff")
    context = ours(carrier)
    assert context is not None
    block = Injector(("tracecontext",)).block(context, OURS, True)
    assert fields_of(block)["traceparent"].endswith("-03")


# tracestate

keys = st.from_regex(r"[a-z][a-z0-9_*/-]{0,8}", fullmatch=True)
values = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=",="), min_size=1, max_size=8)


@given(st.dictionaries(keys, values, min_size=1, max_size=20), st.sampled_from([",", ", ", " ,\t"]))
def test_a_valid_tracestate_passes_and_the_package_reads_the_same_members(members: dict[str, str], separator: str) -> None:
    state = separator.join(f"{key}={value}" for key, value in members.items())
    context = ours({"traceparent": f"00-{IDS}-01", "tracestate": state})
    assert context is not None
    received = fields_of(Injector(("tracecontext",)).block(context, OURS, True))
    assert list(theirs(W3C, received).trace_state.items()) == list(members.items())


@pytest.mark.parametrize(
    "state", ["a=1,a=2", "a=1,Bad=2", "a=1,b"], ids=["a key twice", "upper-case key", "a member without value"]
)
def test_deviation_one_bad_member_does_not_cost_the_whole_tracestate(state: str) -> None:
    """The other members belong to others, who would lose their trace for it."""
    carrier = {"traceparent": f"00-{IDS}-01", "tracestate": state}
    assert len(theirs(W3C, carrier).trace_state) == 0
    context = ours(carrier)
    assert context is not None
    assert context.tracestate == state.encode()


def test_deviation_33_members_are_cut_to_32_instead_of_dropped() -> None:
    members = [f"k{number}=1" for number in range(33)]
    carrier = {"traceparent": f"00-{IDS}-01", "tracestate": ",".join(members)}
    assert len(theirs(W3C, carrier).trace_state) == 0
    context = ours(carrier)
    assert context is not None
    assert context.tracestate == ",".join(members[:32]).encode()


# B3

lower_trace_ids = trace_ids.filter(lambda value: value == value.lower()) | st.sampled_from([TRACE[16:], "0" * 16, TRACE[17:]])
lower_span_ids = span_ids.filter(lambda value: value == value.lower())


@given(lower_trace_ids, lower_span_ids, st.sampled_from(["0", "1", "d"]), st.sampled_from([None, SPAN]))
def test_b3_single_is_read_alike(trace_id: str, span_id: str, state: str, parent: str | None) -> None:
    """With a sampling state and, for a valid trace, non-zero ids: there the package is right."""
    carrier = {"b3": "-".join(filter(None, (trace_id, span_id, state, parent)))}
    assert agree(ours(carrier), theirs(SINGLE, carrier))


@given(lower_trace_ids, lower_span_ids, st.sampled_from(["0", "1", "true"]), st.sampled_from([None, SPAN]))
def test_b3_multi_is_read_alike(trace_id: str, span_id: str, state: str, parent: str | None) -> None:
    carrier = {"x-b3-traceid": trace_id, "x-b3-spanid": span_id, "x-b3-sampled": state}
    if parent:
        carrier["x-b3-parentspanid"] = parent
    assert agree(ours(carrier), theirs(MULTI, carrier))


@given(span_contexts, st.sampled_from(["b3", "b3multi"]))
def test_b3_written_by_either_side_is_read_by_the_other(span: trace.SpanContext, form: str) -> None:
    propagator = SINGLE if form == "b3" else MULTI
    context = ours(written(propagator, span))
    assert context is not None
    assert agree(context, span)
    back = theirs(propagator, fields_of(Injector((form,)).block(context, OURS, bool(context.sampled))))
    assert (back.trace_id, back.span_id) == (span.trace_id, int(OURS, 16))
    assert back.trace_flags.sampled == span.trace_flags.sampled


@pytest.mark.parametrize(
    ("propagator", "carrier", "their_answer"),
    [(MULTI, {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN}, False), (SINGLE, {"b3": IDS}, True)],
    ids=["multi", "single"],
)
def test_deviation_defer_is_no_decision(propagator: TextMapPropagator, carrier: dict[str, str], their_answer: bool) -> None:
    """The package turns the same statement into no in one format and into yes in the other."""
    assert theirs(propagator, carrier).trace_flags.sampled is their_answer
    context = ours(carrier)
    assert context is not None
    assert context.sampled is None


def test_deviation_a_lone_deny_is_honoured() -> None:
    """The package leaves the context as it was, and a new trace would be sampled."""
    assert not theirs(SINGLE, {"b3": "0"}).is_valid
    assert ours({"b3": "0"}) is None
    assert sampling_hint({b"b3": b"0"}) is False


def test_deviation_debug_survives() -> None:
    """The package reads it as sampled and forgets that it was debug."""
    carrier = {"x-b3-traceid": TRACE, "x-b3-spanid": SPAN, "x-b3-flags": "1"}
    span = theirs(MULTI, carrier)
    assert span.trace_flags.sampled
    assert "x-b3-flags" not in written(MULTI, span)
    context = ours(carrier)
    assert context is not None
    sent = fields_of(Injector(("b3", "b3multi")).block(context, OURS, True))
    assert (sent["x-b3-flags"], sent["b3"][-2:]) == ("1", "-d")


def test_a_64_bit_trace_id_is_padded_alike() -> None:
    carrier = {"b3": f"{TRACE[16:]}-{SPAN}-1"}
    context = ours(carrier)
    assert agree(context, theirs(SINGLE, carrier))
    assert written(SINGLE, theirs(SINGLE, carrier))["b3"].startswith("0" * 16 + TRACE[16:])
    assert context is not None
    assert context.trace_id == ("0" * 16 + TRACE[16:]).encode()


def test_deviation_a_conflict_between_single_and_multi_is_recorded() -> None:
    """Both let ``b3`` win; the package says nothing about it."""
    carrier = {"b3": f"{IDS}-1", "x-b3-traceid": OTHER, "x-b3-spanid": SPAN, "x-b3-sampled": "1"}
    context = ours(carrier)
    assert agree(context, theirs(SINGLE, carrier))
    assert context is not None
    assert [other.source for other in context.conflicts] == ["b3multi"]


@pytest.mark.parametrize("value", [f"{IDS}-1-{SPAN}-1", "junk", f"{IDS}-1-{SPAN}-", f"{TRACE}", "-", "--"])
def test_malformed_b3_is_ignored_alike(value: str) -> None:
    assert ours({"b3": value}) is None
    assert not theirs(SINGLE, {"b3": value}).is_valid


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(f"{IDS.upper()}-1", id="upper-case hex"),
        pytest.param(f"{IDS}-yes", id="unknown state"),
        pytest.param(f"{IDS}-1-junk", id="parent that is no id"),
    ],
)
def test_deviation_b3_that_breaks_its_specification_is_ignored(value: str) -> None:
    """B3 asks for lower-case hex and for one of three states."""
    assert theirs(SINGLE, {"b3": value}).is_valid
    assert ours({"b3": value}) is None


@pytest.mark.parametrize("order", [(W3C, SINGLE), (SINGLE, W3C)], ids=["w3c, b3", "b3, w3c"])
def test_deviation_precedence_is_fixed(order: tuple[TextMapPropagator, ...]) -> None:
    """In the package the last propagator of the list wins, whichever that is."""
    carrier = {"traceparent": f"00-{IDS}-01", "b3": f"{OTHER}-{SPAN}-1"}
    winner = TRACE if order[-1] is W3C else OTHER
    assert trace.format_trace_id(theirs(CompositePropagator(order), carrier).trace_id) == winner
    context = ours(carrier)
    assert context is not None
    assert (context.trace_id, [other.source for other in context.conflicts]) == (TRACE.encode(), ["b3"])


def test_deviation_an_invalid_b3_never_overrides_a_valid_traceparent() -> None:
    carrier = {"traceparent": f"00-{IDS}-01", "b3": f"{'0' * 32}-{SPAN}-1"}
    assert not theirs(CompositePropagator([W3C, SINGLE]), carrier).is_valid
    context = ours(carrier)
    assert context is not None
    assert (context.trace_id, context.conflicts) == (TRACE.encode(), ())


def test_names_in_original_case_are_found_by_neither() -> None:
    """Why ``fields`` has lower-case names: a plain dict with the caller's spelling loses the trace."""
    carrier = {"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN, "X-B3-Sampled": "1"}
    assert not theirs(MULTI, carrier).is_valid
    assert ours(carrier) is None
    assert ours({name.lower(): value for name, value in carrier.items()}) is not None


def test_deviation_a_block_replaces_every_format_instead_of_adding_to_them() -> None:
    """The package leaves stale headers in the carrier; ours holds a whole set, and ``TRACE_FIELDS`` says what goes first."""
    stale = {"b3": f"{OTHER}-{SPAN}-1", "x-b3-parentspanid": SPAN, "x-b3-flags": "1"}
    carrier = dict(stale)
    span = theirs(W3C, {"traceparent": f"00-{IDS}-01"})
    MULTI.inject(carrier, trace.set_span_in_context(trace.NonRecordingSpan(span), Context()))
    assert stale.items() <= carrier.items()
    context = ours(stale | {"traceparent": f"00-{IDS}-01"})
    assert context is not None
    sent = Injector(("tracecontext", "b3", "b3multi")).block(context, OURS, True)
    assert OTHER.encode() not in sent
    assert SPAN.encode() not in sent
    assert b"x-b3-flags" not in sent


# baggage


def their_baggage(value: str) -> dict[str, object]:
    return dict(get_all(W3CBaggagePropagator().extract({"baggage": value}, context=Context())))


baggage_keys = st.from_regex(r"[a-zA-Z][a-zA-Z0-9._-]{0,8}", fullmatch=True)
baggage_values = st.from_regex(r"([!#-$&-*\--:<-\[\]-~]|%[2-7][0-9]){0,10}", fullmatch=True)


@given(st.dictionaries(baggage_keys, baggage_values, max_size=8), st.sampled_from(["", "blue"]))
def test_valid_baggage_is_read_alike_before_and_after_colouring(members: dict[str, str], color: str) -> None:
    """Values without whitespace at the ends, which the package strips even when it is percent-encoded."""
    members = {key: value.removeprefix("%20").removesuffix("%20") for key, value in members.items()}
    value = ",".join(f"{key}={value}" for key, value in members.items())
    expected = their_baggage(value)
    for key, decoded in expected.items():
        assert str(decoded) == (member(value.encode(), key.encode()) or b"").decode().strip()
    expected.pop("color", None)
    colored = their_baggage(with_color(value.encode(), color.encode()).decode())
    assert colored == (expected | {"color": color} if color else expected)


def test_deviation_a_plus_is_a_plus() -> None:
    """W3C Baggage percent-encodes; ``+`` for a space belongs to HTML forms."""
    assert their_baggage("a=1+2") == {"a": "1 2"}
    assert member(b"a=1+2", b"a") == b"1+2"


def test_deviation_the_first_of_two_members_counts() -> None:
    """The same order of precedence as for colours and session keys in headers."""
    assert their_baggage("a=1,a=2") == {"a": "2"}
    assert member(b"a=1,a=2", b"a") == b"1"


def test_deviation_properties_are_no_part_of_the_value() -> None:
    assert their_baggage("a=1;ttl=5") == {"a": "1;ttl=5"}
    assert member(b"a=1;ttl=5", b"a") == b"1"


def test_deviation_over_64_members_are_cut() -> None:
    """The package allows 180, W3C promises delivery for 64."""
    value = ",".join(f"k{number}=1" for number in range(70))
    assert len(their_baggage(value)) == 70
    assert with_color(value.encode(), b"").count(b"=") == 64
