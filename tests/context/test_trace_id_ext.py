"""x-trace-id-ext: a trace id when it is one, an opaque id of the caller's own otherwise, ignored when invalid."""

import string

import pytest

from tracer_proxy.context.ids import is_external_id
from tracer_proxy.context.trace import TraceContext, external_id, extract

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = b"00f067aa0ba902b7"
TRACEPARENT = b"00-" + TRACE + b"-" + SPAN + b"-01"
OTHER = b"0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("value", [TRACE, TRACE.upper()])
def test_32_hex_digits_become_the_trace_id(value: bytes) -> None:
    """Nobody decided on sampling, nobody vouches for randomness, and there is no parent."""
    assert extract({b"x-trace-id-ext": value}) == TraceContext(TRACE, b"", None, False, "x-trace-id-ext")


@pytest.mark.parametrize("deny", [{b"b3": b"0"}, {b"x-b3-sampled": b"0"}])
def test_a_b3_deny_without_ids_holds_for_it(deny: dict[bytes, bytes]) -> None:
    context = extract({b"x-trace-id-ext": TRACE} | deny)
    assert context is not None
    assert context.sampled is False


OPAQUE = [
    b"a",
    b"order-4711",
    b"4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
    SPAN,
    TRACE + b"0",
    b"g" * 32,
    (string.ascii_letters + string.digits + "._~:/+@=-").encode(),
    b"x" * 128,
]


@pytest.mark.parametrize("value", OPAQUE)
def test_an_opaque_id_is_recorded_but_names_no_trace(value: bytes) -> None:
    fields = {b"x-trace-id-ext": value}
    assert extract(fields) is None
    assert external_id(fields) == value
    context = extract(fields | {b"traceparent": TRACEPARENT})
    assert context == TraceContext(TRACE, SPAN, True, False, "traceparent", external_id=value)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"x" * 129,
        b"a b",
        b"a,b",
        b"one, two",
        TRACE + b", " + TRACE,
        b"a\tb",
        b"a\r\nset-cookie: x",
        b"a\x00",
        b"<script>",
        b"a%0d",
        b'"a"',
        b"a\\b",
        "é".encode(),
        b"0" * 32,
    ],
)
def test_an_invalid_id_is_ignored(value: bytes) -> None:
    fields = {b"x-trace-id-ext": value}
    assert extract(fields) is None
    assert external_id(fields) == b""
    assert not is_external_id(value)
    assert extract(fields | {b"traceparent": TRACEPARENT}) == TraceContext(TRACE, SPAN, True, False, "traceparent")


def test_a_trace_id_is_not_recorded_as_the_callers_own_id() -> None:
    context = extract({b"traceparent": TRACEPARENT, b"x-trace-id-ext": OTHER})
    assert context is not None
    assert (context.external_id, [other.source for other in context.conflicts]) == (b"", ["x-trace-id-ext"])
    assert external_id({b"x-trace-id-ext": TRACE}) == b""


def test_what_another_proxy_of_the_chain_wrote_adds_nothing() -> None:
    assert extract({b"traceparent": TRACEPARENT, b"x-trace-id-ext": TRACE}) == extract({b"traceparent": TRACEPARENT})
