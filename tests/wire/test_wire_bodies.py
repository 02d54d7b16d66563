"""Bodies: what is read is what was meant, at once, however it is cut; what is doubtful is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_cases import BROKEN, PLACES, cut, refusal, request_reader, response_reader, single_bytes

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import CHUNK_DIGITS_MAX, CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX
from tracer_proxy.wire.bodies import BodyReader, ChunkedBody, LengthBody, UntilCloseBody, chunk, end_of_chunks


def chunked() -> ChunkedBody:
    return ChunkedBody(Kind.MALFORMED, request_reader())


def outcome(reader: BodyReader, pieces: list[bytes]) -> object:
    """The body, and how it ended: its trailers and the rest, or a refusal, or that more is to come."""
    body, rest = b"", b""
    try:
        for data in pieces:
            if reader.done:
                rest += data
            elif data:
                body += reader.feed(data)
                rest = reader.rest
    except ProxyError as error:
        return refusal(error)
    return body, reader.trailers, rest if reader.done else None


GOOD = {
    b"0\r\n\r\n": (b"", b"", b""),
    b"5\r\nhello\r\n0\r\n\r\n": (b"hello", b"", b""),
    b"5\r\nhello\r\n0\r\n\r\nGET": (b"hello", b"", b"GET"),
    b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n": (b"0123456789" * 2, b"", b""),
    b"0" * (CHUNK_DIGITS_MAX - 1) + b"3\r\nabc\r\n" + b"0" * CHUNK_DIGITS_MAX + b"\r\n\r\n": (b"abc", b"", b""),
    b'3;a;b=c;d="e f"\r\nabc\r\n0;x\r\n\r\n': (b"abc", b"", b""),
    b"3; \t\xff\r\nabc\r\n0;\r\n\r\n": (b"abc", b"", b""),
    b"4\r\n\r\n\r\n\r\n0\r\n\r\n": (b"\r\n\r\n", b"", b""),
    b"5\r\n0\r\n\r\n\r\n0\r\n\r\n": (b"0\r\n\r\n", b"", b""),
    b"0\r\nX-A: b\r\nx-c:  d \r\nX-Empty:\r\n\r\nrest": (b"", b"X-A: b\r\nx-c:  d \r\nX-Empty:\r\n", b"rest"),
    b"0\r\nContent-Length: 5\r\nHOST: h\r\nX: y\r\nAuthorization: a\r\nte: b\r\nX-Watched: w\r\n\r\n": (
        b"",
        b"X: y\r\nX-Watched: w\r\n",
        b"",
    ),
}


@pytest.mark.parametrize("raw", GOOD)
def test_chunks_are_taken_apart(raw: bytes) -> None:
    """RFC 9112 7.1: extensions are dropped, trailers are kept but for those of RFC 9110 6.5.1. At every cut in two too."""
    assert outcome(chunked(), [raw]) == GOOD[raw]
    assert outcome(chunked(), single_bytes(raw)) == GOOD[raw]
    for place in range(len(raw)):
        assert outcome(chunked(), [raw[:place], raw[place:]]) == GOOD[raw]


BAD_SIZES = [
    *(
        b"",
        b"+3",
        b"-3",
        b"0x3",
        b"0X3",
        b"3_0",
        b"_3",
        b" 3",
        b"3 ",
        b"\t3",
        b"3\t",
        b"g",
        b"3g",
        b"3.",
        b'"3"',
        b";a",
        b"3 ;a",
    ),
    *(
        b"\xb3",
        "３".encode(),
        b"3\x00",
        b"3\x0b",
        b"3\x0c",
        b"3\r",
        b"3\n",
        b"\n3",
        b"\r3",
        b"3;\x00",
        b"3;a\rb",
        b"3;a\n",
        b"3;\x7f",
    ),
    *(b"0" * CHUNK_DIGITS_MAX + b"3", b"f" * (CHUNK_DIGITS_MAX + 1), b"1" * 5000),
]


@pytest.mark.parametrize("size", BAD_SIZES)
def test_what_is_no_chunk_size(size: bytes) -> None:
    """RFC 9112 7.1: ``int`` would take half of these. Whether in one piece, byte by byte or cut in two."""
    raw = size + b"\r\nabc\r\n0\r\n\r\n"
    assert outcome(chunked(), [raw]) is Kind.MALFORMED
    assert outcome(chunked(), single_bytes(raw)) is Kind.MALFORMED
    for place in range(min(len(raw), 20)):
        assert outcome(chunked(), [raw[:place], raw[place:]]) is Kind.MALFORMED


@pytest.mark.parametrize(
    "raw",
    [
        *(
            b"3\r\nabcd\r\n0\r\n\r\n",
            b"4\r\nabc\r\n0\r\n\r\n",
            b"3\r\nabc0\r\n\r\n",
            b"3\r\nabc\n0\r\n\r\n",
            b"3\r\nabc\r0\r\n\r\n",
        ),
        *(
            b"3\r\nabc\n\r0\r\n\r\n",
            b"3\r\nabc\r\n\r\n0\r\n\r\n",
            b"3\nabc\r\n0\r\n\r\n",
            b"\r\n3\r\nabc\r\n0\r\n\r\n",
            b"0\n\r\n",
        ),
        *(
            b"0\r\n\n",
            b"0\r\n\r\r\n",
            b"0\r\n\rX",
            b"0\r\nX\r\n\r\n",
            b"0\r\nX : y\r\n\r\n",
            b"0\r\n X: y\r\n\r\n",
            b"0\r\n: y\r\n\r\n",
        ),
        *(
            b"0\r\nX: y\n\r\n",
            b"0\r\nX: \x00\r\n\r\n",
            b"0\r\nX: y\r\n z\r\n\r\n",
            b"0\r\nX: y\rz\r\n\r\n",
            b"GET / HTTP/1.1\r\n",
        ),
    ],
)
def test_broken_chunks(raw: bytes) -> None:
    """One way to read them, or none: at every cut."""
    for kind, fields in ((Kind.MALFORMED, request_reader()), (BROKEN, response_reader())):
        if kind is BROKEN and b"X : y" in raw:
            # RFC 9112 5.1: in an answer the blank is removed.
            assert outcome(ChunkedBody(kind, fields), [raw]) == (b"", b"X: y\r\n", b"")
            continue
        assert outcome(ChunkedBody(kind, fields), [raw]) is kind
        assert outcome(ChunkedBody(kind, fields), single_bytes(raw)) is kind
        for place in range(len(raw)):
            assert outcome(ChunkedBody(kind, fields), [raw[:place], raw[place:]]) is kind


@pytest.mark.parametrize("front", [b"", b"3\r\nabc\r\n"])
def test_size_line_has_an_exact_bound(front: bytes) -> None:
    """With its extension, without its line end; in one piece, in two, byte by byte."""
    extension = b"a" * (CHUNK_LINE_BYTES_MAX - 2)
    fits, large = (front + b"0;" + text + b"\r\n\r\n" for text in (extension, extension + b"a"))
    body = b"abc" if front else b""
    near = range(len(fits) - 8, len(fits) + 1)
    for pieces in ([fits], single_bytes(fits), *([fits[:place], fits[place:]] for place in near)):
        assert outcome(chunked(), pieces) == (body, b"", b"")
    for pieces in ([large], single_bytes(large), *([large[:place], large[place:]] for place in near)):
        assert outcome(chunked(), pieces) is Kind.MALFORMED


@pytest.mark.parametrize("lines", [1, 2, 7])
def test_trailers_have_an_exact_bound(lines: int) -> None:
    """All lines together with their ends, but for the empty one; in one piece, in two, byte by byte."""
    line = b"X: " + b"y" * 95 + b"\r\n"
    last = TRAILER_BYTES_MAX - 100 * (lines - 1)
    fits, large = (b"0\r\n" + line * (lines - 1) + b"X: " + b"y" * (last - 5 + more) + b"\r\n\r\n" for more in (0, 1))
    near = range(len(fits) - 8, len(fits) + 1)
    for pieces in ([fits], single_bytes(fits), *([fits[:place], fits[place:]] for place in near)):
        assert outcome(chunked(), pieces) == (b"", fits[3:-2], b"")
    for pieces in ([large], single_bytes(large), *([large[:place], large[place:]] for place in near)):
        assert outcome(chunked(), pieces) is Kind.MALFORMED


def test_endless_lines_are_refused_without_waiting_for_their_end() -> None:
    for raw in (b"0" * (CHUNK_LINE_BYTES_MAX + 2), b"0\r\nX" + b"y" * (TRAILER_BYTES_MAX + 1)):
        assert outcome(chunked(), [raw]) is Kind.MALFORMED


def test_data_is_handed_on_at_once() -> None:
    """Nothing is held back but an unfinished line: a chunk is not waited for."""
    reader = chunked()
    fed = [reader.feed(data) for data in (b"6\r", b"\nab", b"c", b"def\r", b"\n2\r\ngh", b"\r\n0\r\n\r\n")]
    assert fed == [b"", b"ab", b"c", b"def", b"gh", b""]
    assert reader.done


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=6), st.binary(max_size=20), PLACES)
def test_chunks_made_here_are_read_back(parts: list[bytes], rest: bytes, places: list[int]) -> None:
    """A round trip, cut anywhere, with bytes behind it."""
    trailers = b"X-Sum: 1\r\nX-Other:\r\n" if len(parts) % 2 else b""
    raw = b"".join(map(chunk, parts)) + end_of_chunks(trailers)
    assert outcome(chunked(), cut(raw + rest, places)) == (b"".join(parts), trailers, rest)


CRUMBS = st.sampled_from(
    [
        *(b"0", b"3", b"f", b"\r\n", b"\r", b"\n", b"abc", b";x", b" ", b"X: y", b"0\r\n\r\n", b"3\r\nabc\r\n", b"\x00"),
        b"0\r\nX: y\r\n\r\n",
    ]
)


@given(st.lists(CRUMBS, max_size=10).map(b"".join), PLACES)
def test_cuts_change_nothing(raw: bytes, places: list[int]) -> None:
    """Valid and invalid chunks alike: the same body, the same trailers, the same rest, the same refusal."""
    assert outcome(chunked(), cut(raw, places)) == outcome(chunked(), [raw])


@given(st.integers(0, 40), st.binary(max_size=60), PLACES)
def test_length_takes_as_many_bytes_as_it_says(length: int, raw: bytes, places: list[int]) -> None:
    reader = LengthBody(length)
    assert reader.done is (length == 0)
    found = outcome(reader, cut(raw, places))
    assert found == (raw[:length], b"", raw[length:] if len(raw) >= length else None)


@given(st.binary(max_size=60), PLACES)
def test_body_until_close_takes_everything(raw: bytes, places: list[int]) -> None:
    """Only its connection can say that it is done."""
    assert outcome(UntilCloseBody(), cut(raw, places)) == (raw, b"", None)
