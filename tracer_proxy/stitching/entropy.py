"""Whether a call's id is unique by itself, or only one of a count that every conversation begins anew.

An id passes if enough of it looks drawn at random. A wrong "no" costs little: the call is then known by what was said before
it as well. A wrong "yes" could join two conversations, so whatever looks like a word, a count or a date is no evidence.
"""

import re
from functools import partial
from math import log2

from tracer_proxy.limits import UNIQUE_ID_BITS_MIN, UNIQUE_ID_BYTES_MAX

_find_uuid = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE).search
_tokens = re.compile(r"[0-9A-Za-z]+").findall
_TOKEN_CHARS_MIN = 8
"""Shorter ones are words with a version more often than they are random."""
_KINDS = str.maketrans("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "0" * 10 + "a" * 26 + "A" * 26)
_ALPHABETS = ((re.compile("[0-9a-f]+|[0-9A-F]+").fullmatch, 16), (re.compile("[0-9a-z]+|[0-9A-Z]+").fullmatch, 36))
_without_words = partial(re.compile("[A-Z]?[a-z]{2,}").sub, "")


def is_unique(call_id: str, tool: str = "") -> bool:
    """Whether no other call has this id, but for one that repeats it on purpose. ``tool`` is the call's name, if known."""
    if len(call_id) > UNIQUE_ID_BYTES_MAX:
        return False
    # A short name may stand in a random id by chance, and is no evidence itself.
    rest = call_id.replace(tool, " ") if len(tool) >= _TOKEN_CHARS_MIN else call_id
    uuid = _find_uuid(rest)
    if uuid:
        rest = uuid.group().replace("-", "")
    bits = 0.0
    for token in _tokens(rest):
        bits += _random_bits(token)
        if bits >= UNIQUE_ID_BITS_MIN:
            return True
    return False


def _random_bits(token: str) -> float:
    """How much chance ``token`` shows; 0 if it could be a word, a number, or characters in a row."""
    chars = len(token)
    if chars < _TOKEN_CHARS_MIN or len(set(token)) * 2 < min(chars, 20) or _in_a_row(token) * 2 > chars:
        return 0.0
    kinds = token.translate(_KINDS)
    # Digits, small and capital letters take turns: by chance at 40 to 66 of 100 characters.
    if sum(map(str.__ne__, kinds, kinds[1:])) * 5 < chars:
        return 0.0
    for match, characters in _ALPHABETS:
        if match(token):
            return chars * log2(characters)
    # By chance 60 of 100 characters are in nothing like a word; of words written in one, none.
    return chars * log2(62) if len(_without_words(token)) * 3 >= chars else 0.0


def _in_a_row(token: str) -> int:
    """How many characters follow the one before, or the one before that, in the order of the alphabet, or repeat it."""
    codes = token.encode()
    return sum(
        abs(code - before) <= 1 or abs(code - earlier) <= 1
        for code, before, earlier in zip(codes[2:], codes[1:], codes, strict=False)
    )
