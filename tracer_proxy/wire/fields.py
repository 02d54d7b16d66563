"""Header fields: which are ours, which are the next hop's, and which only pass through.

Facts. A field line goes on exactly as it came, spelling, order and inner white space included, unless it is hop-by-hop (RFC
9110 7.6.1) or one that the proxy writes itself. Values of several lines with one name are joined with ``", "`` (RFC 9110
5.3); where a field may come only once, the joined value does not parse, and that is how doubled ones are found.
"""

import re
from collections.abc import Iterable

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import FIELD_NAME_REMEMBERED_BYTES_MAX, FIELD_NAMES_REMEMBERED_MAX, HEAD_FIELDS_MAX

TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
"""RFC 9110 5.6.2."""

FRAMING = frozenset((b"content-length", b"transfer-encoding", b"connection", b"upgrade"))
HOP_BY_HOP = frozenset(
    (b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"proxy-authorization", b"te", b"transfer-encoding")
)
NEVER_IN_TRAILERS = FRAMING | HOP_BY_HOP | frozenset((b"host", b"authorization", b"cookie", b"set-cookie", b"trailer"))
"""RFC 9110 6.5.1: fields that say how a message is framed, routed or authenticated mean nothing after the body."""

_PRINTABLE = bytes((9, *range(32, 127), *range(128, 256)))
_OPTIONS: dict[bytes | None, frozenset[bytes]] = {
    None: frozenset(),
    b"keep-alive": frozenset((b"keep-alive",)),
    b"Keep-Alive": frozenset((b"keep-alive",)),
    b"close": frozenset((b"close",)),
}
_TAKE, _WATCH, _TRIM = 0, 1, 2
_RESERVED_OPTIONS = frozenset((b"keep-alive", b"close", b"upgrade"))


class Fields:
    """The fields of one head: what passes on, and what somebody here asked to see."""

    __slots__ = ("lines", "values")

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        """Field lines that go on as they came, without line ends."""
        self.values: dict[bytes, bytes] = {}
        """Values of taken and watched fields by lower-case name, outer white space removed."""


class FieldReader:
    """Reads the field lines of heads. Built once per table: what to take out and what to watch is fixed before any byte comes.

    ``take`` are names removed from what passes on (the proxy writes its own); ``watch`` are names that pass on and are also
    looked at. Both lower-case. ``kind`` is what a broken line is called: the client's fault or the upstream's.
    """

    __slots__ = ("_fields_max", "_kind", "_known", "_lenient", "_take", "_watch")

    def __init__(
        self, kind: Kind, take: Iterable[bytes], watch: Iterable[bytes] = (), *, fields_max: int = HEAD_FIELDS_MAX
    ) -> None:
        self._fields_max = fields_max
        self._kind = kind
        self._take = frozenset(take) | FRAMING | HOP_BY_HOP
        self._watch = frozenset(watch) - self._take
        # RFC 9112 5.1: blank before the colon is refused in a request and removed in a response.
        self._lenient = kind is not Kind.MALFORMED
        self._known: dict[bytes, tuple[bytes, int] | None] = {}

    def split(self, head: bytes) -> list[bytes]:
        """A head without its final blank line, as lines. Raises for control bytes and for CR or LF outside of a line end."""
        lines = head.split(b"\r\n")
        ends = len(lines) - 1
        # One pass finds every control byte; what is left must be the line ends alone.
        if head.translate(None, _PRINTABLE) != b"\r\n" * ends:
            raise ProxyError(self._kind, "The head holds a control byte, or a bare CR or LF; every line must end in CRLF.")
        if ends > self._fields_max:
            kind = Kind.HEAD_TOO_LARGE if self._kind is Kind.MALFORMED else self._kind
            raise ProxyError(kind, f"The head has more than {self._fields_max} header fields.")
        return lines

    def read(self, lines: list[bytes]) -> Fields:
        """The fields of ``lines[1:]``; the first line is the request or status line."""
        fields = Fields()
        passed, values, known = fields.lines, fields.values, self._known
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            try:
                seen = known[name]
            except KeyError:
                seen = self._learn(name)
            if not colon:
                raise ProxyError(self._kind, "A header line has no colon.")
            if seen is None:
                passed.append(line)
                continue
            lower, treatment = seen
            value = value.strip(b" \t")
            values[lower] = values[lower] + b", " + value if lower in values else value
            if treatment is _WATCH:
                passed.append(line)
            elif treatment is _TRIM:
                passed.append(name.rstrip(b" \t") + b":" + value)
        return fields

    def _learn(self, name: bytes) -> tuple[bytes, int] | None:
        bare = name.rstrip(b" \t") if self._lenient else name
        if not TOKEN.fullmatch(bare):
            raise ProxyError(self._kind, "A header name holds a character that is not allowed, or white space beside it.")
        lower = bare.lower()
        treatment = _TAKE if lower in self._take else _TRIM if bare != name else _WATCH
        seen = None if treatment is _WATCH and lower not in self._watch else (lower, treatment)
        if len(self._known) < FIELD_NAMES_REMEMBERED_MAX and len(name) <= FIELD_NAME_REMEMBERED_BYTES_MAX:
            self._known[name] = seen
        return seen


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
