"""Several formats in one request: the first valid one wins, and what disagrees with it is recorded."""

import itertools

import pytest

from tracer_proxy.context.trace import TraceContext, extract, new_trace

SPAN = b"00f067aa0ba902b7"


def trace(digit: bytes) -> bytes:
    return digit * 32


FORMATS: dict[str, dict[bytes, bytes]] = {
    "traceparent": {b"traceparent": b"00-" + trace(b"1") + b"-" + SPAN + b"-01"},
    "b3": {b"b3": trace(b"2") + b"-" + SPAN + b"-1"},
    "b3multi": {b"x-b3-traceid": trace(b"3"), b"x-b3-spanid": SPAN, b"x-b3-sampled": b"1"},
    "x-trace-id-ext": {b"x-trace-id-ext": trace(b"4")},
}
INVALID: dict[str, dict[bytes, bytes]] = {
    "traceparent": {b"traceparent": b"00-" + trace(b"0") + b"-" + SPAN + b"-01", b"tracestate": b"a=1"},
    "b3": {b"b3": trace(b"0") + b"-" + SPAN + b"-1"},
    "b3multi": {b"x-b3-traceid": trace(b"0"), b"x-b3-spanid": SPAN},
    "x-trace-id-ext": {b"x-trace-id-ext": b"not an id"},
}
SUBSETS = [names for size in range(1, 5) for names in itertools.combinations(FORMATS, size)]


@pytest.mark.parametrize("names", SUBSETS, ids="+".join)
def test_the_first_valid_format_wins_and_the_others_are_conflicts(names: tuple[str, ...]) -> None:
    """All fifteen combinations, with every format that is left out present but invalid."""
    fields: dict[bytes, bytes] = {}
    for name in reversed(FORMATS):  # the order of the headers does not matter
        fields |= FORMATS[name] if name in names else INVALID[name]
    alone = extract(FORMATS[names[0]])
    assert alone is not None
    context = extract(fields)
    assert context is not None
    assert tuple(other.source for other in context.conflicts) == names[1:]
    context.conflicts = ()
    assert context == alone


def test_nothing_valid_is_no_context() -> None:
    fields = {name: value for fields in INVALID.values() for name, value in fields.items()}
    assert extract(fields) is None
    assert extract({}) is None
    assert extract({b"host": b"example.org", b"x-request-id": trace(b"1")}) is None


def test_formats_that_agree_are_no_conflict() -> None:
    fields = {
        b"traceparent": b"00-" + trace(b"1") + b"-" + SPAN + b"-03",
        b"b3": trace(b"1") + b"-" + SPAN + b"-1",
        b"x-b3-traceid": trace(b"1"),
        b"x-b3-spanid": SPAN,
        b"x-trace-id-ext": trace(b"1"),
    }
    assert extract(fields) == TraceContext(trace(b"1"), SPAN, True, True, "traceparent")


def test_the_same_trace_is_told_by_the_right_most_64_bits() -> None:
    """A 64-bit peer in the chain keeps only the right half of the id."""
    traceparent = b"00-" + b"a" * 16 + b"b" * 16 + b"-" + SPAN + b"-01"
    same, other = b"b" * 16 + b"-" + SPAN, b"a" * 16 + b"-" + SPAN
    assert conflicts({b"traceparent": traceparent, b"b3": same}) == ()
    assert conflicts({b"traceparent": traceparent, b"b3": other}) == ("b3",)


def conflicts(fields: dict[bytes, bytes]) -> tuple[str, ...]:
    context = extract(fields)
    assert context is not None
    return tuple(other.source for other in context.conflicts)


def test_a_lone_b3_deny_does_not_change_a_valid_traceparent() -> None:
    """The first valid format carries its own decision."""
    context = extract(FORMATS["traceparent"] | {b"b3": b"0"})
    assert context == extract(FORMATS["traceparent"])


@pytest.mark.parametrize(
    ("flags", "b3", "debug"),
    [
        (b"01", trace(b"1") + b"-" + SPAN + b"-d", True),
        (b"00", trace(b"1") + b"-" + SPAN + b"-d", False),
        (b"01", trace(b"1") + b"-" + SPAN + b"-1", False),
        (b"01", trace(b"2") + b"-" + SPAN + b"-d", False),
    ],
    ids=["kept", "traceparent says not sampled", "no debug", "another trace"],
)
def test_debug_of_the_same_sampled_trace_is_kept_beside_a_traceparent(flags: bytes, b3: bytes, debug: bool) -> None:
    """Otherwise a hop that writes both formats would lose it: traceparent has no debug flag."""
    context = extract({b"traceparent": b"00-" + trace(b"1") + b"-" + SPAN + b"-" + flags, b"b3": b3})
    assert context is not None
    assert (context.source, context.debug, context.sampled) == ("traceparent", debug, flags == b"01")


def test_a_new_trace_is_random_and_has_no_parent() -> None:
    assert new_trace(trace(b"5")) == TraceContext(trace(b"5"), b"", None, True, "new")
    assert new_trace(trace(b"5"), sampled=False).sampled is False
    assert new_trace(trace(b"5"), external_id=b"order-7").external_id == b"order-7"
