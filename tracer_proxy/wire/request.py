"""Request heads (RFC 9112 3): request line, authority, framing, persistence, upgrade."""

import re

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import LENGTH_DIGITS_MAX
from tracer_proxy.wire.fields import TOKEN, FieldReader, Fields, RequestLine, connection_options, content_length, drop_listed
from tracer_proxy.wire.memory import keep

_AUTHORITY = re.compile(rb"(?:\[[0-9A-Fa-f:.]{2,45}\]|(?:[A-Za-z0-9._~!$&'()*+;=\-]|%[0-9A-Fa-f]{2}){1,255})(?::[0-9]{0,5})?")
_ABSOLUTE = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?@]+)(/[^?]*)?(\?.*)?")

IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"TRACE"))
"""RFC 9110 9.2.2: these may be sent again when a connection dies."""


class RequestHead:
    """What a request asks for.

    ``path`` is as it came (nothing decoded or normalised), ``query`` without its ``?``, ``host`` lower-case without port.
    ``length`` is the body's length, or ``None`` for a chunked one.
    """

    __slots__ = (
        "authority",
        "fields",
        "has_query",
        "length",
        "method",
        "path",
        "persistent",
        "query",
        "upgrade",
        "version_1_1",
    )

    def __init__(self, method: bytes, fields: Fields, version_1_1: bool) -> None:
        self.method = method
        self.path = b"/"
        self.query = b""
        self.has_query = False
        self.authority = b""
        self.fields = fields
        self.version_1_1 = version_1_1
        self.length: int | None = 0
        self.persistent = version_1_1
        self.upgrade = b""
        """The protocols offered for an upgrade; empty when none, or when the request cannot be upgraded."""

    @property
    def host(self) -> bytes:
        """The authority's host, lower-case, without port; brackets of an IPv6 address kept."""
        authority = self.authority.lower()
        host, colon, port = authority.rpartition(b":")
        return host if colon and (port.isdigit() or not port) else authority


def read_request(raw: bytes, reader: FieldReader) -> RequestHead:
    """``raw`` is a head without its final empty line. Raises ``ProxyError`` of kind MALFORMED or HEAD_TOO_LARGE."""
    lines = reader.split(raw)
    first = lines[0]
    request_line = reader.request_lines.get(first)
    if request_line is None:
        reader.check(first)
        request_line = _request_line(first)
        keep(reader.request_lines, first, request_line)
    method, target, version_1_1 = request_line
    fields = reader.read(lines)
    head = RequestHead(method, fields, version_1_1)
    values = fields.values
    host = values.get(b"host", b"")
    head.authority = reader.authorities.get(host) or _host(host, reader, version_1_1)
    _set_target(head, target)
    options = connection_options(values.get(b"connection"))
    if options:
        head.persistent = b"close" not in options and (version_1_1 or b"keep-alive" in options)
        drop_listed(fields, options)
    if b"content-length" in values or b"transfer-encoding" in values:
        head.length = _body_length(values, version_1_1)
    if b"upgrade" in values and b"upgrade" in options and version_1_1 and head.length == 0:
        head.upgrade = _without_h2c(values[b"upgrade"])
    return head


def _request_line(line: bytes) -> RequestLine:
    """The line holds no control bytes. A target is visible ASCII, and a fragment is never sent (RFC 9112 3.2)."""
    try:
        method, target, version = line.split(b" ")
    except ValueError:
        raise _malformed("The request line must be: method, one space, target, one space, HTTP/1.1.") from None
    if not TOKEN.fullmatch(method):
        raise _malformed("The method holds a character that is not allowed.")
    if method == b"CONNECT":
        raise _malformed("CONNECT is not served: this is a reverse proxy; send requests for its routes.")
    if not target or not target.isascii() or b"#" in target or b"\t" in target:
        raise _malformed("The request target holds a character that is not allowed; percent-encode it.")
    if version == b"HTTP/1.1":
        return method, target, True
    if version == b"HTTP/1.0":
        return method, target, False
    raise _malformed("Only HTTP/1.1 and HTTP/1.0 are spoken here.")


def _host(value: bytes, reader: FieldReader, version_1_1: bool) -> bytes:
    if not value:
        if version_1_1:
            raise _malformed("A request in HTTP/1.1 must have a Host header (RFC 9112 3.2).")
        return b""
    if not _AUTHORITY.fullmatch(value):
        raise _malformed("The Host header must be one valid host, with an optional port, given once.")
    keep(reader.authorities, value, value)
    return value


def _set_target(head: RequestHead, target: bytes) -> None:
    if not target.startswith(b"/"):
        target = _foreign_form(head, target)
    path, mark, query = target.partition(b"?")
    head.path = path
    if mark:
        head.has_query = True
        head.query = query


def _foreign_form(head: RequestHead, target: bytes) -> bytes:
    """Absolute-form, whose host wins over ``Host`` (RFC 9112 3.2.2), and ``OPTIONS *``."""
    if target == b"*" and head.method == b"OPTIONS":
        return target
    match = _ABSOLUTE.fullmatch(target)
    if not match or not _AUTHORITY.fullmatch(match[1]):
        raise _malformed("The request target must be a path, or an absolute http URL without user name.")
    head.authority = match[1]
    return (match[2] or b"/") + (match[3] or b"")


def _body_length(values: dict[bytes, bytes], version_1_1: bool) -> int | None:
    """RFC 9112 6.3. Both lengths at once is how requests are smuggled, so it is refused."""
    coding = values.get(b"transfer-encoding")
    if coding is None:
        return content_length(values[b"content-length"], Kind.MALFORMED, LENGTH_DIGITS_MAX)
    if b"content-length" in values:
        raise _malformed("Content-Length and Transfer-Encoding must not both be given.")
    if not version_1_1:
        raise _malformed("Transfer-Encoding does not exist in HTTP/1.0.")
    if coding.lower() != b"chunked":
        raise _malformed("The only transfer coding accepted here is chunked, given once.")
    return None


def _without_h2c(value: bytes) -> bytes:
    """HTTP/2 by upgrade is not tunnelled: it would hide every further request from the proxy."""
    offers = [offer.strip(b" \t") for offer in value.split(b",")]
    return b", ".join(offer for offer in offers if offer and not offer.lower().startswith(b"h2c"))


def _malformed(message: str) -> ProxyError:
    return ProxyError(Kind.MALFORMED, message)
