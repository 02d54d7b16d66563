"""tracestate: forwarded as received, cut by whole members (W3C Trace Context level 2, section 3.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy.context.trace import extract
from tracer_proxy.limits import TRACESTATE_BYTES_MAX, TRACESTATE_MEMBERS_MAX

TRACEPARENT = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def read(value: bytes) -> bytes:
    context = extract({b"traceparent": TRACEPARENT, b"tracestate": value})
    assert context is not None
    return context.tracestate


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"vendor=1", id="one member"),
        pytest.param(b"a=1,b=2, c=3 \t,\td=4", id="whitespace between members"),
        pytest.param(b"a=1, b=2", id="two header lines, joined in order"),
        pytest.param(b"a=1,,b=2,", id="empty members are legal"),
        pytest.param(b"a=1,a=2", id="a key twice"),
        pytest.param(b"a=1,Not A Key=2,b", id="members that a stricter reader refuses"),
        pytest.param(b"tenant@system=~!#$%^&*()[]{}<>?/|'\"`+:;", id="every kind of printable character"),
        pytest.param(b",".join(b"k%02d=1" % i for i in range(TRACESTATE_MEMBERS_MAX)), id="as many members as allowed"),
        pytest.param(b"a=1, b=" + b"x" * (TRACESTATE_BYTES_MAX - 7), id="as long as allowed"),
    ],
)
def test_within_the_limits_it_is_forwarded_byte_for_byte(value: bytes) -> None:
    assert read(value) == value


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b", ", id="two empty header lines"),
        pytest.param(b"a", id="nothing that could be a member"),
        pytest.param(b"a=1\r\nx-injected: 1", id="line break"),
        pytest.param(b"a=\x00", id="NUL"),
        pytest.param(b"a=\x7f", id="DEL"),
        pytest.param("a=é".encode(), id="not ASCII"),
    ],
)
def test_what_cannot_be_a_tracestate_is_dropped_and_the_trace_goes_on(value: bytes) -> None:
    assert read(value) == b""


def test_without_traceparent_it_is_dropped() -> None:
    fields = {b"tracestate": b"a=1", b"x-trace-id-ext": b"4bf92f3577b34da6a3ce929d0e0e4736"}
    context = extract(fields)
    assert context is not None
    assert context.tracestate == b""
    assert extract({b"tracestate": b"a=1"}) is None


def test_too_many_members_go_from_the_right() -> None:
    members = [b"k%02d=1" % i for i in range(TRACESTATE_MEMBERS_MAX + 3)]
    assert read(b",".join(members)) == b",".join(members[:TRACESTATE_MEMBERS_MAX])


def test_empty_members_do_not_push_out_others() -> None:
    assert read(b"a=1" + b"," * 40 + b"b=2") == b"a=1,b=2"


def test_empty_members_are_the_first_to_go_from_too_long_a_list() -> None:
    members = b"a=1,b=" + b"x" * (TRACESTATE_BYTES_MAX - 6)
    assert read(b"," + members) == members


def test_too_long_a_list_first_loses_members_over_128_characters() -> None:
    """The big member in the middle goes, although others stand further right."""
    small = [b"k%d=%b" % (i, b"v" * 90) for i in range(5)]
    big = b"big=" + b"x" * 125
    assert read(b",".join([small[0], big, *small[1:]])) == b",".join(small)


def test_of_several_long_members_the_left_most_stays_if_it_can() -> None:
    first, second = b"a=" + b"x" * 300, b"b=" + b"x" * 300
    assert read(first + b"," + second) == first


def test_a_member_of_128_characters_is_not_a_long_one() -> None:
    edge = b"edge=" + b"x" * 123
    small = [b"k%d=%b" % (i, b"v" * 93) for i in range(4)]
    assert len(edge) == 128
    assert read(b",".join([edge, *small])) == b",".join([edge, *small[:-1]])


def test_without_long_members_a_long_list_is_cut_from_the_right() -> None:
    members = [b"k%d=%b" % (i, b"v" * 97) for i in range(6)]
    assert read(b",".join(members)) == b",".join(members[:5])


def test_one_member_over_the_limit_is_never_cut_in_two() -> None:
    assert read(b"a=" + b"x" * TRACESTATE_BYTES_MAX) == b""


member = st.builds(
    lambda key, value: key + b"=" + value,
    st.text("abcdefghijklmnopqrstuvwxyz0123456789_-*/@", min_size=1, max_size=20).map(str.encode),
    st.integers(1, 200).map(lambda size: b"v" * size),
)


@given(st.lists(member, min_size=1, max_size=45))
def test_whatever_comes_out_is_within_the_limits_and_a_subsequence_of_whole_members(members: list[bytes]) -> None:
    kept = read(b",".join(members))
    assert len(kept) <= TRACESTATE_BYTES_MAX
    assert kept.count(b",") < TRACESTATE_MEMBERS_MAX
    remaining = iter(members)
    assert all(part in remaining for part in kept.split(b",") if part)
