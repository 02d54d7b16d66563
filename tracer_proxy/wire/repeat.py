"""Heads that come again. Two heads that differ only in some values mean the same but for these values.

Which values may differ is fixed by name beforehand. Only visible ASCII without blanks, behind the usual spelling of a name, is
taken out; anything else stays in what has to come again, and such a head is then read as a whole.
"""

import re
from collections.abc import Iterable

from tracer_proxy.limits import LENGTH_DIGITS_MAX

Rest = tuple[bytes, ...]
"""A head without the values that were taken out: text, line start with a name, text, and so on."""


class Repeats:
    """Takes heads apart at the values of ``names`` (lower-case)."""

    __slots__ = ("_split",)

    def __init__(self, names: Iterable[bytes]) -> None:
        spellings = sorted({re.escape(spelling) for name in names for spelling in (name, name.title())})
        self._split = re.compile(rb"(\r\n(?:" + b"|".join(spellings) + rb"): )([!-~]+)").split

    def take_apart(self, raw: bytes) -> tuple[Rest, list[bytes]]:
        """What comes again, and the values in their order."""
        pieces = self._split(raw)
        values = pieces[2::3]
        del pieces[2::3]
        return tuple(pieces), values


def names_in(rest: Rest) -> list[bytes]:
    """The lower-case names whose values were taken out, in their order."""
    return [line_start[2:-2].lower() for line_start in rest[1::2]]


def take_length(raw: bytes) -> tuple[bytes, bytes] | None:
    """All of a head but the value of its Content-Length, and that value; ``None`` when it is not decimal digits."""
    before, name, after = raw.partition(b"\r\nContent-Length: ")
    if not name:
        before, name, after = raw.partition(b"\r\ncontent-length: ")
        if not name:
            return raw, b""
    length, end, after = after.partition(b"\r\n")
    if not length.isdigit() or len(length) > LENGTH_DIGITS_MAX:
        return None
    return before + name + end + after, length
