"""Response heads: status line, framing, persistence, and a switch of protocols."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_cases import BROKEN, PRINTABLE, refusal, response_of, response_reader

from tracer_proxy.errors import ProxyError
from tracer_proxy.wire.response import UNTIL_CLOSE, protocol_was_offered, read_response


def refused(*lines: bytes, line: bytes = b"HTTP/1.1 200 OK", method: bytes = b"GET") -> bool:
    try:
        response_of(*lines, line=line, method=method)
    except ProxyError as error:
        return refusal(error) is BROKEN
    return False


@pytest.mark.parametrize(
    ("line", "status", "out"),
    [
        (b"HTTP/1.1 200 OK", 200, b"HTTP/1.1 200 OK"),
        (b"HTTP/1.0 200 OK", 200, b"HTTP/1.1 200 OK"),
        (b"HTTP/1.1 404 Not  Here\t!", 404, b"HTTP/1.1 404 Not  Here\t!"),
        (b"HTTP/1.1 500 ", 500, b"HTTP/1.1 500 "),
        (b"HTTP/1.1 500", 500, b"HTTP/1.1 500"),
        (b"HTTP/1.1 299 \xc3\xa4", 299, b"HTTP/1.1 299 \xc3\xa4"),
        (b"HTTP/1.1 999 x", 999, b"HTTP/1.1 999 x"),
        (b"HTTP/1.1 100 Continue", 100, b"HTTP/1.1 100 Continue"),
    ],
)
def test_status_lines(line: bytes, status: int, out: bytes) -> None:
    """RFC 9112 4 and 2.3: our version, their reason; the reason may be missing, as it is with some servers."""
    head = response_of(line=line)
    assert (head.status, head.block) == (status, out + b"\r\n")


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"",
            b"HTTP/1.1",
            b"HTTP/1.1 ",
            b"HTTP/1.1 2",
            b"HTTP/1.1 20",
            b"HTTP/1.1 20 OK",
            b"HTTP/1.1 2000 OK",
            b"HTTP/1.1 200OK",
        ),
        *(b"HTTP/1.1  200 OK", b"HTTP/1.1\t200 OK", b"HTTP/1.1 200\tOK", b"HTTP/1.1 099 OK", b"HTTP/1.1 000 OK"),
        *(b"HTTP/1.1 +20 OK", b"HTTP/1.1 -20 OK", b"HTTP/1.1 2_0 OK", b"HTTP/1.1 20\xb2 OK", b"HTTP/1.1 2 0 OK"),
        *(b"HTTP/2.0 200 OK", b"HTTP/1.2 200 OK", b"http/1.1 200 OK", b"HTTP/1.10 200 OK", b"ICY 200 OK", b" HTTP/1.1 200 OK"),
    ],
)
def test_what_is_no_status_line(line: bytes) -> None:
    assert refused(line=line)


def test_reasons_hold_no_control_byte() -> None:
    assert {byte for byte in range(256) if not refused(line=b"HTTP/1.1 200 O" + bytes([byte]) + b"K")} == PRINTABLE


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        ([], UNTIL_CLOSE),
        ([b"Content-Length: 0"], 0),
        ([b"content-length:5 "], 5),
        ([b"Content-Length : 5"], 5),
        ([b"Transfer-Encoding: Chunked"], None),
        ([b"Transfer-Encoding : chunked"], None),
    ],
)
def test_framing(lines: list[bytes], length: int | None) -> None:
    """RFC 9112 6.3. Without any a body lasts until the connection closes, which then carries nothing else."""
    head = response_of(*lines)
    assert head.length == length
    assert head.persistent is (length != UNTIL_CLOSE)
    assert head.block == b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize("lines", [[], [b"Content-Length: 5"], [b"Transfer-Encoding: chunked"]])
@pytest.mark.parametrize(
    ("line", "method"),
    [
        (b"HTTP/1.1 200 OK", b"HEAD"),
        (b"HTTP/1.1 404 No", b"HEAD"),
        (b"HTTP/1.1 204 No Content", b"GET"),
        (b"HTTP/1.1 304 Not Modified", b"GET"),
        (b"HTTP/1.1 100 Continue", b"POST"),
        (b"HTTP/1.1 103 Early Hints", b"GET"),
        (b"HTTP/1.1 199 x", b"GET"),
    ],
)
def test_answers_without_body(line: bytes, method: bytes, lines: list[bytes]) -> None:
    """RFC 9112 6.3, first rule: whatever the head says about a body there would be."""
    head = response_of(*lines, line=line, method=method)
    assert (head.length, head.persistent) == (0, True)


@pytest.mark.parametrize("method", [b"GET", b"HEAD", b"POST"])
@pytest.mark.parametrize(
    "line", [b"HTTP/1.1 200 OK", b"HTTP/1.1 204 x", b"HTTP/1.1 304 x", b"HTTP/1.1 103 x", b"HTTP/1.0 200 x"]
)
@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: 5", b"Content-Length : 6"],
        [b"Content-Length: 5, 5"],
        [b"Content-Length: +5"],
        [b"Content-Length:"],
        [b"Content-Length: " + b"1" * 19],
        [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
        [b"Transfer-Encoding : chunked", b"Content-Length: 5"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: gzip"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding:"],
    ],
)
def test_doubtful_framing(lines: list[bytes], line: bytes, method: bytes) -> None:
    """Also where there is no body: what stands there is passed on, and the next hop might believe it."""
    assert refused(*lines, line=line, method=method)


def test_chunks_do_not_exist_in_http_1_0() -> None:
    """RFC 9112 6.1."""
    assert refused(b"Transfer-Encoding: chunked", line=b"HTTP/1.0 200 OK")


@pytest.mark.parametrize(
    ("version", "connection", "persistent"),
    [
        (b"HTTP/1.1", None, True),
        (b"HTTP/1.1", b"close", False),
        (b"HTTP/1.1", b"x, Close", False),
        (b"HTTP/1.0", None, False),
        (b"HTTP/1.0", b"keep-alive", True),
        (b"HTTP/1.0", b"keep-alive, close", False),
    ],
)
def test_persistence(version: bytes, connection: bytes | None, persistent: bool) -> None:
    """RFC 9112 9.3."""
    lines = [b"Content-Length: 0", *([] if connection is None else [b"Connection: " + connection])]
    assert response_of(*lines, line=version + b" 200 OK").persistent is persistent


def test_fields_that_connection_lists_stay_here() -> None:
    head = response_of(b"A: 1", b"Connection: b, close", b"B: 2", b"B : 3", b"C : 4", b"Keep-Alive: x", b"Content-Length: 0")
    assert head.block == b"HTTP/1.1 200 OK\r\nA: 1\r\nC: 4\r\n"


@pytest.mark.parametrize(
    ("offered", "answered", "good"),
    [
        (b"websocket", b"websocket", True),
        (b"websocket", b"WebSocket", True),
        (b"a, b", b"b", True),
        (b"a, b", b"b,a", True),
        (b"a", b"a, b", False),
        (b"a", b"b", False),
        (b"a", b"", False),
        (b"a", b"a,", False),
        (b"", b"", False),
        (b"", b"a", False),
        (b"a/2", b"a", False),
    ],
)
def test_only_protocols_that_were_offered(offered: bytes, answered: bytes, good: bool) -> None:
    """RFC 9110 7.8."""
    assert protocol_was_offered(offered, answered) is good


LINES = st.sampled_from(
    [
        *(b"X: y", b"X : y", b"Content-Length: 5", b"Content-Length: x", b"Transfer-Encoding: chunked", b"Connection: close"),
        *(b"Connection: X", b"Set-Cookie: a=b", b"bad"),
    ]
)
FIRST = st.sampled_from(
    [b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 204 x", b"HTTP/1.1 100 x", b"HTTP/2.0 200 OK", b"HTTP/1.1 2"]
)


@given(st.lists(st.tuples(FIRST, st.lists(LINES, max_size=4), st.sampled_from([b"GET", b"HEAD"])), max_size=8))
def test_what_a_reader_remembers_changes_nothing(heads: list[tuple[bytes, list[bytes], bytes]]) -> None:
    """The same heads by one reader and by a new one each, good and bad, for GET and HEAD mixed."""
    shared = response_reader()
    for first, lines, method in heads:
        outcomes: list[object] = []
        for reader in (shared, response_reader()):
            try:
                head = read_response(b"\r\n".join((first, *lines)), reader, method)
            except ProxyError as error:
                outcomes.append((error.kind, error.message))
            else:
                outcomes.append([getattr(head, name) for name in head.__slots__])
        assert outcomes[0] == outcomes[1]
