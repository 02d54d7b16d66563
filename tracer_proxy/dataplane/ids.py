"""Trace and span ids from the system's random source, drawn many at a time: one system call per thousand ids."""

import os

_BATCH_BYTES = 16 * 1024


class Ids:
    __slots__ = ("_digits", "_position")

    def __init__(self) -> None:
        self._digits = b""
        self._position = 0

    def take(self, digits: int) -> bytes:
        """``digits`` random lower-case hex digits, never all zero (W3C Trace Context 3.2.2.3)."""
        position = self._position
        end = self._position = position + digits
        drawn = self._digits[position:end]
        if len(drawn) < digits:
            self._digits = os.urandom(_BATCH_BYTES).hex().encode()
            drawn, self._position = self._digits[:digits], digits
        return drawn if drawn.strip(b"0") else self.take(digits)
