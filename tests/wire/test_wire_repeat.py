"""Heads that come again: what is taken out of them, and that nothing gets lost or mistaken on the way."""

from itertools import chain, zip_longest

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_cases import request_reader

from tracer_proxy.errors import ProxyError
from tracer_proxy.wire.repeat import Repeats, Rest, answer_layout, names_in, request_layout
from tracer_proxy.wire.request import read_request

HEAD = b"POST / HTTP/1.1\r\nHost: t\r\n"
REPEATS = Repeats((b"content-length", b"traceparent", b"x-watched"))


def put_together(rest: Rest, values: list[bytes]) -> bytes:
    """The head again: text, line start, value, and so on."""
    texts, starts = rest[::2], rest[1::2]
    return b"".join(chain.from_iterable(zip_longest(texts, starts, values, fillvalue=b"")))


def test_values_are_taken_out_in_their_order() -> None:
    raw = HEAD + b"traceparent: 00-a-b-01\r\nX: y\r\nContent-Length: 15\r\nA: b"
    rest, values = REPEATS.take_apart(raw)
    assert values == [b"00-a-b-01", b"15"]
    assert names_in(rest) == [b"traceparent", b"content-length"]
    assert rest == REPEATS.take_apart(HEAD + b"traceparent: z\r\nX: y\r\nContent-Length: 0\r\nA: b")[0]


@pytest.mark.parametrize(
    "other",
    [
        *(
            b"X: y",
            b"Content-Length: 5\r\nX: y",
            b"Content-Length:  5",
            b"Content-Length:5",
            b"Content-Length: 5 ",
            b"Content-Length: 5 5",
        ),
        *(
            b"content-length: 5",
            b"Content-Length: ",
            b"Content-Length: \x005",
            b"Content-Length: 5\x00",
            b"Content-Length: 5\xb2",
        ),
        *(b"Content-Length: 5\r", b"Content-Length: 5\n", b"Content-Length: 5\r\n", b"Content-Length: 5\r\nContent-Length: 5"),
        *(b"X-Content-Length: 5", b" Content-Length: 5", b"Content-Length : 5", b"Traceparent: 5"),
    ],
)
def test_whatever_else_differs_makes_another_head(other: bytes) -> None:
    assert REPEATS.take_apart(HEAD + other)[0] != REPEATS.take_apart(HEAD + b"Content-Length: 5")[0]


VALUES = st.sampled_from(
    [b"", b"0", b"5", b"005", b"5 ", b" 5", b"x", b"5,5", b"\xb2", b"5\r\nContent-Length: 6", b"\x00", b"5\n6"]
)
NAMES = st.sampled_from(
    [b"Content-Length: ", b"content-length: ", b"Content-length: ", b"traceparent: ", b"traceparent:", b"X: ", b"X : "]
)
LINES = st.lists(st.tuples(NAMES, VALUES, VALUES), max_size=5)
FIRST = st.sampled_from([b"POST / HTTP/1.1", b"GET / HTTP/1.0", b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked"])


@given(LINES, FIRST)
def test_a_head_taken_apart_can_be_put_together(lines: list[tuple[bytes, bytes, bytes]], first: bytes) -> None:
    """Nothing is dropped or changed, valid head or not; and a value holds nothing that could be taken for more."""
    raw = b"\r\n".join((first, b"Host: t", *(name + value for name, value, _ in lines)))
    rest, values = REPEATS.take_apart(raw)
    assert put_together(rest, values) == raw
    assert len(names_in(rest)) == len(values)
    assert all(0x21 <= byte <= 0x7E for value in values for byte in value)


@given(LINES, FIRST)
def test_same_rest_means_the_same(lines: list[tuple[bytes, bytes, bytes]], first: bytes) -> None:
    """Two heads with one rest, the first of which reads each name once and to the value taken out of it.

    So does the second, if only its length is one, and all else is equal. A difference would be a smuggled request.
    """
    one, two = (b"\r\n".join((first, b"Host: t", *(line[0] + line[choice] for line in lines))) for choice in (1, 2))
    (rest, values), (other_rest, other_values) = REPEATS.take_apart(one), REPEATS.take_apart(two)
    names = names_in(rest)
    if rest != other_rest or len(set(names)) < len(names):
        return
    try:
        head = read_request(one, request_reader())
    except ProxyError:
        return
    read = head.fields.values
    if any(read.get(name, value) != value for name, value in zip(names, values, strict=True)):
        return
    expected = dict(zip(names, other_values, strict=True))
    try:
        other = read_request(two, request_reader())
    except ProxyError:
        assert not expected.get(b"content-length", b"0").isdigit()
        return
    assert other.fields.values == read | expected
    assert len(other.fields.lines) == len(head.fields.lines)
    assert other.length == (int(expected[b"content-length"]) if b"content-length" in expected else head.length)
    for name in ("method", "path", "authority", "persistent", "version_1_1"):
        assert getattr(other, name) == getattr(head, name)


@given(LINES, FIRST)
def test_a_layout_finds_what_taking_apart_finds_or_nothing(lines: list[tuple[bytes, bytes, bytes]], first: bytes) -> None:
    one, two = (b"\r\n".join((first, b"Host: t", *(line[0] + line[choice] for line in lines))) for choice in (1, 2))
    rest, values = REPEATS.take_apart(one)
    layout = request_layout(rest, values)
    assert layout.size == len(one) + 4
    assert layout.values(one + b"\r\n\r\nmore") == tuple(values)
    assert layout.values(one + b"\r\n\r") is None
    other_rest, other_values = REPEATS.take_apart(two)
    same = rest == other_rest and list(map(len, values)) == list(map(len, other_values))
    assert layout.values(two + b"\r\n\r\n") == (tuple(other_values) if same else None)


@pytest.mark.parametrize("value", [b"\r\nA: b", b"a b c ", b"a\x00bcde", b"abcde\xe9"])
def test_a_layout_takes_no_value_that_would_not_be_taken_out(value: bytes) -> None:
    rest, values = REPEATS.take_apart(HEAD + b"x-watched: abcdef\r\nY: z")
    layout = request_layout(rest, values)
    assert layout.values(HEAD + b"x-watched: ghijkl\r\nY: z\r\n\r\n") == (b"ghijkl",)
    assert layout.values(HEAD + b"x-watched: " + value + b"\r\nY: z\r\n\r\n") is None


@pytest.mark.parametrize("name", [b"Content-Length: ", b"content-length: "])
def test_length_is_taken_out_of_an_answer(name: bytes) -> None:
    layout = answer_layout(HEAD + name + b"15\r\nA: b", b"15")
    assert layout is not None
    assert layout.values(HEAD + name + b"27\r\nA: b\r\n\r\nbody") == (b"27",)
    assert layout.values(HEAD + name + b"127\r\nA: b\r\n\r\nbody") is None
    assert layout.values(HEAD + name + b"15\r\nA: c\r\n\r\nbody") is None


@pytest.mark.parametrize(
    "line", [b"CONTENT-LENGTH: 5", b"Content-Length:5", b"Content-Length: 5 ", b"Content-Length:  5", b"X: 5"]
)
def test_a_length_spelled_otherwise_is_left_to_the_reader(line: bytes) -> None:
    assert answer_layout(HEAD + line, b"5") is None
    assert answer_layout(HEAD + line + b"\r\nX: y", b"5") is None
