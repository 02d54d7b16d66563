"""Whether a call's id is unique by itself, or only one of a count that every conversation begins anew.

An id passes if enough of it looks drawn at random. A wrong "no" costs little: the call is then known by what was said before
it as well. A wrong "yes" could join two conversations, so whatever looks like a word, a count or a date is no evidence.
"""

import re
from functools import partial
from itertools import pairwise
from math import log2
from operator import ne

from tracer_proxy.limits import UNIQUE_ID_BITS_MIN, UNIQUE_ID_BYTES_MAX

_find_uuid = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE).search
_tokens = re.compile(rb"[0-9A-Za-z]{8,}").findall
_TOKEN_CHARS_MIN = 8
"""Shorter ones are words with a version more often than they are random."""
_DIGITS, _SMALL, _CAPITAL = b"0123456789", b"abcdefghijklmnopqrstuvwxyz", b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_KINDS = bytes.maketrans(_DIGITS + _SMALL + _CAPITAL, b"0" * 10 + b"a" * 26 + b"A" * 26)
_CHARACTERS = _DIGITS + _SMALL + _CAPITAL
_is_near = frozenset((one, other) for one in _CHARACTERS for other in _CHARACTERS if abs(one - other) <= 1).__contains__
_is_hex = re.compile(b"[0-9a-f]+|[0-9A-F]+").fullmatch
_LONG_HEX_CHARS = 32
"""What is as long and has but a few letters is no word: fewer turns will do. Nothing else is known of the id of a response."""
_ALPHABETS = ((_is_hex, 16), (re.compile(b"[0-9a-z]+|[0-9A-Z]+").fullmatch, 36))
_without_words = partial(re.compile(b"[A-Z]?[a-z]{2,}").sub, b"")


def is_unique(call_id: str, tool: str = "") -> bool:
    """Whether no other call has this id, but for one that repeats it on purpose. ``tool`` is the call's name, if known."""
    if len(call_id) > UNIQUE_ID_BYTES_MAX:
        return False
    # A short name may stand in a random id by chance, and is no evidence itself.
    rest = call_id.replace(tool, " ") if len(tool) >= _TOKEN_CHARS_MIN else call_id
    uuid = _find_uuid(rest) if rest.count("-") >= 4 else None
    if uuid:
        rest = uuid.group().replace("-", "")
    bits = 0.0
    for token in _tokens(rest.encode(errors="replace")):
        bits += _random_bits(token)
        if bits >= UNIQUE_ID_BITS_MIN:
            return True
    return False


def _random_bits(token: bytes) -> float:
    """How much chance ``token`` shows; 0 if it could be a word, a number, or characters in a row."""
    chars = len(token)
    if len(set(token)) * 2 < min(chars, 20) or _in_a_row(token) * 2 > chars:
        return 0.0
    kinds = token.translate(_KINDS)
    # Digits, small and capital letters take turns: by chance at 40 to 66 of 100 characters.
    turns = sum(map(ne, kinds, kinds[1:]))
    if turns * 5 < chars and not (turns * 10 >= chars >= _LONG_HEX_CHARS and _is_hex(token)):
        return 0.0
    for match, characters in _ALPHABETS:
        if match(token):
            return chars * log2(characters)
    # By chance 60 of 100 characters are in nothing like a word; of words written in one, none.
    return chars * log2(62) if len(_without_words(token)) * 3 >= chars else 0.0


def _in_a_row(token: bytes) -> int:
    """How many characters repeat the one before, or are its neighbours in the alphabet; or so with the one before that."""
    return max(sum(map(_is_near, pairwise(token))), sum(map(_is_near, zip(token, token[2:], strict=False))))
