"""Where a head ends: the same place and the same verdict, however its bytes are cut."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wire_cases import BROKEN, PLACES, cut, refusal, single_bytes

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import HEAD_BYTES_MAX
from tracer_proxy.wire.head_buffer import HeadBuffer

SMALL = 40
"""A bound that cuts can reach quickly."""


def outcome(
    pieces: list[bytes], kind: Kind = Kind.MALFORMED, bytes_max: int = HEAD_BYTES_MAX
) -> tuple[list[bytes], bytes | Kind]:
    """The heads, what is left of the last piece, or how it ended; a connection feeds on until its bytes are used up."""
    buffer = HeadBuffer(kind, bytes_max)
    heads = []
    try:
        for data in pieces:
            while data:
                found = buffer.feed(data)
                if found is None:
                    break
                heads.append(found[0])
                data = found[1]
    except ProxyError as error:
        return heads, refusal(error)
    return heads, bytes(buffer.partial)


def test_heads_come_out_one_by_one() -> None:
    assert outcome([b"A\r\nB: c\r\n\r\nD\r\n\r\nE"]) == ([b"A\r\nB: c", b"D"], b"E")


def test_rest_is_given_back_and_not_kept() -> None:
    buffer = HeadBuffer(Kind.MALFORMED)
    assert buffer.feed(b"A\r\n") is None
    assert buffer.feed(b"\r\n\x00body\r\n") == (b"A", b"\x00body\r\n")
    assert buffer.partial == b""
    assert buffer.feed(b"B\r\n\r\n") == (b"B", b"")


def test_one_empty_line_before_a_request_is_ignored_and_none_before_an_answer() -> None:
    """RFC 9112 2.2. More than one comes out as part of the head, whose first line is then empty."""
    for pieces in ([b"\r\nA\r\n\r\n"], single_bytes(b"\r\nA\r\n\r\n")):
        assert outcome(pieces) == ([b"A"], b"")
        assert outcome(pieces, BROKEN) == ([b"\r\nA"], b"")
    for pieces in ([b"\r\n\r\nA\r\n\r\n"], single_bytes(b"\r\n\r\nA\r\n\r\n")):
        assert outcome(pieces) == ([b"\r\nA"], b"")
        assert outcome(pieces, BROKEN) == ([b"", b"A"], b"")


def test_empty_line_may_stand_between_requests() -> None:
    raw = b"A\r\n\r\n\r\nB\r\n\r\nC\r\n\r\n"
    assert outcome([raw]) == outcome(single_bytes(raw)) == ([b"A", b"B", b"C"], b"")


@pytest.mark.parametrize("raw", [b"\n", b"A\n", b"A\rB", b"A\r\r", b"A\r\nB\n", b"\r\nA\n", b"A\r\n\n", b"A\r\n\rB", b"\rA"])
@pytest.mark.parametrize("kind", [Kind.MALFORMED, BROKEN])
def test_bare_line_ends_are_refused_without_waiting_for_more(raw: bytes, kind: Kind) -> None:
    """RFC 9112 2.2: nothing that may come can make such a head valid."""
    assert outcome([raw], kind) == outcome(single_bytes(raw), kind) == ([], kind)


@pytest.mark.parametrize("raw", [b"", b"A", b"A\r", b"A\r\n", b"A\r\nB\r", b"\r", b"\r\n", b"A\r\n\r", b"\x00\x16\x03"])
def test_unfinished_heads_are_waited_for(raw: bytes) -> None:
    """Their other bytes are looked at when they are read as lines."""
    assert outcome([raw]) == outcome(single_bytes(raw)) == ([], raw)


@pytest.mark.parametrize(
    ("kind", "told", "front"),
    [(Kind.MALFORMED, Kind.HEAD_TOO_LARGE, b""), (Kind.MALFORMED, Kind.HEAD_TOO_LARGE, b"\r\n"), (BROKEN, BROKEN, b"")],
)
def test_size_of_a_head_has_an_exact_bound(kind: Kind, told: Kind, front: bytes) -> None:
    """``bytes_max`` without the empty lines around it, whether it comes in one piece, in two or byte by byte."""
    fits = front + b"x" * SMALL + b"\r\n\r\n"
    for pieces in ([fits], single_bytes(fits), *([fits[:end], fits[end:]] for end in range(len(fits)))):
        assert outcome(pieces, kind, SMALL) == ([b"x" * SMALL], b"")
    large = front + b"x" * (SMALL + 1) + b"\r\n\r\n"
    for pieces in ([large], single_bytes(large), *([large[:end], large[end:]] for end in range(len(large)))):
        assert outcome(pieces, kind, SMALL) == ([], told)


def test_endless_head_is_refused_at_the_bound() -> None:
    """A few bytes beyond it at most, for some of what has come may be its end."""
    buffer = HeadBuffer(Kind.MALFORMED)
    for _ in range(HEAD_BYTES_MAX + 5):
        assert buffer.feed(b"x") is None
    with pytest.raises(ProxyError) as caught:
        buffer.feed(b"x")
    assert refusal(caught.value) is Kind.HEAD_TOO_LARGE


def test_large_body_behind_a_head_does_not_count() -> None:
    body = b"x" * (HEAD_BYTES_MAX * 2)
    assert HeadBuffer(Kind.MALFORMED).feed(b"A\r\n\r\n" + body) == (b"A", body)
    buffer = HeadBuffer(Kind.MALFORMED)
    buffer.feed(b"A")
    assert buffer.feed(b"\r\n\r\n" + body) == (b"A", body)


CRUMBS = st.sampled_from(
    [b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"A: b", b"x" * 30, b"\x00", b"GET / HTTP/1.1\r\nHost: t\r\n\r\n"]
)


def verdict(pieces: list[bytes], kind: Kind) -> object:
    """The heads that are well formed and how it went on, without the reason for a refusal.

    A bare line end is refused here when a cut lets it be seen early, and else by whoever reads the lines; and which of two
    faults of one head is named may hang on where it was cut.
    """
    heads, end = outcome(pieces, kind, SMALL)
    for number, head in enumerate(heads):
        if b"\r" in head.replace(b"\r\n", b"") or b"\n" in head.replace(b"\r\n", b""):
            return heads[:number], "refused"
    return heads, "refused" if isinstance(end, Kind) else end


@given(st.lists(CRUMBS, max_size=8).map(b"".join), PLACES, st.sampled_from([Kind.MALFORMED, BROKEN]))
@example(b"A\r\n\r\nB\r\n\r\n", [1, 2, 3, 4, 5], Kind.MALFORMED)
def test_cuts_change_nothing(raw: bytes, places: list[int], kind: Kind) -> None:
    """Valid and invalid heads alike: the same heads, and the same end."""
    assert verdict(cut(raw, places), kind) == verdict([raw], kind)
