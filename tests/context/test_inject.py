"""The one coherent set of headers that leaves, format by format."""

import pytest

from tracer_proxy.context.inject import Injector
from tracer_proxy.context.names import TRACE_FIELDS
from tracer_proxy.context.trace import TraceContext, extract

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = b"00f067aa0ba902b7"
OURS = b"b9c7c989f97918e1"


def context(*, sampled: bool | None = True, random: bool = False, tracestate: bytes = b"", debug: bool = False) -> TraceContext:
    return TraceContext(TRACE, CALLER, sampled, random, "traceparent", tracestate=tracestate, debug=debug)


def lines(block: bytes) -> list[bytes]:
    """The header lines of a block, which must all be complete."""
    assert block.endswith(b"\r\n")
    return block[:-2].split(b"\r\n")


EXT = b"x-trace-id-ext: " + TRACE
PARENT = b"traceparent: 00-" + TRACE + b"-" + OURS
B3 = b"b3: " + TRACE + b"-" + OURS
MULTI = [b"x-b3-traceid: " + TRACE, b"x-b3-spanid: " + OURS]


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ((), [EXT]),
        (("baggage",), [EXT]),
        (("tracecontext",), [EXT, PARENT + b"-01"]),
        (("b3",), [EXT, B3 + b"-1"]),
        (("b3multi",), [EXT, *MULTI, b"x-b3-sampled: 1"]),
        (
            ("b3multi", "b3", "baggage", "tracecontext"),
            [EXT, PARENT + b"-01", B3 + b"-1", *MULTI, b"x-b3-sampled: 1"],
        ),
    ],
)
def test_each_format_writes_its_headers_and_the_trace_id_is_always_there(
    formats: tuple[str, ...], expected: list[bytes]
) -> None:
    """Our span is the parent of the next hop; the caller's span and a B3 parent are never written."""
    assert lines(Injector(formats).block(context(), OURS, True)) == expected


@pytest.mark.parametrize(
    ("sampled", "random", "flags"),
    [(False, False, b"-00"), (True, False, b"-01"), (False, True, b"-02"), (True, True, b"-03")],
)
def test_flags_hold_the_decision_made_here_and_the_random_bit_as_it_came(sampled: bool, random: bool, flags: bytes) -> None:
    block = Injector(("tracecontext",)).block(context(sampled=not sampled, random=random), OURS, sampled)
    assert lines(block) == [EXT, PARENT + flags]


def test_unknown_flag_bits_are_cleared_and_a_later_version_comes_out_as_00() -> None:
    received = extract({b"traceparent": b"cc-" + TRACE + b"-" + CALLER + b"-ff-more"})
    assert received is not None
    assert lines(Injector(("tracecontext",)).block(received, OURS, True)) == [EXT, PARENT + b"-03"]


def test_tracestate_goes_out_byte_for_byte_beside_traceparent_only() -> None:
    state = b"vendor=1, other=2,,"
    with_state = context(tracestate=state)
    assert lines(Injector(("tracecontext",)).block(with_state, OURS, True))[-1] == b"tracestate: " + state
    assert lines(Injector(("b3",)).block(with_state, OURS, True)) == [EXT, B3 + b"-1"]


@pytest.mark.parametrize(
    ("sampled", "debug", "single", "multi"),
    [
        (True, False, b"-1", b"x-b3-sampled: 1"),
        (False, False, b"-0", b"x-b3-sampled: 0"),
        (True, True, b"-d", b"x-b3-flags: 1"),
        (False, True, b"-0", b"x-b3-sampled: 0"),
    ],
)
def test_b3_keeps_debug_as_long_as_the_trace_is_sampled(sampled: bool, debug: bool, single: bytes, multi: bytes) -> None:
    """Debug implies sampled, so B3 sends one or the other, and never debug for a trace that is not sampled here."""
    block = Injector(("b3", "b3multi")).block(context(debug=debug), OURS, sampled)
    assert lines(block) == [EXT, B3 + single, *MULTI, multi]


@pytest.mark.parametrize(
    ("formats", "writes"), [((), False), (("tracecontext", "b3"), False), (("tracecontext", "baggage"), True)]
)
def test_the_caller_learns_whether_to_write_baggage(formats: tuple[str, ...], writes: bool) -> None:
    assert Injector(formats).writes_baggage is writes


def test_an_unknown_format_is_refused_with_the_list_of_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown trace format 'jaeger' to inject; use some of tracecontext, baggage, b3"):
        Injector(("tracecontext", "jaeger"))


def test_everything_written_is_removed_first_on_the_way_in() -> None:
    """A header that is written but not removed would arrive twice downstream."""
    injector = Injector(("tracecontext", "baggage", "b3", "b3multi"))
    blocks = [injector.block(context(tracestate=b"a=1", debug=debug), OURS, True) for debug in (False, True)]
    written = {line.partition(b":")[0] for block in blocks for line in lines(block)}
    assert written < TRACE_FIELDS
    assert TRACE_FIELDS - written == {b"baggage", b"x-b3-parentspanid", b"x-traffic-color"}
