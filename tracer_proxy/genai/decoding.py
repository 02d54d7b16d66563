"""Content encodings of an answer, taken off beside the traffic, a piece at a time (RFC 9110, 8.4).

What comes out is bounded for each piece that goes in and in all, so that a few bytes cannot become gigabytes.
"""

import zlib
from typing import IO, Protocol, cast

from tracer_proxy import limits


class UnknownEncoding(Exception):
    """A content encoding that is not read, or more of them than are read."""


class BrokenEncoding(Exception):
    """Bytes that are not what the encoding says."""


class TooMuch(Exception):
    """More comes out than the bounds allow."""


class _Layer(Protocol):
    def feed(self, data: bytes, room: int) -> bytes:
        """All that ``data`` makes known. ``TooMuch`` beyond ``room`` bytes, ``BrokenEncoding`` for wrong bytes."""


class ContentDecoder:
    """Takes off all encodings of a ``Content-Encoding`` header; ``UnknownEncoding`` if it cannot."""

    __slots__ = ("_layers", "_left")

    def __init__(self, content_encoding: bytes) -> None:
        parts = (part.strip(b" \t") for part in content_encoding.lower().split(b","))
        names = [name for name in parts if name not in (b"", b"identity")]
        if len(names) > limits.ANSWER_ENCODINGS_MAX:
            raise UnknownEncoding(f"{len(names)} content encodings on top of each other, more than are read")
        # They stand in the order in which they were put on (RFC 9110, 8.4).
        self._layers = [_layer(name) for name in reversed(names)]
        self._left = limits.ANSWER_DECODED_BYTES_MAX

    def feed(self, data: bytes) -> bytes:
        """What ``data`` makes known of the content. ``TooMuch`` or ``BrokenEncoding`` end it: feed it no more."""
        for layer in self._layers:
            if not data:
                return b""
            data = layer.feed(data, min(limits.ANSWER_DECODED_READ_BYTES_MAX, self._left))
        self._left -= len(data)
        return data


def _layer(name: bytes) -> _Layer:
    match name:
        case b"gzip" | b"x-gzip":
            return _Gzip()
        case b"deflate":
            return _Deflate()
        case b"br":
            return _Brotli()
        case b"zstd":
            return _Zstd()
    raise UnknownEncoding(f"content encoding {name[:32]!r} is not read; known are gzip, deflate, br and zstd")


class _Gzip:
    """One member after the other (RFC 1952, 2.2)."""

    __slots__ = ("_ended", "_has_member", "_inflate")

    def __init__(self) -> None:
        self._inflate = zlib.decompressobj(wbits=31)
        self._has_member = False
        self._ended = False

    def feed(self, data: bytes, room: int) -> bytes:
        out = b""
        while data and not self._ended:
            if self._inflate.eof:
                self._has_member = True
                self._inflate = zlib.decompressobj(wbits=31)
            try:
                out += self._inflate.decompress(data, room + 1 - len(out))
            except zlib.error as error:
                if not self._has_member:
                    raise BrokenEncoding(f"gzip: {error}") from None
                self._ended = True  # padding after the last member, as gzip itself tolerates it
            if len(out) > room:
                raise TooMuch("gzip")
            data = self._inflate.unused_data if self._inflate.eof else self._inflate.unconsumed_tail
        return out


class _Deflate:
    """The zlib format, as RFC 9110 8.4.1.2 wants it, or bare deflate, which it says some servers send."""

    __slots__ = ("_head", "_inflate")

    def __init__(self) -> None:
        self._head = b""
        self._inflate: zlib._Decompress | None = None

    def feed(self, data: bytes, room: int) -> bytes:
        if self._inflate is None:
            data = self._head + data
            if len(data) < 2:
                self._head = data
                return b""
            # RFC 1950, 2.2: method 8, and both bytes together a multiple of 31.
            has_header = data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._inflate = zlib.decompressobj(wbits=15 if has_header else -15)
        if self._inflate.eof:
            return b""
        try:
            out = self._inflate.decompress(data, room + 1)
        except zlib.error as error:
            raise BrokenEncoding(f"deflate: {error}") from None
        if len(out) > room:
            raise TooMuch("deflate")
        return out


class _Brotli:
    __slots__ = ("_decompressor", "_error")

    def __init__(self) -> None:
        import brotli  # only where an answer has this encoding

        self._decompressor = brotli.Decompressor()
        self._error = brotli.error

    def feed(self, data: bytes, room: int) -> bytes:
        decompressor = self._decompressor
        if decompressor.is_finished():
            return b""
        pieces: list[bytes] = []
        size = 0
        try:
            while True:
                piece: bytes = decompressor.process(data, output_buffer_limit=room + 1 - size)
                size += len(piece)
                if size > room:
                    raise TooMuch("br")
                pieces.append(piece)
                if decompressor.is_finished() or decompressor.can_accept_more_data():
                    return b"".join(pieces)
                data = b""
        except self._error as error:
            raise BrokenEncoding(f"br: {error}") from None


class _Zstd:
    __slots__ = ("_error", "_sink", "_writer")

    def __init__(self) -> None:
        import zstandard  # only where an answer has this encoding

        self._sink = _Sink()
        # RFC 9659, 3: a window of at most 8 MiB.
        decompressor = zstandard.ZstdDecompressor(max_window_size=8 * limits.MiB)
        self._writer = decompressor.stream_writer(cast(IO[bytes], self._sink), write_size=64 * limits.KiB)
        self._error = zstandard.ZstdError

    def feed(self, data: bytes, room: int) -> bytes:
        self._sink.room = room
        try:
            self._writer.write(data)
        except self._error as error:
            raise BrokenEncoding(f"zstd: {error}") from None
        return self._sink.take()


class _Sink:
    """Where zstd's output goes while it is made: the only place to stop it."""

    __slots__ = ("_pieces", "room")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self.room = 0

    def write(self, piece: bytes) -> int:
        self.room -= len(piece)
        if self.room < 0:
            self._pieces.clear()
            raise TooMuch("zstd")
        self._pieces.append(bytes(piece))
        return len(piece)

    def take(self) -> bytes:
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data
