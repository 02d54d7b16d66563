"""Where a head ends, however its bytes are cut."""

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import HEAD_BYTES_MAX

_CARRIAGE_RETURN = 0x0D


class HeadBuffer:
    """Collects the bytes of one head at a time.

    ``feed`` returns the head without its final empty line and what came after it, or ``None`` while it is incomplete. A head
    that can never become valid (bare LF or CR) is refused at once, so that nobody waits for a time limit.
    """

    __slots__ = ("_bytes_max", "_kind", "_skips_empty_line", "partial")

    def __init__(self, kind: Kind, bytes_max: int = HEAD_BYTES_MAX) -> None:
        self._kind = kind
        self._bytes_max = bytes_max
        # RFC 9112 2.2: one empty line before a request line is ignored; before a status line it is not HTTP.
        self._skips_empty_line = kind is Kind.MALFORMED
        self.partial = bytearray()

    @property
    def has_begun(self) -> bool:
        """Some of a head is there; an empty line in front of it is not."""
        partial = self.partial
        return bool(partial) and (len(partial) > 2 or partial[0] != _CARRIAGE_RETURN)

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        partial = self.partial
        if not partial and not data.startswith(b"\r\n"):
            head, found, rest = data.partition(b"\r\n\r\n")
            if found and len(head) <= self._bytes_max:
                return head, rest
        known = len(partial)
        partial += data
        begin = 2 if self._skips_empty_line and partial.startswith(b"\r\n") else 0
        end = partial.find(b"\r\n\r\n", max(begin, known - 3))
        if end < 0:
            self._check_incomplete(max(0, known - 1))
            return None
        if end - begin > self._bytes_max:
            raise self._too_large()
        head, rest = bytes(partial[begin:end]), bytes(partial[end + 4 :])
        partial.clear()
        return head, rest

    def _check_incomplete(self, start: int) -> None:
        fresh = self.partial[start:]
        ends = fresh.count(b"\r\n")
        hanging = fresh.endswith(b"\r")
        led = start > 0 and fresh.startswith(b"\n")
        if fresh.count(b"\n") - led != ends or fresh.count(b"\r") - hanging != ends:
            raise ProxyError(self._kind, "The head holds a bare CR or LF; every line must end in CRLF.")
        # Beside the head there may be an empty line in front, and all but the last byte of what ends it.
        if len(self.partial) > self._bytes_max + 5:
            raise self._too_large()

    def _too_large(self) -> ProxyError:
        kind = Kind.HEAD_TOO_LARGE if self._kind is Kind.MALFORMED else self._kind
        return ProxyError(kind, f"The head is larger than {self._bytes_max} bytes.")
