"""Properties of the whole package: readers never raise, and what is written is read back the same."""

from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy.context.baggage import member, with_color
from tracer_proxy.context.color import inbound_color, is_color
from tracer_proxy.context.ids import is_external_id, is_span_id, is_trace_id
from tracer_proxy.context.inject import Injector
from tracer_proxy.context.names import TRACE_FIELDS
from tracer_proxy.context.trace import TraceContext, external_id, extract, sampling_hint


def ids(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size).filter(any).map(lambda raw: raw.hex().encode())


trace_ids, span_ids = ids(16), ids(8)

# Arbitrary bytes rarely come near a valid header: most of these are assembled from the right pieces, more or less.
pieces = st.sampled_from(
    [b"00", b"01", b"ff", b"1", b"d", b"4b" * 16, b"4b" * 8, b"0" * 32, b"0" * 16, b"4B" * 16, b"color=blue"]
)
near_misses = st.builds(
    lambda separator, parts: separator.join(parts),
    st.sampled_from([b"-", b", ", b",", b";"]),
    st.lists(pieces | st.binary(max_size=4), max_size=6),
)
any_fields = st.dictionaries(st.sampled_from(sorted(TRACE_FIELDS)), st.binary(max_size=80) | near_misses)


@given(any_fields)
def test_readers_never_raise_and_let_nothing_unchecked_through(fields: dict[bytes, bytes]) -> None:
    context = extract(fields)
    if context is not None:
        assert is_trace_id(context.trace_id)
        assert context.parent_id == b"" or is_span_id(context.parent_id)
        assert context.external_id == b"" or is_external_id(context.external_id)
        assert all(byte == 0x09 or 0x20 <= byte <= 0x7E for byte in context.tracestate)
        assert context.source not in {other.source for other in context.conflicts}
        assert not context.debug or context.sampled
    assert sampling_hint(fields) in (True, False, None)
    assert external_id(fields) == b"" or is_external_id(external_id(fields))
    color = inbound_color(fields)
    assert color == b"" or is_color(color)
    assert not set(with_color(fields.get(b"baggage", b""), color)) & set(b"\r\n\0")


contexts = st.builds(
    TraceContext,
    trace_id=trace_ids,
    parent_id=span_ids | st.just(b""),
    sampled=st.booleans() | st.none(),
    random=st.booleans(),
    source=st.just("new"),
    tracestate=st.sampled_from([b"", b"vendor=1", b"a=1, b=2"]),
    debug=st.booleans(),
)


def read_back(block: bytes) -> TraceContext | None:
    lines = [line.split(b": ", 1) for line in block.removesuffix(b"\r\n").split(b"\r\n")]
    fields = {name: value for name, value in lines}  # noqa: C416 - dict() of lists is no dict[bytes, bytes] to mypy
    assert len(fields) == len(lines), "a header was written twice"
    return extract(fields)


@given(contexts, span_ids, st.booleans())
def test_what_is_written_as_tracecontext_is_read_back(context: TraceContext, span_id: bytes, sampled: bool) -> None:
    received = read_back(Injector(("tracecontext", "baggage")).block(context, span_id, sampled))
    assert received == TraceContext(
        context.trace_id, span_id, sampled, context.random, "traceparent", tracestate=context.tracestate
    )


@given(contexts, span_ids, st.booleans(), st.sampled_from(["b3", "b3multi"]))
def test_what_is_written_as_b3_is_read_back(context: TraceContext, span_id: bytes, sampled: bool, form: str) -> None:
    received = read_back(Injector((form,)).block(context, span_id, sampled))
    assert received == TraceContext(context.trace_id, span_id, sampled, False, form, debug=context.debug and sampled)


@given(contexts, span_ids, st.booleans())
def test_all_formats_together_say_the_same(context: TraceContext, span_id: bytes, sampled: bool) -> None:
    received = read_back(Injector(("tracecontext", "b3", "b3multi")).block(context, span_id, sampled))
    assert received is not None
    assert received.conflicts == ()
    assert (received.trace_id, received.parent_id, received.sampled) == (context.trace_id, span_id, sampled)
    assert received.debug is (context.debug and sampled)


@given(contexts, span_ids)
def test_without_any_format_the_trace_id_still_arrives(context: TraceContext, span_id: bytes) -> None:
    received = read_back(Injector(()).block(context, span_id, True))
    assert received == TraceContext(context.trace_id, b"", None, False, "x-trace-id-ext")


@given(st.binary(max_size=200), st.sampled_from([b"", b"blue"]))
def test_with_color_takes_any_bytes(baggage: bytes, color: bytes) -> None:
    result = with_color(baggage, color)
    assert member(result, b"color") == (color or None)
    assert with_color(result, color) is result
