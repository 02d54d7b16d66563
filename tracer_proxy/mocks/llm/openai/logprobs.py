"""How likely each token of a text was: made up, but plausible, and always the same for the same text.

The token that was said is the likeliest; others follow, each less likely than the one before.
"""

import hashlib
import math
from collections.abc import Iterator

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import tokens

TOP_MAX = 20
_ALTERNATIVES = (" the", " a", ".", ",", " and", " of", " to", " in", " is", " it", " that", " for", "\n", " with", " on")
_RARER = (" as", " this", " was", ":", " not", " or")


def of_text(text: str, top: int) -> list[JsonObject]:
    """One entry for each token that a stream of this text sends, with the ``top`` likeliest ones."""
    return [_entry(piece, top) for piece in tokens.pieces(text)]


def _entry(piece: str, top: int) -> JsonObject:
    likeliest = [_one(token, logprob) for token, logprob in ranked(piece, top)]
    return {**_one(piece, said(piece)), "top_logprobs": likeliest}


def said(piece: str) -> float:
    """The logarithm of how likely a token was that was said: likelier than all others together."""
    return round(-0.02 - _draw(piece) / 0xFFFF * 0.5, 6)


def ranked(piece: str, top: int) -> Iterator[tuple[str, float]]:
    """The ``top`` likeliest tokens where ``piece`` was said, with the logarithms: each has half of what those before leave."""
    others = [token for token in (*_ALTERNATIVES, *_RARER) if token != piece]
    first = _draw(piece) % len(others)
    left = math.log(-math.expm1(said(piece)))
    for place, token in enumerate([piece, *others[first:], *others[:first]][:top]):
        yield token, said(piece) if place == 0 else round(left - place * math.log(2), 6)


def _one(token: str, logprob: float) -> JsonObject:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode("utf-8", "replace"))}


def _draw(piece: str) -> int:
    return int.from_bytes(hashlib.sha256(piece.encode("utf-8", "backslashreplace")).digest()[:2], "big")
