"""A JSON array, split into its elements as its bytes come: Gemini's stream without ``alt=sse``."""

import re

from tracer_proxy import limits

_IN_STRING = re.compile(rb'["\\]')
_OUTSIDE = re.compile(rb'["{}\[\]]')


class ArraySplitter:
    """Hands out each object of the outermost array with its last byte. What stands between objects is not looked at."""

    __slots__ = ("_depth", "_element", "_element_bytes", "_in_string", "_is_escaped")

    def __init__(self) -> None:
        self._depth = 0
        """1 between elements, 2 in an element's own braces."""
        self._in_string = False
        self._is_escaped = False
        self._element: list[bytes] = []
        self._element_bytes = 0

    def feed(self, data: bytes) -> list[bytes | None]:
        """Elements that end in ``data``; ``None`` stands for one over ``limits.ANSWER_EVENT_BYTES_MAX``."""
        found: list[bytes | None] = []
        place = begin = 0
        if self._is_escaped and data:
            self._is_escaped = False
            place = 1
        while match := (_IN_STRING if self._in_string else _OUTSIDE).search(data, place):
            place = match.end()
            mark = data[place - 1]
            if mark == 0x22:
                self._in_string = not self._in_string
            elif mark == 0x5C:
                if place == len(data):
                    self._is_escaped = True
                place += 1
            elif mark in b"{[":
                self._depth += 1
                if self._depth == 2:
                    begin = place - 1
            else:
                self._depth -= 1
                if self._depth == 1:
                    self._keep(data[begin:place])
                    found.append(b"".join(self._element) or None)
                    self._element.clear()
                    self._element_bytes = 0
        if self._depth >= 2:
            self._keep(data[begin:])
        return found

    def _keep(self, piece: bytes) -> None:
        self._element_bytes += len(piece)
        if self._element_bytes > limits.ANSWER_EVENT_BYTES_MAX:
            self._element.clear()
        else:
            self._element.append(piece)
