"""Header fields: which are ours, which are the next hop's, and which only pass through.

Facts. A field line goes on exactly as it came, spelling, order and inner white space included, unless it is hop-by-hop (RFC
9110 7.6.1) or one that the proxy writes itself. Values of several lines with one name are joined with ``", "`` (RFC 9110
5.3); where a field may come only once, the joined value does not parse, and that is how doubled ones are found.

Heads repeat themselves: a client sends the same dozen lines again and again. So a reader remembers what it made of a line,
and looks up most of a head instead of reading it. Lines that hold secrets, or an id that changes, are not remembered.
"""

import re
from collections.abc import Iterable

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import HEAD_FIELDS_MAX
from tracer_proxy.wire.memory import keep

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110 5.6.2."""

FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection", b"upgrade"))
HOP_BY_HOP = frozenset(
    (b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te", b"transfer-encoding")
)
NEVER_IN_TRAILERS = FRAMING | HOP_BY_HOP | frozenset((b"host", b"authorization", b"cookie", b"set-cookie", b"trailer"))
"""RFC 9110 6.5.1: fields that say how a message is framed, routed or authenticated mean nothing after the body."""

_NOT_REMEMBERED = frozenset(
    (
        *(b"authorization", b"proxy-authorization", b"cookie", b"set-cookie", b"x-api-key", b"api-key", b"x-goog-api-key"),
        *(b"traceparent", b"x-trace-id-ext", b"b3", b"x-b3-traceid", b"x-b3-spanid"),
    )
)
_PRINTABLE = bytes((9, *range(32, 127), *range(128, 256)))
_OPTIONS: dict[bytes | None, frozenset[bytes]] = {
    None: frozenset(),
    b"keep-alive": frozenset((b"keep-alive",)),
    b"Keep-Alive": frozenset((b"keep-alive",)),
    b"close": frozenset((b"close",)),
}
_UNKNOWN = (b"", b"", b"")
_PASS, _TAKE, _WATCH, _TRIM = range(4)
"""What becomes of a line: it goes on, it stays here, it goes on and is looked at, it goes on without a blank in it."""
_RESERVED_OPTIONS = frozenset((b"keep-alive", b"close", b"upgrade"))


class Fields:
    """The fields of one head: what passes on, and what somebody here asked to see."""

    __slots__ = ("lines", "values")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        """Field lines that go on as they came, without line ends."""
        self.values: dict[bytes, bytes] = {}
        """Values of taken and watched fields by lower-case name, outer white space removed."""


Seen = tuple[bytes, bytes, bytes]
"""A line that is taken or watched: lower-case name, value, and what goes on in its place (nothing for a taken one)."""
RequestLine = tuple[bytes, bytes, bool]
"""Method, target, and whether the version is 1.1. The target's characters are checked, not yet its form."""
StatusLine = tuple[int, bytes, bool]
"""Status, the line with our version and the upstream's reason, and whether the version is 1.1."""


class FieldReader:
    """Reads the field lines of heads. Built once per table: what to take out and what to watch is fixed before any byte comes.

    ``take`` are names removed from what passes on (the proxy writes its own); ``watch`` are names that pass on and are also
    looked at. Both lower-case. ``kind`` is what a broken line is called: the client's fault or the upstream's.
    """

    __slots__ = (
        "_kind",
        "_lenient",
        "_lines_max",
        "_names",
        "_remembered",
        "_take",
        "_watch",
        "authorities",
        "request_lines",
        "status_lines",
    )

    def __init__(
        self, kind: Kind, take: Iterable[bytes], watch: Iterable[bytes] = (), *, fields_max: int = HEAD_FIELDS_MAX
    ) -> None:
        self._lines_max = fields_max + 1
        self._kind = kind
        self._take = frozenset(take) | FRAMING | HOP_BY_HOP
        self._watch = frozenset(watch) - self._take
        # RFC 9112 5.1: blank before the colon is refused in a request and removed in a response.
        self._lenient = kind is not Kind.MALFORMED
        self._names: dict[bytes, tuple[bytes, int]] = {}
        self._remembered: dict[bytes, Seen | None] = {}
        self.authorities: dict[bytes, bytes] = {}
        self.request_lines: dict[bytes, RequestLine] = {}
        self.status_lines: dict[bytes, StatusLine] = {}

    def split(self, head: bytes) -> list[bytes]:
        """A head without its final empty line, as lines; their bytes are checked when they are read."""
        lines = head.split(b"\r\n")
        if len(lines) > self._lines_max:
            kind = Kind.HEAD_TOO_LARGE if self._kind is Kind.MALFORMED else self._kind
            raise ProxyError(kind, f"The head has more than {self._lines_max - 1} header fields.")
        return lines

    def check(self, line: bytes) -> None:
        """Raises for a control byte, and so for a CR or LF that is not part of a line end."""
        if line.translate(None, _PRINTABLE):
            message = "The head holds a control byte, or a bare CR or LF; every line must end in CRLF."
            raise ProxyError(self._kind, message)

    def read(self, lines: list[bytes]) -> Fields:
        """The fields of ``lines[1:]``; the first line is the request or status line."""
        fields = Fields()
        passed, values, remembered = fields.lines, fields.values, self._remembered
        for line in lines[1:]:
            seen = remembered.get(line, _UNKNOWN)
            if seen is _UNKNOWN:
                seen = self._look(line)
            if seen is None:
                passed.append(line)
                continue
            name, value, passes = seen
            if name in values:
                # RFC 9110 5.3; cookies have their own separator (RFC 6265 5.4).
                value = values[name] + (b"; " if name == b"cookie" else b", ") + value
            values[name] = value
            if passes:
                passed.append(passes)
        return fields

    def _look(self, line: bytes) -> Seen | None:
        self.check(line)
        written, colon, value = line.partition(b":")
        if not colon:
            raise ProxyError(self._kind, "A header line has no colon.")
        name, treatment = self._names.get(written) or self._check_name(written)
        seen = None
        if treatment == _TAKE:
            seen = name, value.strip(b" \t"), b""
        elif treatment == _WATCH:
            seen = name, value.strip(b" \t"), line
        elif treatment == _TRIM:
            seen = name, value, written.rstrip(b" \t") + colon + value
        if name not in _NOT_REMEMBERED:
            keep(self._remembered, line, seen)
        return seen

    def _check_name(self, written: bytes) -> tuple[bytes, int]:
        bare = written.rstrip(b" \t") if self._lenient else written
        if not TOKEN.fullmatch(bare):
            raise ProxyError(self._kind, "A header name holds a character that is not allowed, or white space beside it.")
        name = bare.lower()
        treatment = _PASS if bare == written else _TRIM
        if name in self._take:
            treatment = _TAKE
        elif name in self._watch:
            treatment = _WATCH
        keep(self._names, written, (name, treatment))
        return name, treatment


def connection_options(value: bytes | None) -> frozenset[bytes]:
    """The members of a ``Connection`` field, lower-case."""
    options = _OPTIONS.get(value)
    if options is None:
        assert value is not None
        options = frozenset(option.strip(b" \t").lower() for option in value.split(b","))
    return options


def drop_listed(fields: Fields, options: frozenset[bytes]) -> None:
    """Removes the lines that ``Connection`` names (RFC 9110 7.6.1). What the proxy writes itself is not theirs to remove."""
    listed = options - _RESERVED_OPTIONS
    if listed:
        fields.lines = [line for line in fields.lines if line.partition(b":")[0].strip(b" \t").lower() not in listed]


def content_length(value: bytes, kind: Kind, digits_max: int) -> int:
    """RFC 9110 8.6, ASCII digits only: ``int()`` alone would take signs, underscores and other scripts' digits."""
    if not value.isdigit() or len(value) > digits_max:
        raise ProxyError(kind, "Content-Length must be one decimal number, given once.")
    return int(value)
