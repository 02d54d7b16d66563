"""Malformed answers of upstreams by family, and what a client must be told about each."""

from dataclasses import dataclass
from enum import Enum, auto

from tracer_proxy.errors import Kind
from tracer_proxy.limits import (
    CHUNK_LINE_BYTES_MAX,
    HEAD_BYTES_MAX,
    HEAD_FIELDS_MAX,
    INTERIM_RESPONSES_MAX,
    LENGTH_DIGITS_MAX,
    TRAILER_BYTES_MAX,
)


class Ending(Enum):
    """What the upstream does behind its last byte."""

    STAYS = auto()
    """It keeps the connection open: what it sent must be enough for a verdict."""
    CLOSES = auto()
    RESETS = auto()


class Fate(Enum):
    """What becomes of the answer."""

    REFUSED = auto()
    """Nothing of it passes: 502, ``upstream_broken``."""
    LOST = auto()
    """Nothing of it passes: 502, ``upstream_closed``."""
    CUT = auto()
    """Its head passes when it came in time, and then the client can tell that the rest is missing."""
    WHOLE = auto()
    """It passes as far as it is valid, and its connection is never used again."""


@dataclass(frozen=True)
class Malformed:
    name: str
    raw: bytes
    section: str
    """Of RFC 9110 or 9112, or the project's own limit."""
    fate: Fate = Fate.REFUSED
    ending: Ending = Ending.STAYS
    method: str = "GET"

    @property
    def kind(self) -> Kind:
        """What the error is called where the client still gets one."""
        return Kind.UPSTREAM_CLOSED if self.fate is Fate.LOST else Kind.UPSTREAM_BROKEN


def _line(name: str, line: bytes) -> Malformed:
    return Malformed(name, line + b"\r\nContent-Length: 2\r\n\r\nok", "9112 4")


def _field(name: str, lines: bytes, section: str = "9112 5") -> Malformed:
    return Malformed(name, b"HTTP/1.1 200 OK\r\n" + lines + b"\r\nContent-Length: 2\r\n\r\nok", section)


def _framing(name: str, lines: bytes, status: bytes = b"200 OK", version: bytes = b"1.1", method: str = "GET") -> Malformed:
    raw = b"HTTP/" + version + b" " + status + b"\r\n" + lines + b"\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    return Malformed(name, raw, "9112 6.3", method=method)


CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH_HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
UNTIL_CLOSE_HEAD = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\n"


def _chunks(name: str, body: bytes, section: str = "9112 7.1") -> Malformed:
    return Malformed(name, CHUNKED_HEAD + body, section, Fate.CUT)


STATUS_LINES = (
    *(
        _line(f"status-line-{name}", line)
        for name, line in (
            ("version-2.0", b"HTTP/2.0 200 OK"),
            ("version-1.2", b"HTTP/1.2 200 OK"),
            ("version-0.9", b"HTTP/0.9 200 OK"),
            ("version-lower-case", b"http/1.1 200 OK"),
            ("version-short", b"HTTP/1 200 OK"),
            ("version-long", b"HTTP/1.10 200 OK"),
            ("icy", b"ICY 200 OK"),
            ("no-version", b"200 OK"),
            ("no-status", b"HTTP/1.1"),
            ("no-status-but-a-blank", b"HTTP/1.1 "),
            ("no-status-but-a-reason", b"HTTP/1.1 OK"),
            ("two-digits", b"HTTP/1.1 20 OK"),
            ("two-digits-and-no-reason", b"HTTP/1.1 20"),
            ("one-digit-and-no-reason", b"HTTP/1.1 2"),
            ("four-digits", b"HTTP/1.1 2000 OK"),
            ("no-blank-before-reason", b"HTTP/1.1 200OK"),
            ("two-blanks", b"HTTP/1.1  200 OK"),
            ("tab-before-status", b"HTTP/1.1\t200 OK"),
            ("tab-behind-status", b"HTTP/1.1 200\tOK"),
            ("status-zero", b"HTTP/1.1 000 OK"),
            ("status-below-100", b"HTTP/1.1 099 OK"),
            ("status-with-sign", b"HTTP/1.1 +20 OK"),
            ("status-minus", b"HTTP/1.1 -20 OK"),
            ("status-hex", b"HTTP/1.1 0xc OK"),
            ("status-letter", b"HTTP/1.1 2o0 OK"),
            ("status-superscript", b"HTTP/1.1 20\xb2 OK"),
            ("blank-in-front", b" HTTP/1.1 200 OK"),
            ("empty-line-in-front", b"\r\nHTTP/1.1 200 OK"),
            ("nul-in-reason", b"HTTP/1.1 200 O\x00K"),
            ("bare-cr-in-reason", b"HTTP/1.1 200 O\rK"),
            ("bare-lf-in-reason", b"HTTP/1.1 200 O\nK"),
            ("escape-in-reason", b"HTTP/1.1 200 \x1b[31m"),
            ("delete-in-reason", b"HTTP/1.1 200 O\x7fK"),
            ("echoed-request", b"GET /a HTTP/1.1"),
            ("byte-order-mark", b"\xef\xbb\xbfHTTP/1.1 200 OK"),
        )
    ),
    Malformed("http-0.9-page", b"<html>hello</html>\r\n\r\n", "9112 2.3"),
    Malformed("json-without-head", b'{"a": 1}\r\n\r\n', "9112 4"),
    Malformed("only-empty-lines", b"\r\n\r\n", "9112 4"),
    Malformed("chunk-without-head", b"5\r\nhello\r\n0\r\n\r\n", "9112 4"),
    Malformed("ssh-greeting", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "9112 4"),
    Malformed("bare-lf-page", b"<html>\n<body>hello</body>\n", "9112 2.2"),
    Malformed("redis-error", b"-ERR unknown command 'GET'\r\n-ERR unknown command 'Host:'\r\n\r\n", "9112 4"),
    Malformed("http-2-settings", b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + bytes(18), "9112 4", Fate.LOST, Ending.CLOSES),
    Malformed("tls-alert", b"\x15\x03\x01\x00\x02\x02\x46", "9112 4", Fate.LOST, Ending.CLOSES),
    Malformed("random-bytes", bytes(range(128, 256)) + b"\r\n\r\n", "9112 4"),
)

FIELDS = (
    _field("no-colon", b"garbage"),
    _field("only-a-colon", b":"),
    _field("empty-name", b": x"),
    _field("blank-name", b" : x", "9112 5.2"),
    _field("space-in-name", b"X Y: z", "9110 5.1"),
    _field("parenthesis-in-name", b"X(Y): z", "9110 5.1"),
    _field("umlaut-in-name", "Ä: z".encode(), "9110 5.1"),
    _field("nul-in-name", b"X\x00Y: z", "9110 5.1"),
    _field("no-break-space-before-colon", b"X\xa0: z", "9110 5.1"),
    _field("vertical-tab-before-colon", b"X\x0b: z", "9112 5.1"),
    _field("nul-in-value", b"X: a\x00b", "9110 5.5"),
    _field("bell-in-value", b"X: a\x07b", "9110 5.5"),
    _field("vertical-tab-in-value", b"X: a\x0bb", "9110 5.5"),
    _field("delete-in-value", b"X: a\x7fb", "9110 5.5"),
    _field("bare-cr-in-value", b"X: a\rb", "9112 2.2"),
    _field("bare-cr-splits-the-answer", b"X: a\rSet-Cookie: b=c", "9112 2.2"),
    _field("bare-lf-splits-the-answer", b"X: a\nSet-Cookie: b=c", "9112 2.2"),
    _field("cr-before-line-end", b"X: a\r", "9112 2.2"),
    _field("lf-cr", b"X: a\n\rY: b", "9112 2.2"),
    _field("fold", b"X: a\r\n b", "9112 5.2"),
    _field("fold-by-tab", b"X: a\r\n\tb", "9112 5.2"),
    _field("fold-that-looks-like-a-header", b"X: a\r\n Content-Length: 9", "9112 5.2"),
    _field("blank-before-first-name", b" X: a", "9112 2.2"),
    _field("second-status-line", b"HTTP/1.1 404 Not Found"),
    Malformed("only-bare-lf", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", "9112 2.2"),
    Malformed("bare-lf-as-empty-line", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\nok\r\n\r\n", "9112 2.2"),
    _field("too-many-fields", b"\r\n".join(b"X-%d: y" % number for number in range(HEAD_FIELDS_MAX)), "limits: head fields"),
    _field("long-value", b"X: " + b"x" * HEAD_BYTES_MAX, "limits: head bytes"),
    Malformed("endless-reason", b"HTTP/1.1 200 " + b"x" * HEAD_BYTES_MAX, "limits: head bytes"),
    Malformed("endless-fields", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 12_000, "limits: head bytes"),
    Malformed("endless-nuls", bytes(HEAD_BYTES_MAX + 6), "limits: head bytes"),
)

FRAMINGS = (
    *(
        _framing(f"length-{name}", b"Content-Length: " + value)
        for name, value in (
            ("plus", b"+2"),
            ("minus", b"-2"),
            ("underscore", b"1_2"),
            ("hex", b"0x2"),
            ("point", b"2.0"),
            ("word", b"two"),
            ("empty", b""),
            ("list-equal", b"2, 2"),
            ("list-different", b"2, 3"),
            ("open-list", b"2,"),
            ("blank-inside", b"1 2"),
            ("wide-digit", "２".encode()),
            ("superscript", b"\xb2"),
            ("no-break-space", b"\xa02"),
            ("too-many-digits", b"1" + b"0" * LENGTH_DIGITS_MAX),
            ("4301-digits", b"9" * 4301),
        )
    ),
    _framing("length-twice-equal", b"Content-Length: 2\r\nContent-Length: 2"),
    _framing("length-twice-different", b"Content-Length: 2\r\nContent-Length: 3"),
    _framing("length-twice-blank-before-colon", b"Content-Length: 2\r\nContent-Length : 3"),
    _framing("length-bad-for-head", b"Content-Length: x", method="HEAD"),
    _framing("length-bad-with-204", b"Content-Length: x", b"204 No Content"),
    _framing("length-bad-with-304", b"Content-Length: -1", b"304 Not Modified"),
    _framing("length-twice-with-304", b"Content-Length: 2\r\nContent-Length: 3", b"304 Not Modified"),
    _framing("length-and-coding", b"Content-Length: 2\r\nTransfer-Encoding: chunked"),
    _framing("coding-and-length", b"Transfer-Encoding: chunked\r\nContent-Length: 2"),
    _framing("length-zero-and-coding", b"Content-Length: 0\r\nTransfer-Encoding: chunked"),
    _framing("length-and-coding-blank-before-colon", b"Content-Length: 2\r\nTransfer-Encoding : chunked"),
    _framing("length-and-coding-for-head", b"Content-Length: 2\r\nTransfer-Encoding: chunked", method="HEAD"),
    *(
        _framing(f"coding-{name}", b"Transfer-Encoding: " + value)
        for name, value in (
            ("unknown", b"xchunked"),
            ("gzip", b"gzip"),
            ("gzip-then-chunked", b"gzip, chunked"),
            ("chunked-then-gzip", b"chunked, gzip"),
            ("chunked-twice", b"chunked, chunked"),
            ("identity", b"identity"),
            ("empty", b""),
            ("open-list", b"chunked,"),
            ("parameter", b"chunked;q=1"),
            ("quoted", b'"chunked"'),
            ("vertical-tab", b"\x0bchunked"),
            ("no-break-space", b"chunked\xa0"),
            ("kelvin-sign", "chun\u212aed".encode()),
        )
    ),
    _framing("coding-lines-twice", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    _framing("coding-and-cow", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow"),
    _framing("coding-in-http-1.0", b"Transfer-Encoding: chunked", version=b"1.0"),
    _framing("coding-unknown-for-head", b"Transfer-Encoding: cow", method="HEAD"),
    _framing("coding-unknown-with-304", b"Transfer-Encoding: cow", b"304 Not Modified"),
)

CHUNKS = (
    *(
        _chunks(f"size-{name}", size + b"\r\nabc\r\n0\r\n\r\n")
        for name, size in (
            ("empty", b""),
            ("plus", b"+3"),
            ("minus", b"-3"),
            ("hex-prefix", b"0x3"),
            ("underscore", b"0_3"),
            ("letter", b"g"),
            ("space-in-front", b" 3"),
            ("space-behind", b"3 "),
            ("nul", b"3\x00"),
            ("superscript", b"\xb3"),
            ("only-extension", b";a=b"),
            ("16-digits", b"0000000000000003"),
            ("above-64-bits", b"10000000000000003"),
            ("bare-cr-behind", b"3\r"),
            ("extension-bare-lf", b"3;a\n"),
            ("extension-bare-cr", b"3;a\rb"),
            ("extension-nul", b"3;a\x00"),
            ("extension-too-long", b"3;" + b"a" * CHUNK_LINE_BYTES_MAX),
        )
    ),
    _chunks("size-line-ends-in-lf", b"3\nabc\r\n0\r\n\r\n"),
    _chunks("endless-size", b"0" * (CHUNK_LINE_BYTES_MAX + 2)),
    _chunks("chunk-longer-than-its-size", b"3\r\nabcd\r\n0\r\n\r\n"),
    _chunks("chunk-shorter-than-its-size", b"4\r\nabc\r\n0\r\n\r\n"),
    _chunks("chunk-without-line-end", b"3\r\nabc0\r\n\r\n"),
    _chunks("chunk-ends-in-lf", b"3\r\nabc\n0\r\n\r\n"),
    _chunks("second-chunk-bad", b"3\r\nabc\r\nx\r\nabc\r\n0\r\n\r\n"),
    _chunks("not-chunked-at-all", b"data: hello\n\ndata: world\n\n"),
    _chunks("last-chunk-ends-in-lf", b"0\n\r\n"),
    _chunks("last-line-is-lf", b"3\r\nabc\r\n0\r\n\n"),
    _chunks("trailer-without-colon", b"3\r\nabc\r\n0\r\ngarbage\r\n\r\n", "9112 7.1.2"),
    _chunks("trailer-nul", b"3\r\nabc\r\n0\r\nX: \x00\r\n\r\n", "9112 7.1.2"),
    _chunks("trailer-fold", b"3\r\nabc\r\n0\r\nX: y\r\n z\r\n\r\n", "9112 7.1.2"),
    _chunks("trailer-too-long", b"3\r\nabc\r\n0\r\nX: " + b"y" * (TRAILER_BYTES_MAX + 2), "9112 7.1.2"),
    _chunks("trailers-without-end", b"3\r\nabc\r\n0\r\n" + b"X: y\r\n" * 4000, "9112 7.1.2"),
)


def _cut(name: str, raw: bytes, fate: Fate = Fate.CUT) -> tuple[Malformed, Malformed]:
    closed, reset = Ending.CLOSES, Ending.RESETS
    return (
        Malformed(f"{name}-closed", raw, "9112 8", fate, closed),
        Malformed(f"{name}-reset", raw, "9112 8", fate, reset),
    )


CUTS = (
    *_cut("nothing", b"", Fate.LOST),
    *_cut("one-byte", b"H", Fate.LOST),
    *_cut("half-a-status-line", b"HTTP/1.1 20", Fate.LOST),
    *_cut("status-line", b"HTTP/1.1 200 OK\r\n", Fate.LOST),
    *_cut("half-a-field", b"HTTP/1.1 200 OK\r\nContent-Le", Fate.LOST),
    *_cut("half-an-empty-line", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r", Fate.LOST),
    *_cut("interim", b"HTTP/1.1 103 Early Hints\r\n\r\n", Fate.LOST),
    *_cut("interim-and-half-a-head", b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n", Fate.LOST),
    *_cut("length-no-body", LENGTH_HEAD),
    *_cut("length-half-a-body", LENGTH_HEAD + b"hello"),
    *_cut("length-one-byte-missing", LENGTH_HEAD + b"hello wor"),
    *_cut("chunked-no-body", CHUNKED_HEAD),
    *_cut("chunked-half-a-size", CHUNKED_HEAD + b"1"),
    *_cut("chunked-half-a-chunk", CHUNKED_HEAD + b"5\r\nhel"),
    *_cut("chunked-half-a-chunk-end", CHUNKED_HEAD + b"5\r\nhello\r"),
    *_cut("chunked-between-chunks", CHUNKED_HEAD + b"5\r\nhello\r\n"),
    *_cut("chunked-half-a-last-chunk", CHUNKED_HEAD + b"5\r\nhello\r\n0"),
    *_cut("chunked-no-last-line", CHUNKED_HEAD + b"5\r\nhello\r\n0\r\n"),
    *_cut("chunked-half-a-last-line", CHUNKED_HEAD + b"5\r\nhello\r\n0\r\n\r"),
    *_cut("chunked-half-a-trailer", CHUNKED_HEAD + b"5\r\nhello\r\n0\r\nX: y"),
    _cut("until-close-no-body", UNTIL_CLOSE_HEAD)[1],
    _cut("until-close-half-a-body", UNTIL_CLOSE_HEAD + b"hello")[1],
    _cut("until-close-http-1.0", b"HTTP/1.0 200 OK\r\n\r\nhello")[1],
)

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def _switch(name: str, lines: bytes) -> Malformed:
    return Malformed(name, b"HTTP/1.1 101 Switching Protocols\r\n" + lines + b"\r\n\r\n", "9110 7.8")


INTERIMS = (
    Malformed("interim-for-ever", _CONTINUE * (INTERIM_RESPONSES_MAX + 1), "limits: interim responses"),
    Malformed("interim-for-ever-and-an-answer", _CONTINUE * 100 + _OK, "limits: interim responses"),
    Malformed("interim-with-a-body", b"HTTP/1.1 103 Early Hints\r\nContent-Length: 2\r\n\r\nok" + _OK, "9110 15.2"),
    Malformed("interim-and-garbage", _CONTINUE + b"garbage\r\n\r\n", "9112 4"),
    Malformed("interim-with-bad-length", b"HTTP/1.1 103 Early Hints\r\nContent-Length: x\r\n\r\n" + _OK, "9112 6.3"),
    Malformed(
        "interim-with-two-framings",
        b"HTTP/1.1 100 x\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n" + _OK,
        "9112 6.3",
    ),
    Malformed("interim-with-bare-lf", b"HTTP/1.1 100 Continue\n\n" + _OK, "9112 2.2"),
    _switch("switch-unasked", b"Connection: upgrade\r\nUpgrade: websocket"),
    _switch("switch-without-protocol", b"Connection: upgrade"),
    _switch("switch-without-fields", b"X: y"),
    Malformed("interim-and-switch-unasked", _CONTINUE + b"HTTP/1.1 101 x\r\nUpgrade: h2c\r\n\r\n", "9110 7.8"),
)


def _surplus(name: str, raw: bytes, method: str = "GET") -> Malformed:
    return Malformed(name, raw, "9112 6.3", Fate.WHOLE, method=method)


SURPLUS = (
    _surplus("surplus-behind-a-length", _OK + b"more"),
    _surplus("surplus-behind-length-zero", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore"),
    _surplus("surplus-behind-chunks", CHUNKED_HEAD + b"2\r\nok\r\n0\r\n\r\nmore"),
    _surplus("surplus-line-end", _OK + b"\r\n"),
    _surplus("surplus-nul", _OK + b"\x00"),
    _surplus("second-answer", _OK + b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
    _surplus("second-answer-behind-chunks", CHUNKED_HEAD + b"2\r\nok\r\n0\r\n\r\n" + _OK),
    _surplus("body-with-204", b"HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok"),
    _surplus("chunks-with-204", b"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    _surplus("body-with-304", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\nok"),
    _surplus("body-for-head", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "HEAD"),
    _surplus("chunks-for-head", CHUNKED_HEAD + b"2\r\nok\r\n0\r\n\r\n", "HEAD"),
    _surplus("interim-behind-an-answer", _OK + _CONTINUE),
)

FAMILIES = {
    "status lines": STATUS_LINES,
    "fields": FIELDS,
    "framings": FRAMINGS,
    "chunks": CHUNKS,
    "cuts": CUTS,
    "interims": INTERIMS,
    "surplus": SURPLUS,
}
CORPUS = tuple(case for family in FAMILIES.values() for case in family)

STRICTER_THAN_H11 = {
    "h11 takes every digit.digit for a version": (
        "status-line-version-2.0",
        "status-line-version-1.2",
        "status-line-version-0.9",
    ),
    "h11 lets control bytes through for the sake of old cookies; a log or a terminal may take them for more": (
        "status-line-escape-in-reason",
        "status-line-delete-in-reason",
        "bell-in-value",
        "delete-in-value",
    ),
    "h11 takes a bare LF for a line end; a hop that does not would see other headers": (
        "bare-lf-splits-the-answer",
        "only-bare-lf",
        "bare-lf-as-empty-line",
        "interim-with-bare-lf",
        "last-line-is-lf",
    ),
    "h11 joins folded lines; a hop that does not would see other headers": (
        "fold",
        "fold-by-tab",
        "fold-that-looks-like-a-header",
        "trailer-fold",
    ),
    "h11 takes equal lengths for one; a refusal leaves nothing to disagree about": (
        "length-list-equal",
        "length-twice-equal",
    ),
    "h11 drops Content-Length where there is a transfer coding; it is how answers are split": (
        "length-and-coding",
        "coding-and-length",
        "length-zero-and-coding",
        "length-and-coding-for-head",
        "interim-with-two-framings",
    ),
    "h11 reads chunks of HTTP/1.0; RFC 9112 6.1 calls such framing faulty": ("coding-in-http-1.0",),
    "h11 strips blanks behind a chunk size; the grammar has none": ("size-space-behind",),
    "h11 does not read chunk extensions": ("size-extension-bare-cr", "size-extension-nul"),
    "h11 waits for more, though nothing that may come can make this valid": (
        "bare-lf-page",
        "endless-size",
        "not-chunked-at-all",
    ),
    "h11 has no such limit": (
        "too-many-fields",
        "long-value",
        "length-too-many-digits",
        "size-16-digits",
        "size-above-64-bits",
        "size-extension-too-long",
        "interim-for-ever",
        "interim-for-ever-and-an-answer",
    ),
}
"""Every deliberate difference: why, and which cases show it."""
