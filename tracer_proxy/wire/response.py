"""Response heads (RFC 9112 4 and 6.3): status line, framing, persistence, and whether a 101 was asked for."""

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import LENGTH_DIGITS_MAX
from tracer_proxy.wire.fields import FieldReader, Fields, StatusLine, connection_options, content_length, drop_listed
from tracer_proxy.wire.memory import keep

UNTIL_CLOSE = -1
"""``length`` of a body that ends when the connection does."""


class ResponseHead:
    """What an upstream answers. ``length`` counts bytes; ``None`` means chunked, ``UNTIL_CLOSE`` what it says."""

    __slots__ = ("block", "length", "persistent", "status", "values")

    def __init__(self, status: int, status_line: bytes, fields: Fields) -> None:
        self.status = status
        self.block = b"\r\n".join((status_line, *fields.lines, b""))
        """The status line, with our version and the upstream's reason, and the lines that pass on, each with its end."""
        self.values = fields.values
        self.length: int | None = 0
        self.persistent = True

    @property
    def has_body(self) -> bool:
        """Whether such an answer has a body, if only an empty one; for any method but HEAD (RFC 9112 6.3)."""
        return _has_body(self.status)


def read_response(raw: bytes, reader: FieldReader, method: bytes) -> ResponseHead:
    """``raw`` is a head without its final empty line, ``method`` that of the request. Raises kind UPSTREAM_BROKEN."""
    lines = reader.split(raw)
    first = lines[0]
    status_line = reader.status_lines.get(first)
    if status_line is None:
        reader.check(first)
        status_line = _status_line(first)
        keep(reader.status_lines, first, status_line)
    status, out, version_1_1 = status_line
    fields = reader.read(lines)
    options = connection_options(fields.values.get(b"connection"))
    persistent = version_1_1
    if options:
        persistent = b"close" not in options and (version_1_1 or b"keep-alive" in options)
        drop_listed(fields, options)
    head = ResponseHead(status, out, fields)
    head.persistent = persistent
    head.length = _body_length(head.status, fields.values, version_1_1, method)
    if head.length == UNTIL_CLOSE:
        head.persistent = False
    return head


def _status_line(line: bytes) -> StatusLine:
    version, code, after = line[:9], line[9:12], line[12:13]
    is_code = len(code) == 3 and code.isdigit() and code >= b"100"
    if version not in (b"HTTP/1.1 ", b"HTTP/1.0 ") or not is_code or after not in (b"", b" "):
        raise _broken("The upstream's answer does not start with an HTTP/1.1 status line.")
    return int(code), b"HTTP/1.1 " + line[9:], version == b"HTTP/1.1 "


def _body_length(status: int, values: dict[bytes, bytes], version_1_1: bool, method: bytes) -> int | None:
    """RFC 9112 6.3, in its order. Checks what stands there even when there is no body, so that nothing doubtful passes."""
    coding = values.get(b"transfer-encoding")
    given = values.get(b"content-length")
    if coding is not None and (given is not None or not version_1_1 or coding.lower() != b"chunked"):
        raise _broken("The upstream's Transfer-Encoding is unknown, or stands beside a Content-Length or in HTTP/1.0.")
    length = UNTIL_CLOSE if given is None else content_length(given, Kind.UPSTREAM_BROKEN, LENGTH_DIGITS_MAX)
    if method == b"HEAD" or not _has_body(status):
        return 0
    return None if coding is not None else length


def _has_body(status: int) -> bool:
    return status >= 200 and status not in (204, 304)


def protocol_was_offered(offered: bytes, answered: bytes) -> bool:
    """Whether a 101 names only protocols that the request offered (RFC 9110 7.8)."""
    offers = {offer.strip(b" \t").lower() for offer in offered.split(b",")}
    answers = [answer.strip(b" \t").lower() for answer in answered.split(b",")]
    return bool(offered) and bool(answered) and all(answer in offers for answer in answers)


def _broken(message: str) -> ProxyError:
    return ProxyError(Kind.UPSTREAM_BROKEN, message)
