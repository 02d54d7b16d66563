"""Identifiers and choices drawn from what a request says: hard to guess, unique to it, and the same next time.

Two different requests share an id as likely as two random draws of its length would.
"""

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_EPOCH_S = 1_735_689_600
"""2025-01-01T00:00:00Z: ``created`` lies in the year that begins here, and depends on the request alone."""
_YEAR_S = 365 * 24 * 3600


class Ids:
    """All draws for one request; ``digest`` is that of the request."""

    def __init__(self, digest: bytes) -> None:
        self._digest = digest

    def make(self, prefix: str, *, number: int = 0, hex_digits: int = 32) -> str:
        """An id such as ``call_3f…``; ``number`` tells apart several of one kind; at most 64 digits."""
        return prefix + self._draw(f"{prefix}{number}").hex()[:hex_digits]

    def pick(self, choices: Sequence[T], *, number: int = 0) -> T:
        """One of the choices; successive numbers give successive ones."""
        return choices[(self._number("pick") + number) % len(choices)]

    def created_s(self) -> int:
        """A time stamp in seconds since 1970."""
        return _EPOCH_S + self._number("created") % _YEAR_S

    def _number(self, purpose: str) -> int:
        return int.from_bytes(self._draw(purpose)[:8], "big")

    def _draw(self, purpose: str) -> bytes:
        return hashlib.sha256(self._digest + purpose.encode()).digest()
