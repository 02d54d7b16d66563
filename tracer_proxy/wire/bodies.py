"""Bodies, read as they come and written as the next hop needs them.

A reader is fed whatever a socket gave and returns the body bytes in it, at once: nothing is held back but an unfinished
chunk-size line. Framing is never copied from one side to the other: chunks are taken apart and made anew, which drops their
extensions and leaves no room for two readings of one size line.
"""

from collections.abc import Callable
from typing import Protocol

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import CHUNK_DIGITS_MAX, CHUNK_LINE_BYTES_MAX, TRAILER_BYTES_MAX
from tracer_proxy.wire.fields import NEVER_IN_TRAILERS, FieldReader
from tracer_proxy.wire.response import UNTIL_CLOSE, ResponseHead

_HEX = b"0123456789abcdefABCDEF"
_VISIBLE = bytes((9, *range(32, 127), *range(128, 256)))


class BodyReader(Protocol):
    """What all three readers share."""

    done: bool
    """The body is complete; what came after it is in ``rest``."""
    rest: bytes
    trailers: bytes
    """Trailer lines, each with its line end; empty for all but chunked bodies."""

    def feed(self, data: bytes) -> bytes:
        """The body bytes in ``data``. Raises ``ProxyError`` when the framing is broken."""


class LengthBody:
    """A body of ``left`` more bytes (Content-Length)."""

    __slots__ = ("done", "left", "rest", "trailers")

    def __init__(self, length: int) -> None:
        self.left = length
        self.done = length == 0
        self.rest = b""
        self.trailers = b""

    def feed(self, data: bytes) -> bytes:
        size = len(data)
        if size < self.left:
            self.left -= size
            return data
        left, self.left, self.done = self.left, 0, True
        if size == left:
            return data
        self.rest = data[left:]
        return data[:left]


class UntilCloseBody:
    """A body that ends with its connection; whoever owns the connection sets ``done`` when it closed cleanly."""

    __slots__ = ("done", "rest", "trailers")

    def __init__(self) -> None:
        self.done = False
        self.rest = b""
        self.trailers = b""

    def feed(self, data: bytes) -> bytes:
        return data


class ChunkedBody:
    """A chunked body (RFC 9112 7.1), strict: CRLF only, hex digits only, no white space around the size."""

    __slots__ = (
        "_bytes",
        "_bytes_max",
        "_carry",
        "_fields",
        "_kind",
        "_left",
        "_pieces",
        "_step",
        "_trailer_bytes",
        "done",
        "rest",
        "trailers",
    )

    def __init__(self, kind: Kind, fields: FieldReader, bytes_max: int | None = None) -> None:
        """``bytes_max`` bounds the chunks' data; a chunk that would go beyond it is refused at its size line."""
        self.done = False
        self.rest = b""
        self.trailers = b""
        self._kind = kind
        self._fields = fields
        self._carry = b""
        """The unfinished line, or the unfinished line end behind a chunk."""
        self._left = 0
        self._bytes = 0
        self._bytes_max = bytes_max
        self._pieces: list[bytes] = []
        self._trailer_bytes = 0
        self._step: Callable[[ChunkedBody, bytes, int], int] = ChunkedBody._size_line

    def feed(self, data: bytes) -> bytes:
        if self._carry:
            data, self._carry = self._carry + data, b""
        position = 0
        pieces = self._pieces = []
        while position < len(data) and not self.done:
            following = self._step(self, data, position)
            if following < 0:
                self._carry = data[position:]
                break
            position = following
        if self.done:
            self.rest = data[position:]
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    # Each step reads from ``start`` and returns where the next one begins, or -1 when it needs more bytes.

    def _size_line(self, data: bytes, start: int) -> int:
        end = self._line_end(data, start, CHUNK_LINE_BYTES_MAX)
        if end < 0:
            return -1
        size, semicolon, extension = data[start:end].partition(b";")
        if not size or len(size) > CHUNK_DIGITS_MAX or size.translate(None, _HEX):
            raise self._broken("A chunk size must be one to fifteen hex digits.")
        if semicolon and extension.translate(None, _VISIBLE):
            raise self._broken("A chunk extension holds a control byte.")
        self._left = int(size, 16)
        self._bytes += self._left
        if self._bytes_max is not None and self._bytes > self._bytes_max:
            raise too_large(self._bytes_max)
        self._step = ChunkedBody._data if self._left else ChunkedBody._trailer_line
        return end + 2

    def _data(self, data: bytes, start: int) -> int:
        piece = data[start : start + self._left] if start or len(data) > self._left else data
        self._pieces.append(piece)
        self._left -= len(piece)
        if not self._left:
            self._step = ChunkedBody._data_end
        return start + len(piece)

    def _data_end(self, data: bytes, start: int) -> int:
        end = data[start : start + 2]
        if not b"\r\n".startswith(end):
            raise self._broken("A chunk is longer than its size says.")
        if len(end) < 2:
            return -1
        self._step = ChunkedBody._size_line
        return start + 2

    def _trailer_line(self, data: bytes, start: int) -> int:
        end = self._line_end(data, start, TRAILER_BYTES_MAX - self._trailer_bytes)
        if end < 0:
            return -1
        line = data[start:end]
        if line:
            self._keep_trailer(line)
        else:
            self.done = True
        return end + 2

    def _keep_trailer(self, line: bytes) -> None:
        self._trailer_bytes += len(line) + 2
        fields = self._fields.read(self._fields.split(b"\r\n" + line))
        for passed in fields.lines:
            if passed.partition(b":")[0].lower() not in NEVER_IN_TRAILERS:
                self.trailers += passed + b"\r\n"

    def _line_end(self, data: bytes, start: int, bytes_max: int) -> int:
        """Where the line's CRLF stands, or -1. A bare LF or CR is refused as soon as it is seen."""
        feed = data.find(b"\n", start, start + bytes_max + 2)
        until = len(data) if feed < 0 else feed
        carriage = data.find(b"\r", start, until)
        if feed < 0:
            # The CR of the line end may have come already.
            if until - start > bytes_max + 1:
                raise self._broken("A chunk-size or trailer line is too long.")
            if 0 <= carriage < until - 1:
                raise self._broken("A chunk-size or trailer line holds a bare CR.")
            return -1
        if carriage != feed - 1 or carriage < start:
            raise self._broken("A chunk-size or trailer line must end in CRLF.")
        return carriage

    def _broken(self, message: str) -> ProxyError:
        return ProxyError(self._kind, message)


def answer_body(head: ResponseHead, fields: FieldReader) -> BodyReader:
    """What reads the body behind an upstream's ``head``."""
    if head.length is None:
        return ChunkedBody(Kind.UPSTREAM_BROKEN, fields)
    return UntilCloseBody() if head.length == UNTIL_CLOSE else LengthBody(head.length)


class Reframed:
    """A body read in one framing and written in another: in chunks, or as its bare bytes."""

    __slots__ = ("chunked", "payload", "reader")

    def __init__(self, reader: BodyReader, *, chunked: bool) -> None:
        self.reader = reader
        self.chunked = chunked
        self.payload = b""
        """The bare bytes in what was fed last."""

    def feed(self, data: bytes) -> bytes:
        """What ``data`` becomes on the other side; with the end of the body when it is complete."""
        self.payload = payload = self.reader.feed(data)
        if not self.chunked:
            return payload
        framed = chunk(payload) if payload else b""
        return framed + end_of_chunks(self.reader.trailers) if self.reader.done else framed


def too_large(bytes_max: int) -> ProxyError:
    return ProxyError(Kind.BODY_TOO_LARGE, f"The request body is larger than the {bytes_max} bytes this route allows.")


def chunk(data: bytes) -> bytes:
    """``data`` as one chunk; ``data`` is never empty, for an empty chunk would end the body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def end_of_chunks(trailers: bytes) -> bytes:
    """The last chunk, and the trailers behind it."""
    return b"0\r\n%b\r\n" % trailers
