"""Heads that come again. Two heads that differ only in some values mean the same but for these values.

Which values may differ is fixed by name beforehand. Only visible ASCII without blanks, behind the usual spelling of a name, is
taken out; anything else stays in what has to come again, and such a head is then read as a whole.
"""

import re
from collections.abc import Iterable, Sequence
from struct import Struct

_OTHERS_CHANGED = bytes(byte if 0x21 <= byte <= 0x7E else ord("?") for byte in range(256))
"""For ``translate``: visible ASCII stays as it is, and nothing else does."""
_END = b"\r\n\r\n"

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


class Layout:
    """Knows a head again whose values are as long as they were: everything then stands where it stood.

    That is the everyday case, and looking in places is much cheaper than looking for places, the head's end included.
    """

    __slots__ = ("_fixed", "_unpack", "size")

    def __init__(self, fixed: Sequence[bytes], sizes: Sequence[int]) -> None:
        """``fixed`` is what stands before, between and behind values of these ``sizes``, the final empty line included."""
        lengths = [len(fixed[0])]
        for size, text in zip(sizes, fixed[1:], strict=True):
            lengths += (size, len(text))
        self._fixed = tuple(fixed)
        # One call that cuts at all places at once.
        layout = Struct("".join([f"{length}s" for length in lengths]))
        self._unpack = layout.unpack_from
        self.size = layout.size

    def values(self, data: bytes) -> tuple[bytes, ...] | None:
        """The values in a head that ``data`` begins with; ``None`` if it is another one."""
        if len(data) < self.size:
            return None
        unpack = self._unpack
        pieces: tuple[bytes, ...] = unpack(data)
        if pieces[::2] != self._fixed:
            return None
        values = pieces[1::2]
        joined = b"".join(values)
        return values if joined.translate(_OTHERS_CHANGED) == joined else None


def request_layout(rest: Rest, values: Sequence[bytes]) -> Layout:
    """The layout of a head that was taken apart into these."""
    texts = [text + start for text, start in zip(rest[:-1:2], rest[1::2], strict=True)]
    return Layout((*texts, rest[-1] + _END), [len(value) for value in values])


def names_in(rest: Rest) -> list[bytes]:
    """The lower-case names whose values were taken out, in their order."""
    return [line_start[2:-2].lower() for line_start in rest[1::2]]


def answer_layout(raw: bytes, length: bytes) -> Layout | None:
    """Of an answer's head whose only changing value is its Content-Length; ``None`` if that line is not spelled as usual."""
    for name in (b"\r\nContent-Length: ", b"\r\ncontent-length: "):
        before, found, after = (raw + _END).partition(name)
        if found and after.startswith(length + b"\r\n"):
            return Layout((before + found, after[len(length) :]), (len(length),))
    return None
