"""Request heads: first line, target, authority, framing, persistence, upgrade."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_cases import TCHARS, refusal, request_of, request_reader

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.wire.request import IDEMPOTENT, read_request


def refused(*lines: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: t") -> bool:
    try:
        request_of(*lines, line=line, host=host)
    except ProxyError as error:
        return refusal(error) is Kind.MALFORMED
    return False


def test_methods_are_tokens_byte_by_byte() -> None:
    """RFC 9110 9.1: any token goes on, in the case in which it came."""
    assert {byte for byte in range(256) if not refused(line=b"G" + bytes([byte]) + b"T / HTTP/1.1")} == TCHARS
    assert request_of(line=b"get / HTTP/1.1").method == b"get"


def test_targets_are_visible_ascii_byte_by_byte() -> None:
    """RFC 9112 3.2, in path and query. A fragment is never sent."""
    for target in (b"/a%cb", b"/a?b%cc", b"http://h/a%cb"):
        accepted = {byte for byte in range(256) if not refused(line=b"GET " + target % byte + b" HTTP/1.1")}
        assert accepted == {*range(0x21, 0x7F)} - {ord("#")}


@pytest.mark.parametrize(
    ("line", "version_1_1"), [(b"GET / HTTP/1.1", True), (b"GET / HTTP/1.0", False), (b"X-Y_z / HTTP/1.1", True)]
)
def test_first_lines(line: bytes, version_1_1: bool) -> None:
    assert request_of(line=line).version_1_1 is version_1_1


@pytest.mark.parametrize(
    "line",
    [
        *(
            b"",
            b" ",
            b"GET",
            b"GET /",
            b"GET / ",
            b"GET  / HTTP/1.1",
            b"GET /  HTTP/1.1",
            b"GET / HTTP/1.1 ",
            b" GET / HTTP/1.1",
        ),
        *(b"GET /a b HTTP/1.1", b"GET\t/ HTTP/1.1", b"GET /\tHTTP/1.1", b"GET  HTTP/1.1", b" / HTTP/1.1"),
        *(
            b"GET / HTTP/2.0",
            b"GET / HTTP/1.2",
            b"GET / HTTP/0.9",
            b"GET / http/1.1",
            b"GET / HTTP/1.10",
            b"GET / HTTP/1.1\x00",
        ),
    ],
)
def test_what_is_no_first_line(line: bytes) -> None:
    """RFC 9112 3 and 2.3: single spaces, and no version that nobody here speaks."""
    assert refused(line=line)


@pytest.mark.parametrize(
    ("target", "authority", "path", "query"),
    [
        (b"/", b"t", b"/", None),
        (b"/a/../b//c;d=e%2f", b"t", b"/a/../b//c;d=e%2f", None),
        (b"/?", b"t", b"/", b""),
        (b"/a?b=c?d", b"t", b"/a", b"b=c?d"),
        (b"//evil/a", b"t", b"//evil/a", None),
        (b"/http://evil/", b"t", b"/http://evil/", None),
        (b"/@:%", b"t", b"/@:%", None),
        (b"http://h", b"h", b"/", None),
        (b"http://h/", b"h", b"/", None),
        (b"http://h?q", b"h", b"/", b"q"),
        (b"http://H:80/a?b", b"H:80", b"/a", b"b"),
        (b"HTTPS://h/a@b", b"h", b"/a@b", None),
        (b"http://[::1]:8080/a", b"[::1]:8080", b"/a", None),
        (b"http://h//b", b"h", b"//b", None),
        (b"http://h/?a?b@c", b"h", b"/", b"a?b@c"),
    ],
)
def test_targets(target: bytes, authority: bytes, path: bytes, query: bytes | None) -> None:
    """RFC 9112 3.2: nothing is decoded or tidied, and the host of an absolute URL wins."""
    head = request_of(line=b"GET " + target + b" HTTP/1.1")
    assert (head.authority, head.path) == (authority, path)
    assert (head.query if head.has_query else None) == query


@pytest.mark.parametrize(
    "target",
    [
        *(b"a", b"?a", b"*", b".", b"h:80", b"\\a", b"http:", b"http:/h", b"http://", b"http:///", b"http://?a", b"http://@h/"),
        *(b"http://u@h/", b"http://u:p@h/", b"http://h:x/", b"http://h:123456/", b"http://[::1/", b"http://h,i/", b"http://%/"),
        *(b"ftp://h/", b"httpx://h/", b"file:///a", b"http://h\\@i/", b"http://h:1:2/"),
    ],
)
def test_what_is_no_target(target: bytes) -> None:
    assert refused(line=b"GET " + target + b" HTTP/1.1")


def test_asterisk_is_for_options_alone() -> None:
    """RFC 9112 3.2.4."""
    assert request_of(line=b"OPTIONS * HTTP/1.1").path == b"*"
    assert refused(line=b"OPTIONS *a HTTP/1.1")


@pytest.mark.parametrize("target", [b"h:443", b"/", b"http://h/", b"*"])
def test_connect_is_not_served(target: bytes) -> None:
    """RFC 9112 3.2.3: a tunnel to wherever the client says is no business of a reverse proxy."""
    with pytest.raises(ProxyError) as caught:
        request_of(line=b"CONNECT " + target + b" HTTP/1.1")
    assert "CONNECT is not served" in caught.value.message


@pytest.mark.parametrize(
    ("value", "host"),
    [
        (b"example.com", b"example.com"),
        (b"EXAMPLE.com:8080", b"example.com"),
        (b"a_b-c~d", b"a_b-c~d"),
        (b"127.0.0.1:80", b"127.0.0.1"),
        (b"2130706433", b"2130706433"),
        (b"2130706433:80", b"2130706433"),
        (b"h:", b"h"),
        (b"[::1]", b"[::1]"),
        (b"[::FFFF:1.2.3.4]:80", b"[::ffff:1.2.3.4]"),
        (b"[::1]:", b"[::1]"),
        (b"a%2Fb", b"a%2fb"),
        (b"a!$&'()*+;=b", b"a!$&'()*+;=b"),
    ],
)
def test_hosts(value: bytes, host: bytes) -> None:
    """RFC 9110 7.2: the authority stays as it came, the host is what routes compare."""
    head = request_of(host=b"Host: \t" + value + b" ")
    assert (head.authority, head.host) == (value, host)


@pytest.mark.parametrize(
    "value",
    [
        *(b"", b" ", b"a b", b"a,b", b"a/b", b"u@h", b"http://h", b"a\\b", b"a?b", b"a#b", b"a:x", b"a:-1", b"a:1:2", b":80"),
        *(
            b"::1",
            b"[::1",
            b"::1]",
            b"[]",
            b"[::g]",
            b"[::1]x",
            b"a%",
            b"a%4",
            b"a%zz",
            b'"a"',
            b"a|b",
            b"\xc3\xa4",
            b"a" * 256,
        ),
        *(b"a:000080", b"[" + b":" * 46 + b"]"),
    ],
)
def test_what_is_no_host(value: bytes) -> None:
    """RFC 9112 3.2, in either version; but nothing at all may stand there in HTTP/1.0."""
    assert refused(host=b"Host: " + value)
    assert refused(host=b"Host: " + value, line=b"GET / HTTP/1.0") is bool(value.strip())


def test_host_is_needed_once() -> None:
    """RFC 9112 3.2, also where an absolute target says it all."""
    assert refused(host=b"")
    assert refused(host=b"", line=b"GET http://h/ HTTP/1.1")
    assert refused(b"Host: t")
    assert refused(b"host: t", line=b"GET / HTTP/1.0")
    assert refused(b"Host:")
    assert request_of(host=b"", line=b"GET / HTTP/1.0").authority == b""
    assert request_of(host=b"", line=b"GET http://h/ HTTP/1.0").authority == b"h"


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        ([], 0),
        ([b"Content-Length: 0"], 0),
        ([b"CONTENT-LENGTH:\t5\t"], 5),
        ([b"Content-Length: 00005"], 5),
        ([b"Content-Length: " + b"9" * 18], 10**18 - 1),
        ([b"Transfer-Encoding: chunked"], None),
        ([b"TRANSFER-ENCODING:CHUNKED"], None),
        ([b"Connection: content-length, transfer-encoding", b"Content-Length: 5"], 5),
    ],
)
def test_framing(lines: list[bytes], length: int | None) -> None:
    """RFC 9112 6.3. A ``Connection`` that lists framing does not take it away."""
    assert request_of(*lines).length == length


@pytest.mark.parametrize(
    "lines",
    [
        [b"Content-Length: 5", b"Content-Length: 5"],
        [b"Content-Length: 5", b"content-length: 6"],
        [b"Content-Length: 5", b"Content-Length:"],
        [b"Content-Length: 5, 5"],
        [b"Content-Length:"],
        [b"Content-Length: x"],
        [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: chunked", b"Content-Length: 0"],
        [b"Transfer-Encoding: identity", b"Content-Length: 5"],
        [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
        [b"Transfer-Encoding: gzip, chunked"],
        [b"Transfer-Encoding: chunked, gzip"],
        [b"Transfer-Encoding: identity"],
        [b"Transfer-Encoding: xchunked"],
        [b"Transfer-Encoding: chunked;q=1"],
        [b"Transfer-Encoding:"],
        [b"Transfer-Encoding: chun\xe2\x84\xaaed"],
    ],
)
@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
def test_doubtful_framing(lines: list[bytes], version: bytes) -> None:
    """RFC 9112 6.1 and 6.3: whatever two parsers could read in two ways."""
    assert refused(*lines, line=b"POST / " + version)


def test_chunks_do_not_exist_in_http_1_0() -> None:
    """RFC 9112 6.1."""
    assert refused(b"Transfer-Encoding: chunked", line=b"POST / HTTP/1.0")


@pytest.mark.parametrize(
    ("version", "connection", "persistent"),
    [
        (b"HTTP/1.1", None, True),
        (b"HTTP/1.1", b"close", False),
        (b"HTTP/1.1", b"Keep-Alive", True),
        (b"HTTP/1.1", b"keep-alive, CLOSE", False),
        (b"HTTP/1.1", b"x, close", False),
        (b"HTTP/1.1", b"closed", True),
        (b"HTTP/1.0", None, False),
        (b"HTTP/1.0", b"Keep-Alive", True),
        (b"HTTP/1.0", b"close, keep-alive", False),
        (b"HTTP/1.0", b"x", False),
    ],
)
def test_persistence(version: bytes, connection: bytes | None, persistent: bool) -> None:
    """RFC 9112 9.3."""
    lines = [] if connection is None else [b"Connection: " + connection]
    assert request_of(*lines, line=b"GET / " + version).persistent is persistent


def test_connection_may_stand_in_several_lines() -> None:
    head = request_of(b"Connection: x-a", b"X-A: 1", b"X-B: 2", b"Connection: X-B, close")
    assert (head.fields.lines, head.persistent) == ([], False)


@pytest.mark.parametrize(
    ("lines", "upgrade"),
    [
        ([b"Connection: Upgrade", b"Upgrade: websocket"], b"websocket"),
        ([b"Connection: keep-alive, upgrade", b"Upgrade: a/1, b"], b"a/1, b"),
        ([b"Upgrade: websocket"], b""),
        ([b"Connection: upgrade"], b""),
        ([b"Connection: upgrade", b"Upgrade: h2c"], b""),
        ([b"Connection: upgrade", b"Upgrade: h2c, websocket"], b"websocket"),
        ([b"Connection: upgrade", b"Upgrade: H2C-14", b"Upgrade: a"], b"a"),
        ([b"Connection: upgrade", b"Upgrade: ,"], b""),
        ([b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 5"], b""),
        ([b"Connection: upgrade", b"Upgrade: websocket", b"Transfer-Encoding: chunked"], b""),
        ([b"Connection: upgrade", b"Upgrade: websocket", b"Content-Length: 0"], b"websocket"),
    ],
)
def test_upgrades(lines: list[bytes], upgrade: bytes) -> None:
    """RFC 9110 7.8: asked for in ``Connection`` too; never to HTTP/2, never with a body, never in HTTP/1.0."""
    assert request_of(*lines).upgrade == upgrade
    if not any(b"Transfer" in line for line in lines):
        assert request_of(*lines, line=b"GET / HTTP/1.0").upgrade == b""


def test_post_is_not_idempotent() -> None:
    """RFC 9110 9.2.2: what may be sent again. ``post`` and unknown methods may not."""
    assert {b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"} == IDEMPOTENT


LINES = st.sampled_from(
    [
        *(b"Host: t", b"Host: u", b"host: v:80", b"Host: bad host", b"X: y", b"Content-Length: 5", b"Content-Length: x"),
        *(b"Transfer-Encoding: chunked", b"Connection: close", b"Connection: X", b"Upgrade: websocket", b"Connection: upgrade"),
    ]
)
FIRST = st.sampled_from(
    [
        b"GET / HTTP/1.1",
        b"GET / HTTP/1.0",
        b"POST http://u/ HTTP/1.1",
        b"GET  / HTTP/1.1",
        b"GET / HTTP/2.0",
        b"CONNECT / HTTP/1.1",
    ]
)


@given(st.lists(st.tuples(FIRST, st.lists(LINES, max_size=5)), max_size=8))
def test_what_a_reader_remembers_changes_nothing(heads: list[tuple[bytes, list[bytes]]]) -> None:
    """The same heads by one reader and by a new one each, good and bad mixed."""
    shared = request_reader()
    for first, lines in heads:
        outcomes: list[object] = []
        for reader in (shared, request_reader()):
            try:
                head = read_request(b"\r\n".join((first, *lines)), reader)
            except ProxyError as error:
                outcomes.append((error.kind, error.message))
            else:
                seen = [getattr(head, name) for name in head.__slots__ if name != "fields"]
                outcomes.append((seen, head.fields.lines, head.fields.values))
        assert outcomes[0] == outcomes[1]
