"""Server-sent events, taken from a stream as its bytes come (WHATWG HTML, 9.2 "Server-sent events").

Only the data of events is of use here: all providers name an event's kind in its data as well.
"""

from tracer_proxy import limits

_BOM = b"\xef\xbb\xbf"


class EventSplitter:
    """Hands out the data of each event with the very bytes that end it. An event that the stream does not end is dropped."""

    __slots__ = ("_after_cr", "_has_begun", "_is_dropping", "_kept", "_kept_bytes")

    def __init__(self) -> None:
        self._kept: list[bytes] = []
        """Pieces of the event that is not yet whole, line ends already LF."""
        self._kept_bytes = 0
        self._is_dropping = False
        self._after_cr = False
        self._has_begun = False

    def feed(self, data: bytes) -> list[bytes | None]:
        """Data of the events that end in ``data``; ``None`` stands for one over ``limits.ANSWER_EVENT_BYTES_MAX``.

        Comments and events without data are left out.
        """
        if not data:
            return []
        if self._after_cr or b"\r" in data:
            data = self._with_line_feeds(data)
            if not data:
                return []
        if self._kept:
            if b"\n\n" not in data and not (data[0] == 10 and self._kept[-1][-1] == 10):
                self._keep(data)
                return []
            data = b"".join((*self._kept, data))
            self._kept.clear()
        blocks = data.split(b"\n\n")
        rest = blocks.pop()
        found: list[bytes | None] = []
        for block in blocks:
            payload = self._data_of(block)
            if payload != b"":
                found.append(payload)
        self._kept_bytes = 0
        if rest:
            self._keep(rest)
        return found

    def _keep(self, piece: bytes) -> None:
        self._kept_bytes += len(piece)
        # One byte more than an event may have: the first of the two line feeds that end it.
        if self._kept_bytes > limits.ANSWER_EVENT_BYTES_MAX + 1:
            self._is_dropping = True
            self._kept = [piece[-1:]]
        else:
            self._kept.append(piece)

    def _with_line_feeds(self, data: bytes) -> bytes:
        """A CR ends a line at once, so that its event need not wait; an LF that comes after it belongs to it."""
        if self._after_cr and data[0] == 10:
            data = data[1:]
        self._after_cr = data[-1:] == b"\r"
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _data_of(self, block: bytes) -> bytes | None:
        if self._is_dropping or len(block) > limits.ANSWER_EVENT_BYTES_MAX:
            self._is_dropping = False
            self._has_begun = True
            return None
        if not self._has_begun:
            self._has_begun = True
            block = block.removeprefix(_BOM)
        if block.startswith(b"data: ") and b"\n" not in block:
            return block[6:]
        values = (line[5:] for line in block.split(b"\n") if line.startswith(b"data:") or line == b"data")
        return b"\n".join([value.removeprefix(b" ") for value in values])
