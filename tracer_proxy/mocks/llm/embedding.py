"""Vectors for texts: of unit length, equal for equal texts, and the closer the more words and parts of words two texts share.

They know nothing of meaning: a text in other words is as far away as any other text.
"""

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterator

from tracer_proxy import limits

_WORD = re.compile(r"\w+")
_WORD_WEIGHT = 2.0
_TRIGRAM_WEIGHT = 1.0
_PLACES = 4
"""Places of a vector that one feature moves; with several, two features that meet in one place still differ in others."""


def vector(text: str, dimensions: int) -> list[float]:
    """The text as ``dimensions`` numbers. Only its first ``MOCK_EMBEDDED_CHARS_MAX`` characters count."""
    values = [0.0] * dimensions
    for (feature, weight), times in Counter(_features(text[: limits.MOCK_EMBEDDED_CHARS_MAX].casefold())).items():
        for place, sign in _places(feature, dimensions):
            values[place] += sign * weight * math.sqrt(times)
    length = math.sqrt(sum(value * value for value in values))
    if length == 0.0:  # Features can cancel each other out where there are few dimensions.
        return [1.0] + [0.0] * (dimensions - 1)
    return [value / length for value in values]


def _features(text: str) -> Iterator[tuple[str, float]]:
    """Words, and the three-letter parts of words that make ``walk`` and ``walked`` neighbours."""
    words = _WORD.findall(text)
    if not words:
        yield text, _WORD_WEIGHT
    for word in words:
        yield f" {word} ", _WORD_WEIGHT
        framed = f"<{word}>"
        for start in range(len(framed) - 2):
            yield framed[start : start + 3], _TRIGRAM_WEIGHT


def _places(feature: str, dimensions: int) -> Iterator[tuple[int, int]]:
    digest = hashlib.blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=4 * _PLACES).digest()
    for start in range(0, len(digest), 4):
        drawn = int.from_bytes(digest[start : start + 4], "big")
        yield (drawn >> 1) % dimensions, 1 if drawn & 1 else -1
