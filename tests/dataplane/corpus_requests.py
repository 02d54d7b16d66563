"""Malformed requests by family. None of them may reach an upstream as a whole request; each must get its error."""

from dataclasses import dataclass

from tracer_proxy.errors import Kind
from tracer_proxy.limits import (
    CHUNK_LINE_BYTES_MAX,
    HEAD_BYTES_MAX,
    HEAD_FIELDS_MAX,
    LENGTH_DIGITS_MAX,
    TRAILER_BYTES_MAX,
)

BODY_BYTES_MAX = 1024
"""The route's ``limits.request_body``."""

_TARGET_CHECK = "h11 takes any visible bytes for a target and leaves its form to the application"
_HOST_CHECK = "h11 counts Host headers and does not read them"
_VERSION_CHECK = "h11 takes every digit.digit for a version"
_CONTROLS = "h11 lets control bytes through for the sake of old cookies; a log or a backend may take them for more"
_BARE_LF = "h11 takes a bare LF for a line end; a hop that does not would see other headers"
_FOLD = "h11 joins folded lines; a hop that does not would see other headers"
_LENGTH_LIST = "h11 takes equal lengths for one; a refusal leaves nothing to disagree about (RFC 9110 8.6 allows both)"
_BOTH_LENGTHS = "h11 drops Content-Length as RFC 9112 6.1 allows; here it is refused, for it is how requests are smuggled"
_CODING_1_0 = "h11 reads chunks of HTTP/1.0; RFC 9112 6.1 calls such framing faulty"
_BLANK_BEHIND_SIZE = "h11 strips blanks behind a chunk size; the grammar has none"
_CHUNK_CHECK = "h11 does not read chunk extensions; a bare CR or a control byte in one is read in two ways elsewhere"
_WAITS = "h11 waits for more, though nothing that may come can make this valid"
_LIMIT = "h11 has no such limit"


@dataclass(frozen=True)
class Malformed:
    name: str
    raw: bytes
    section: str
    """Of RFC 9110 or 9112, or the project's own limit."""
    status: int = 400
    accepted_by_h11: str = ""
    """Why this proxy is stricter than h11; empty where h11 refuses the same bytes."""

    @property
    def kind(self) -> Kind:
        return {
            400: Kind.MALFORMED,
            408: Kind.SLOW_REQUEST,
            413: Kind.BODY_TOO_LARGE,
            431: Kind.HEAD_TOO_LARGE,
        }[self.status]


def _line(name: str, line: bytes, section: str = "9112 3", h11: str = "") -> Malformed:
    """A request whose first line is wrong."""
    return Malformed(name, line + b"\r\nHost: t\r\n\r\n", section, accepted_by_h11=h11)


def _target(name: str, target: bytes, section: str = "9112 3.2", method: bytes = b"GET", h11: str = _TARGET_CHECK) -> Malformed:
    return _line(name, method + b" " + target + b" HTTP/1.1", section, h11)


def _host(name: str, *lines: bytes, section: str = "9112 3.2", h11: str = _HOST_CHECK, version: bytes = b"1.1") -> Malformed:
    head = b"\r\n".join((b"GET / HTTP/" + version, *lines, b"", b""))
    return Malformed(name, head, section, accepted_by_h11=h11)


def _field(name: str, lines: bytes, section: str = "9112 5", h11: str = "", status: int = 400) -> Malformed:
    """A GET with raw header lines behind a good one."""
    return Malformed(name, b"GET / HTTP/1.1\r\nHost: t\r\n" + lines + b"\r\n\r\n", section, status, h11)


SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: t\r\n\r\n"


def _length(name: str, lines: bytes, section: str = "9112 6.3", h11: str = "") -> Malformed:
    """A POST with five bytes behind its head, and a second request behind those."""
    return Malformed(
        name, b"POST / HTTP/1.1\r\nHost: t\r\n" + lines + b"\r\n\r\nhello" + SMUGGLED, section, accepted_by_h11=h11
    )


def _coding(name: str, lines: bytes, section: str = "9112 6.1", h11: str = "") -> Malformed:
    """A POST with chunks behind its head, and a second request behind those."""
    body = b"5\r\nhello\r\n0\r\n\r\n" + SMUGGLED
    return Malformed(name, b"POST / HTTP/1.1\r\nHost: t\r\n" + lines + b"\r\n\r\n" + body, section, accepted_by_h11=h11)


CHUNKED_HEAD = b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"


def _chunks(name: str, body: bytes, section: str = "9112 7.1", h11: str = "", status: int = 400) -> Malformed:
    """A chunked POST whose body is wrong somewhere."""
    return Malformed(name, CHUNKED_HEAD + body, section, status, h11)


def _unfinished(name: str, raw: bytes, section: str = "9112 8") -> Malformed:
    """What comes is right; more does not come."""
    return Malformed(name, raw, section, 408)


REQUEST_LINES = (
    _line("no-version", b"GET /"),
    _line("no-target", b"GET HTTP/1.1"),
    _line("only-a-method", b"GET"),
    _line("no-method", b"/ HTTP/1.1"),
    _line("two-spaces-before-target", b"GET  / HTTP/1.1"),
    _line("two-spaces-before-version", b"GET /  HTTP/1.1"),
    _line("space-in-front", b" GET / HTTP/1.1"),
    _line("space-behind", b"GET / HTTP/1.1 "),
    _line("tabs-for-spaces", b"GET\t/\tHTTP/1.1"),
    _line("tab-behind-method", b"GET\t / HTTP/1.1"),
    _line("vertical-tab-for-space", b"GET\x0b/\x0bHTTP/1.1"),
    _line("form-feed-for-space", b"GET\x0c/\x0cHTTP/1.1"),
    _line("no-break-space-for-space", b"GET\xa0/\xa0HTTP/1.1"),
    _line("four-words", b"GET /a b HTTP/1.1"),
    _line("bare-cr-in-line", b"GET /\rHTTP/1.1", "9112 2.2"),
    _line("cr-behind-version", b"GET / HTTP/1.1\r", "9112 2.2"),
    _line("nul-in-line", b"GET /\x00 HTTP/1.1", "9112 2.2"),
    _line("parenthesis-in-method", b"G(T / HTTP/1.1", "9110 9.1"),
    _line("at-sign-in-method", b"G@T / HTTP/1.1", "9110 9.1"),
    _line("colon-in-method", b"GET: / HTTP/1.1", "9110 9.1"),
    _line("quoted-method", b'"GET" / HTTP/1.1', "9110 9.1"),
    _line("nul-in-method", b"GE\x00T / HTTP/1.1", "9110 9.1"),
    _line("umlaut-in-method", "GÄT / HTTP/1.1".encode(), "9110 9.1"),
    _line("byte-order-mark", b"\xef\xbb\xbfGET / HTTP/1.1", "9112 3"),
    Malformed("http-0.9", b"GET /\r\n\r\n", "9112 2.3"),
    Malformed("http-0.9-with-bare-lf", b"GET /\n", "9112 2.2", accepted_by_h11=_WAITS),
    Malformed("two-empty-lines-in-front", b"\r\n\r\nGET / HTTP/1.1\r\nHost: t\r\n\r\n", "9112 2.2"),
    Malformed("only-empty-lines", b"\r\n\r\n\r\n\r\n", "9112 2.2"),
    Malformed("http-2-preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "9112 2.3", accepted_by_h11=_VERSION_CHECK),
    Malformed("answer-instead-of-request", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "9112 3"),
    Malformed("ssh-greeting", b"SSH-2.0-OpenSSH_9.6\r\n\r\n", "9112 3"),
    Malformed("mail-greeting", b"EHLO example.com\r\nMAIL FROM:<a@b>\r\n\r\n", "9112 3"),
    Malformed("random-bytes", bytes(range(128, 256)) + b"\r\n\r\n", "9112 3"),
)

VERSIONS = (
    *(
        _line(f"version-{name}", b"GET / " + version, "9112 2.3", h11)
        for name, version, h11 in (
            ("2.0", b"HTTP/2.0", _VERSION_CHECK),
            ("3.0", b"HTTP/3.0", _VERSION_CHECK),
            ("1.2", b"HTTP/1.2", _VERSION_CHECK),
            ("0.9", b"HTTP/0.9", _VERSION_CHECK),
            ("1.10", b"HTTP/1.10", ""),
            ("01.1", b"HTTP/01.1", ""),
            ("1", b"HTTP/1", ""),
            ("1.", b"HTTP/1.", ""),
            ("11", b"HTTP/11", ""),
            ("lower-case", b"http/1.1", ""),
            ("with-blank", b"HTTP/ 1.1", ""),
            ("with-sign", b"HTTP/+1.1", ""),
            ("with-comma", b"HTTP/1,1", ""),
            ("with-letter", b"HTTP/1.1x", ""),
            ("with-nul", b"HTTP/1.1\x00", ""),
            ("wide-digit", "HTTP/１.1".encode(), ""),
            ("https", b"HTTPS/1.1", ""),
            ("icy", b"ICY/1.0", ""),
            ("missing-name", b"/1.1", ""),
            ("slash-missing", b"HTTP1.1", ""),
        )
    ),
)

TARGETS = (
    _target("fragment", b"/a#b"),
    _target("only-a-fragment", b"#"),
    _target("fragment-behind-query", b"/?a=b#c"),
    _target("no-slash", b"index.html", "9112 3.2.1"),
    _target("only-a-query", b"?q=1", "9112 3.2.1"),
    _target("dots", b"../etc/passwd", "9112 3.2.1"),
    _target("backslash-in-front", b"\\a", "9112 3.2.1"),
    _target("raw-utf-8", "/ü".encode(), h11=""),
    _target("raw-latin-1", b"/\xfc", h11=""),
    _target("delete", b"/\x7f", h11=""),
    _target("escape", b"/\x1b", h11=""),
    _target("tab", b"/a\tb", h11=""),
    _target("asterisk-with-get", b"*", "9112 3.2.4"),
    _target("asterisk-with-query", b"*?a", "9112 3.2.4", b"OPTIONS"),
    _target("two-asterisks", b"**", "9112 3.2.4", b"OPTIONS"),
    _target("authority-with-get", b"example.com:80", "9112 3.2.3"),
    _target("connect-authority", b"example.com:443", "9112 3.2.3", b"CONNECT"),
    _target("connect-path", b"/a", "9112 3.2.3", b"CONNECT"),
    _target("connect-absolute", b"http://example.com/", "9112 3.2.3", b"CONNECT"),
    _target("absolute-without-host", b"http:///a", "9112 3.2.2"),
    _target("absolute-nothing", b"http://", "9112 3.2.2"),
    _target("absolute-one-slash", b"http:/example.com/", "9112 3.2.2"),
    _target("absolute-no-slash", b"http:example.com", "9112 3.2.2"),
    _target("absolute-other-scheme", b"ftp://example.com/", "9112 3.2.2"),
    _target("absolute-script", b"javascript:alert(1)", "9112 3.2.2"),
    _target("absolute-file", b"file:///etc/passwd", "9112 3.2.2"),
    _target("absolute-user", b"http://user@example.com/", "9110 4.2.4"),
    _target("absolute-user-and-password", b"http://user:pw@example.com/", "9110 4.2.4"),
    _target("absolute-hidden-user", b"http://good.example%2f@evil.example/", "9110 4.2.4"),
    _target("absolute-backslash", b"http://good.example\\@evil.example/", "9112 3.2.2"),
    _target("absolute-port-word", b"http://example.com:http/", "9112 3.2.2"),
    _target("absolute-port-too-long", b"http://example.com:000080/", "9112 3.2.2"),
    _target("absolute-two-ports", b"http://example.com:80:80/", "9112 3.2.2"),
    _target("absolute-half-bracket", b"http://[::1/", "9112 3.2.2"),
    _target("absolute-comma", b"http://a,b/", "9112 3.2.2"),
    _target("absolute-bad-percent", b"http://a%zz/", "9112 3.2.2"),
    _target("absolute-fragment", b"http://example.com#a", "9112 3.2.2"),
    _target("absolute-blank-in-host", b"http://exa mple.com/", "9112 3.2.2", h11=""),
)

HOSTS = (
    _host("host-missing", b"Accept: */*", h11=""),
    _host("host-missing-no-fields", h11=""),
    Malformed("host-missing-with-absolute-target", b"GET http://t/ HTTP/1.1\r\nAccept: */*\r\n\r\n", "9112 3.2.2"),
    _host("host-empty", b"Host:"),
    _host("host-blank", b"Host: \t "),
    _host("host-twice-equal", b"Host: t", b"Host: t", h11=""),
    _host("host-twice-different", b"Host: a", b"Host: b", h11=""),
    _host("host-twice-other-case", b"Host: a", b"hOST: a", h11=""),
    _host("host-and-empty-one", b"Host: a", b"Host:", h11=""),
    _host("host-empty-and-one", b"Host:", b"Host: a", h11=""),
    _host("host-twice-http-1.0", b"Host: a", b"Host: b", h11="", version=b"1.0"),
    _host("host-bad-http-1.0", b"Host: a b", version=b"1.0"),
    *(
        _host(f"host-{name}", b"Host: " + value)
        for name, value in (
            ("list", b"a, b"),
            ("with-blank", b"a b"),
            ("with-tab", b"a\tb"),
            ("with-path", b"a/b"),
            ("with-query", b"a?b"),
            ("with-fragment", b"a#b"),
            ("with-user", b"user@a"),
            ("with-scheme", b"http://a"),
            ("with-backslash", b"a\\b"),
            ("with-bar", b"a|b"),
            ("with-less-than", b"a<b"),
            ("with-caret", b"a^b"),
            ("quoted", b'"a"'),
            ("braced", b"{a}"),
            ("umlaut", "ä.example".encode()),
            ("bad-percent", b"a%zz"),
            ("half-percent", b"a%4"),
            ("port-word", b"a:http"),
            ("port-minus", b"a:-1"),
            ("port-plus", b"a:+80"),
            ("port-too-long", b"a:000080"),
            ("two-ports", b"a:80:80"),
            ("only-a-port", b":80"),
            ("bare-ipv6", b"::1"),
            ("half-bracket", b"[::1"),
            ("other-half-bracket", b"::1]"),
            ("empty-brackets", b"[]"),
            ("bad-ipv6", b"[::g]"),
            ("behind-brackets", b"[::1]a"),
            ("too-long", b"a" * 256),
        )
    ),
    _host("host-with-nul", b"Host: a\x00b", h11=""),
    _host("host-with-delete", b"Host: a\x7fb"),
    _host("host-name-blank", b"Host : a", section="9112 5.1", h11=""),
)

FIELDS = (
    _field("space-before-colon", b"X : y", "9112 5.1"),
    _field("tab-before-colon", b"X\t: y", "9112 5.1"),
    _field("space-before-colon-of-length", b"Content-Length : 5", "9112 5.1"),
    _field("no-colon", b"garbage"),
    _field("only-a-colon", b":"),
    _field("empty-name", b": x"),
    _field("blank-name", b" : x", "9112 5.2", _FOLD),
    _field("space-in-name", b"X Y: z", "9110 5.1"),
    _field("parenthesis-in-name", b"X(Y): z", "9110 5.1"),
    _field("slash-in-name", b"X/Y: z", "9110 5.1"),
    _field("brackets-round-name", b"[X]: z", "9110 5.1"),
    _field("quoted-name", b'"X": z', "9110 5.1"),
    _field("umlaut-in-name", "Ä: z".encode(), "9110 5.1"),
    _field("nul-in-name", b"X\x00Y: z", "9110 5.1"),
    _field("delete-in-name", b"X\x7fY: z", "9110 5.1"),
    _field("no-break-space-before-colon", b"X\xa0: z", "9110 5.1"),
    _field("vertical-tab-before-colon", b"X\x0b: z", "9110 5.1"),
    _field("second-request-line", b"GET /smuggled HTTP/1.1"),
    _field("nul-in-value", b"X: a\x00b", "9110 5.5"),
    _field("only-nul-in-value", b"X: \x00", "9110 5.5"),
    _field("vertical-tab-in-value", b"X: a\x0bb", "9110 5.5"),
    _field("form-feed-in-value", b"X: a\x0cb", "9110 5.5"),
    _field("bell-in-value", b"X: a\x07b", "9110 5.5", _CONTROLS),
    _field("escape-in-value", b"X: \x1b[31mred", "9110 5.5", _CONTROLS),
    _field("delete-in-value", b"X: a\x7fb", "9110 5.5", _CONTROLS),
    _field("bare-cr-in-value", b"X: a\rb", "9112 2.2"),
    _field("bare-cr-hides-a-header", b"X: a\rTransfer-Encoding: chunked", "9112 2.2"),
    _field("bare-cr-in-front", b"\rX: a", "9112 2.2"),
    _field("cr-before-line-end", b"X: a\r", "9112 2.2"),
    _field("bare-lf-hides-a-header", b"X: a\nTransfer-Encoding: chunked", "9112 2.2", _BARE_LF),
    _field("bare-lf-and-no-colon", b"X: a\nb", "9112 2.2"),
    _field("bare-lf-ends-a-head", b"X: a\n\nGET /smuggled HTTP/1.1\r\nHost: t", "9112 2.2", _BARE_LF),
    _field("lf-cr", b"X: a\n\rY: b", "9112 2.2"),
    Malformed("only-bare-lf", b"GET / HTTP/1.1\nHost: t\n\n", "9112 2.2", accepted_by_h11=_BARE_LF),
    Malformed("only-bare-cr", b"GET / HTTP/1.1\rHost: t\r\r", "9112 2.2", accepted_by_h11=_WAITS),
    Malformed("bare-lf-behind-request-line", b"GET / HTTP/1.1\nHost: t\r\n\r\n", "9112 2.2", accepted_by_h11=_BARE_LF),
    Malformed("bare-lf-before-empty-line", b"GET / HTTP/1.1\r\nHost: t\n\r\n", "9112 2.2", accepted_by_h11=_BARE_LF),
    Malformed(
        "bare-lf-as-empty-line", b"GET / HTTP/1.1\r\nHost: t\r\n\nGET / HTTP/1.1\r\n\r\n", "9112 2.2", accepted_by_h11=_BARE_LF
    ),
    _field("fold", b"X: a\r\n b", "9112 5.2", _FOLD),
    _field("fold-by-tab", b"X: a\r\n\tb", "9112 5.2", _FOLD),
    _field("fold-that-looks-like-a-header", b"X: a\r\n Transfer-Encoding: chunked", "9112 5.2", _FOLD),
    _field("fold-of-nothing", b"X: a\r\n ", "9112 5.2", _FOLD),
    _field("fold-of-coding", b"Transfer-Encoding:\r\n chunked", "9112 5.2", _FOLD),
    _field("fold-of-length", b"Content-Length:\r\n 0", "9112 5.2", _FOLD),
    Malformed("fold-of-request-line", b"GET / HTTP/1.1\r\n Host: t\r\n\r\n", "9112 2.2"),
    Malformed("fold-of-host", b"GET / HTTP/1.1\r\nHost:\r\n t\r\n\r\n", "9112 5.2", accepted_by_h11=_FOLD),
)

_FULL = b"x" * HEAD_BYTES_MAX
_MANY = b"\r\n".join(b"X-%d: y" % number for number in range(HEAD_FIELDS_MAX))

LIMITS = (
    _field("too-many-fields", _MANY, "limits: head fields", _LIMIT, 431),
    _field("far-too-many-fields", b"\r\n".join([b"A:"] * 10_000), "limits: head fields", _LIMIT, 431),
    _field("long-value", b"X: " + _FULL, "limits: head bytes", _LIMIT, 431),
    _field("long-name", _FULL + b": y", "limits: head bytes", _LIMIT, 431),
    _field("long-line-without-colon", _FULL, "limits: head bytes", "", 431),
    _field("long-cookies", b"\r\n".join([b"Cookie: " + b"c" * 1000] * 80), "limits: head bytes", _LIMIT, 431),
    Malformed("long-target", b"GET /" + _FULL + b" HTTP/1.1\r\nHost: t\r\n\r\n", "limits: head bytes", 431, _LIMIT),
    Malformed("long-method", _FULL + b" / HTTP/1.1\r\nHost: t\r\n\r\n", "limits: head bytes", 431, _LIMIT),
    Malformed("endless-method", _FULL + b"xxxxxx", "limits: head bytes", 431),
    Malformed("endless-target", b"GET /x" + _FULL, "limits: head bytes", 431),
    Malformed("endless-value", b"GET / HTTP/1.1\r\nHost: t\r\nX: " + _FULL, "limits: head bytes", 431),
    Malformed("endless-fields", b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 12_000, "limits: head bytes", 431),
    Malformed("endless-nuls", bytes(HEAD_BYTES_MAX + 6), "limits: head bytes", 431),
)

LENGTHS = (
    *(
        _length(f"length-{name}", b"Content-Length: " + value, h11=h11)
        for name, value, h11 in (
            ("plus", b"+5", ""),
            ("minus", b"-5", ""),
            ("minus-zero", b"-0", ""),
            ("underscore", b"5_0", ""),
            ("underscore-in-front", b"_5", ""),
            ("hex", b"0x5", ""),
            ("hex-letter", b"a", ""),
            ("octal", b"0o5", ""),
            ("point", b"5.0", ""),
            ("exponent", b"5e0", ""),
            ("word", b"five", ""),
            ("empty", b"", ""),
            ("blank", b" ", ""),
            ("two-words", b"5 5", ""),
            ("inner-tab", b"5\t5", ""),
            ("list-equal", b"5, 5", _LENGTH_LIST),
            ("list-tight", b"5,5", _LENGTH_LIST),
            ("list-different", b"5, 6", ""),
            ("list-open", b"5,", ""),
            ("list-open-in-front", b",5", ""),
            ("parameter", b"5;a=b", ""),
            ("quoted", b'"5"', ""),
            ("wide-digit", "５".encode(), ""),
            ("arabic-digit", "٥".encode(), ""),
            ("superscript", b"\xb2", ""),
            ("no-break-space", b"\xa05", ""),
            ("next-line-byte", b"\x855", ""),
            ("vertical-tab", b"\x0b5", ""),
            ("form-feed", b"5\x0c", ""),
            ("nul", b"5\x00", ""),
            ("bell", b"5\x07", ""),
            ("one-digit-too-many", b"1" + b"0" * LENGTH_DIGITS_MAX, _LIMIT),
            ("above-63-bits", b"9223372036854775808", _LIMIT),
            ("above-64-bits", b"18446744073709551621", _LIMIT),
            ("4301-digits", b"9" * 4301, ""),
            ("many-zeros", b"0" * 40 + b"5", ""),
        )
    ),
    _length("length-twice-equal", b"Content-Length: 5\r\nContent-Length: 5", h11=_LENGTH_LIST),
    _length("length-twice-different", b"Content-Length: 5\r\nContent-Length: 0"),
    _length("length-twice-zero-first", b"Content-Length: 0\r\nContent-Length: 5"),
    _length("length-twice-other-case", b"Content-Length: 5\r\ncontent-length: 6"),
    _length("length-twice-same-value-otherwise-written", b"Content-Length: 5\r\nContent-Length: 05"),
    _length("length-three-times", b"Content-Length: 5\r\nX: y\r\nContent-Length: 5\r\nContent-Length: 5", h11=_LENGTH_LIST),
    _length("length-and-empty-one", b"Content-Length: 5\r\nContent-Length:"),
    _length("length-and-bad-one", b"Content-Length: 5\r\nContent-Length: x"),
    _length("length-blank-before-colon", b"Content-Length : 5", "9112 5.1"),
    _length("length-name-with-nul", b"Content-Length\x00: 5", "9110 5.1"),
    _length("length-in-a-fold", b"X: y\r\n Content-Length: 5", "9112 5.2", _FOLD),
    _length("length-behind-bare-lf", b"X: y\nContent-Length: 5", "9112 2.2", _BARE_LF),
    _length("length-behind-bare-cr", b"X: y\rContent-Length: 5", "9112 2.2"),
)

CODINGS = (
    _coding("cl-te", b"Content-Length: 5\r\nTransfer-Encoding: chunked", "9112 6.3", _BOTH_LENGTHS),
    _coding("te-cl", b"Transfer-Encoding: chunked\r\nContent-Length: 5", "9112 6.3", _BOTH_LENGTHS),
    _coding("cl-0-te", b"Content-Length: 0\r\nTransfer-Encoding: chunked", "9112 6.3", _BOTH_LENGTHS),
    _coding("cl-bad-te", b"Content-Length: x\r\nTransfer-Encoding: chunked", "9112 6.3"),
    _coding("cl-empty-te", b"Content-Length:\r\nTransfer-Encoding: chunked", "9112 6.3"),
    _coding("cl-te-far-apart", b"Content-Length: 5\r\nA: b\r\nTransfer-Encoding: chunked", "9112 6.3", _BOTH_LENGTHS),
    _coding(
        "cl-te-listed",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: Content-Length",
        "9112 6.3",
        _BOTH_LENGTHS,
    ),
    _coding("cl-te-identity", b"Content-Length: 5\r\nTransfer-Encoding: identity", "9112 6.3"),
    _coding("cl-te-unknown", b"Content-Length: 5\r\nTransfer-Encoding: xchunked", "9112 6.3"),
    _coding("cl-te-empty", b"Content-Length: 5\r\nTransfer-Encoding:", "9112 6.3"),
    *(
        _coding(f"te-{name}", b"Transfer-Encoding: " + value, h11=h11)
        for name, value, h11 in (
            ("xchunked", b"xchunked", ""),
            ("chunkedx", b"chunkedx", ""),
            ("chunked-twice", b"chunked, chunked", ""),
            ("chunked-not-last", b"chunked, gzip", ""),
            ("chunked-then-identity", b"chunked, identity", ""),
            ("identity-then-chunked", b"identity, chunked", ""),
            ("gzip-then-chunked", b"gzip, chunked", ""),
            ("cow-then-chunked", b"cow, chunked", ""),
            ("open-list", b"chunked,", ""),
            ("open-list-in-front", b",chunked", ""),
            ("identity", b"identity", ""),
            ("gzip", b"gzip", ""),
            ("trailers", b"trailers", ""),
            ("empty", b"", ""),
            ("parameter", b"chunked;q=1", ""),
            ("empty-parameter", b"chunked;", ""),
            ("quoted", b'"chunked"', ""),
            ("single-quoted", b"'chunked'", ""),
            ("blank-inside", b"chu nked", ""),
            ("dash", b"-chunked", ""),
            ("colon", b": chunked", ""),
            ("vertical-tab-in-front", b"\x0bchunked", ""),
            ("vertical-tab-behind", b"chunked\x0b", ""),
            ("form-feed", b"\x0cchunked", ""),
            ("nul-behind", b"chunked\x00", ""),
            ("bell-behind", b"chunked\x07", ""),
            ("no-break-space", b"\xa0chunked", ""),
            ("next-line-byte", b"chunked\x85", ""),
            ("kelvin-sign", "chun\u212aed".encode(), ""),
            ("long-s", "chunkedſ".encode(), ""),
            ("byte-order-mark", b"\xef\xbb\xbfchunked", ""),
        )
    ),
    _coding("te-te", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
    _coding("te-te-cow", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow"),
    _coding("te-cow-te", b"Transfer-Encoding: cow\r\nTransfer-Encoding: chunked"),
    _coding("te-te-identity", b"Transfer-Encoding: identity\r\ntransfer-encoding: chunked"),
    _coding("te-te-empty", b"Transfer-Encoding: chunked\r\nTransfer-Encoding:"),
    _coding("te-space-before-colon", b"Transfer-Encoding : chunked", "9112 5.1"),
    _coding("te-tab-before-colon", b"Transfer-Encoding\t: chunked", "9112 5.1"),
    _coding("te-nul-before-colon", b"Transfer-Encoding\x00: chunked", "9110 5.1"),
    _coding("te-vertical-tab-before-colon", b"Transfer-Encoding\x0b: chunked", "9110 5.1"),
    _coding("te-space-in-front", b" Transfer-Encoding: chunked", "9112 5.2", _FOLD),
    _coding("te-tab-in-front", b"\tTransfer-Encoding: chunked", "9112 5.2", _FOLD),
    _coding("te-behind-bare-lf", b"X: y\nTransfer-Encoding: chunked", "9112 2.2", _BARE_LF),
    _coding("te-behind-bare-cr", b"X: y\rTransfer-Encoding: chunked", "9112 2.2"),
    _coding("te-value-on-next-line", b"Transfer-Encoding:\n chunked", "9112 5.2", _FOLD),
    _coding("te-bare-cr-behind", b"Transfer-Encoding: chunked\rX: y", "9112 2.2"),
    _coding("te-nul-in-front-of-name", b"\x00Transfer-Encoding: chunked", "9110 5.1"),
    Malformed(
        "te-in-http-1.0",
        b"POST / HTTP/1.0\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        "9112 6.1",
        accepted_by_h11=_CODING_1_0,
    ),
    Malformed(
        "te-in-http-1.0-kept",
        b"POST / HTTP/1.0\r\nHost: t\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
        "9112 6.1",
        accepted_by_h11=_CODING_1_0,
    ),
    Malformed(
        "te-cl-in-http-1.0",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + SMUGGLED,
        "9112 6.1",
        accepted_by_h11=_CODING_1_0,
    ),
)

CHUNKS = (
    *(
        _chunks(f"size-{name}", size + b"\r\nabc\r\n0\r\n\r\n" + SMUGGLED, h11=h11)
        for name, size, h11 in (
            ("empty", b"", ""),
            ("plus", b"+3", ""),
            ("minus", b"-3", ""),
            ("minus-zero", b"-0", ""),
            ("hex-prefix", b"0x3", ""),
            ("underscore", b"0_3", ""),
            ("letter", b"g", ""),
            ("letter-behind", b"3g", ""),
            ("h-suffix", b"3h", ""),
            ("point", b"3.0", ""),
            ("comma", b"3,3", ""),
            ("quoted", b'"3"', ""),
            ("space-in-front", b" 3", ""),
            ("space-behind", b"3 ", _BLANK_BEHIND_SIZE),
            ("tab-in-front", b"\t3", ""),
            ("tab-behind", b"3\t", _BLANK_BEHIND_SIZE),
            ("space-before-extension", b"3 ;a", ""),
            ("vertical-tab", b"3\x0b", ""),
            ("nul", b"3\x00", ""),
            ("wide-digit", "３".encode(), ""),
            ("arabic-digit", "٣".encode(), ""),
            ("superscript", b"\xb3", ""),
            ("only-extension", b";a=b", ""),
            ("16-digits", b"0000000000000003", _LIMIT),
            ("above-63-bits", b"8000000000000003", _LIMIT),
            ("above-64-bits", b"10000000000000003", _LIMIT),
            ("100-digits", b"f" * 100, ""),
            ("bare-cr-behind", b"3\r", ""),
            ("bare-cr-inside", b"3\r3", ""),
            ("bare-lf-inside", b"3\n", ""),
            ("extension-bare-lf", b"3;a\n", ""),
            ("extension-bare-cr", b"3;a\rb", _CHUNK_CHECK),
            ("extension-cr-behind", b"3;a\r", _CHUNK_CHECK),
            ("extension-nul", b"3;a\x00", _CHUNK_CHECK),
            ("extension-escape", b"3;a=\x1b", _CHUNK_CHECK),
            ("extension-delete", b"3;a=\x7f", _CHUNK_CHECK),
            ("extension-too-long", b"3;" + b"a" * CHUNK_LINE_BYTES_MAX, _LIMIT),
        )
    ),
    _chunks("size-line-ends-in-lf", b"3\nabc\r\n0\r\n\r\n"),
    _chunks("extension-line-ends-in-lf", b"3;a\nabc\r\n0\r\n\r\n"),
    _chunks("size-line-ends-in-cr", b"3\rabc\r\n0\r\n\r\n"),
    _chunks("endless-size", b"0" * (CHUNK_LINE_BYTES_MAX + 2), h11=_WAITS),
    _chunks("endless-extension", b"3;" + b"a" * (CHUNK_LINE_BYTES_MAX + 2), h11=_WAITS),
    _chunks("chunk-longer-than-its-size", b"3\r\nabcd\r\n0\r\n\r\n"),
    _chunks("chunk-shorter-than-its-size", b"4\r\nabc\r\n0\r\n\r\n"),
    _chunks("chunk-without-line-end", b"3\r\nabc0\r\n\r\n"),
    _chunks("chunk-ends-in-lf", b"3\r\nabc\n0\r\n\r\n"),
    _chunks("chunk-ends-in-two-lf", b"3\r\nabc\n\n0\r\n\r\n"),
    _chunks("chunk-ends-in-cr", b"3\r\nabc\r0\r\n\r\n"),
    _chunks("chunk-ends-in-other-bytes", b"3\r\nabcXX0\r\n\r\n"),
    _chunks("chunk-spills-a-size", b"3\r\nabc99\r\n0\r\n\r\n"),
    _chunks("empty-line-before-size", b"\r\n3\r\nabc\r\n0\r\n\r\n"),
    _chunks("empty-line-behind-chunk", b"3\r\nabc\r\n\r\n0\r\n\r\n"),
    _chunks("body-is-not-chunked", b"hello world, this is no chunk\r\n"),
    _chunks("body-is-a-request", SMUGGLED),
    _chunks("last-chunk-ends-in-lf", b"0\n\r\n"),
    _chunks("last-chunk-and-end-in-lf", b"0\n\n", h11=_WAITS),
    _chunks("last-chunk-hex-prefix", b"0x0\r\n\r\n"),
    _chunks("last-chunk-extension-lf", b"0;a\n\r\n"),
    _chunks("last-line-is-lf", b"0\r\n\n", h11=_BARE_LF),
    _chunks("last-line-is-cr-cr", b"0\r\n\r\r\n", h11=_WAITS),
)

TRAILERS = (
    *(
        _chunks(f"trailer-{name}", b"3\r\nabc\r\n0\r\n" + lines + b"\r\n\r\n" + SMUGGLED, "9112 7.1.2", h11)
        for name, lines, h11 in (
            ("without-colon", b"garbage", ""),
            ("empty-name", b": x", ""),
            ("space-before-colon", b"X : y", ""),
            ("space-in-name", b"X Y: z", ""),
            ("space-in-front", b" X: y", ""),
            ("fold", b"X: y\r\n z", _FOLD),
            ("nul", b"X: \x00", ""),
            ("bell", b"X: \x07", _CONTROLS),
            ("bare-cr", b"X: a\rb", ""),
            ("bare-lf", b"X: a\nY: b", _BARE_LF),
            ("second-request", b"GET /smuggled HTTP/1.1", ""),
            ("too-long", b"X: " + b"y" * TRAILER_BYTES_MAX, _LIMIT),
            ("too-many", b"\r\n".join([b"X: " + b"y" * 100] * 200), _LIMIT),
        )
    ),
    _chunks("trailer-endless-line", b"0\r\nX: " + b"y" * (TRAILER_BYTES_MAX + 2), "9112 7.1.2"),
    _chunks("trailer-endless-lines", b"0\r\n" + b"X: y\r\n" * 4000, "9112 7.1.2"),
)

_TOO_MUCH = b"x" * (BODY_BYTES_MAX + 1)

TOO_LARGE = (
    Malformed(
        "body-announced-too-large",
        b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1),
        "limits: request body",
        413,
        _LIMIT,
    ),
    Malformed(
        "body-announced-huge",
        b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: " + b"9" * LENGTH_DIGITS_MAX + b"\r\n\r\n",
        "limits: request body",
        413,
        _LIMIT,
    ),
    Malformed(
        "body-announced-too-large-http-1.0",
        b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % (BODY_BYTES_MAX + 1) + _TOO_MUCH,
        "limits: request body",
        413,
        _LIMIT,
    ),
    Malformed(
        "body-announced-too-large-with-expect",
        b"POST / HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nContent-Length: 2000\r\n\r\n",
        "9110 10.1.1",
        413,
        _LIMIT,
    ),
    Malformed(
        "body-sent-too-large", CHUNKED_HEAD + b"401\r\n" + _TOO_MUCH + b"\r\n0\r\n\r\n", "limits: request body", 413, _LIMIT
    ),
    Malformed("body-many-chunks", CHUNKED_HEAD + b"1\r\nx\r\n" * 1100 + b"0\r\n\r\n", "limits: request body", 413, _LIMIT),
    Malformed("body-endless-chunk", CHUNKED_HEAD + b"fffffffffffffff\r\n" + _TOO_MUCH, "limits: request body", 413, _LIMIT),
)

UNFINISHED_HEADS = (
    _unfinished("one-byte", b"G"),
    _unfinished("half-a-method", b"GE"),
    _unfinished("half-a-line", b"GET / HT"),
    _unfinished("hanging-cr", b"GET / HTTP/1.1\r"),
    _unfinished("only-a-line", b"GET / HTTP/1.1\r\n"),
    _unfinished("half-a-field", b"GET / HTTP/1.1\r\nHo"),
    _unfinished("no-empty-line", b"GET / HTTP/1.1\r\nHost: t\r\n"),
    _unfinished("half-an-empty-line", b"GET / HTTP/1.1\r\nHost: t\r\n\r"),
    _unfinished("empty-line-and-half-a-head", b"\r\nGET / HTTP/1.1\r\n"),
    _unfinished("tls-greeting", b"\x16\x03\x01\x00\xf4\x01\x00\x00\xf0\x03\x03" + bytes(range(200, 256))),
)

UNFINISHED_BODIES = (
    _unfinished("no-body", b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\n"),
    _unfinished("half-a-body", b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhello"),
    _unfinished("half-a-body-http-1.0", b"POST / HTTP/1.0\r\nContent-Length: 10\r\n\r\nhello"),
    _unfinished("no-chunk", CHUNKED_HEAD),
    _unfinished("half-a-size", CHUNKED_HEAD + b"1"),
    _unfinished("half-a-chunk", CHUNKED_HEAD + b"5\r\nhel"),
    _unfinished("half-a-chunk-end", CHUNKED_HEAD + b"5\r\nhello\r"),
    _unfinished("no-last-chunk", CHUNKED_HEAD + b"5\r\nhello\r\n"),
    _unfinished("half-a-last-chunk", CHUNKED_HEAD + b"5\r\nhello\r\n0\r\n"),
    _unfinished("half-a-last-line", CHUNKED_HEAD + b"5\r\nhello\r\n0\r\n\r"),
    _unfinished("half-a-trailer", CHUNKED_HEAD + b"5\r\nhello\r\n0\r\nX: y"),
    _unfinished("no-end-of-trailers", CHUNKED_HEAD + b"5\r\nhello\r\n0\r\nX: y\r\n"),
)

HEAD_FAMILIES = {
    "request lines": REQUEST_LINES,
    "versions": VERSIONS,
    "targets": TARGETS,
    "hosts": HOSTS,
    "fields": FIELDS,
    "limits": LIMITS,
    "lengths": LENGTHS,
    "codings": CODINGS,
}
BODY_FAMILIES = {"chunks": CHUNKS, "trailers": TRAILERS, "too large": TOO_LARGE}
FAMILIES = HEAD_FAMILIES | BODY_FAMILIES
REFUSED = tuple(case for family in FAMILIES.values() for case in family)
UNFINISHED = UNFINISHED_HEADS + UNFINISHED_BODIES
