"""JSON of which only some parts are looked at, and of which no part need be what it should be.

The fields of a struct here are ``msgspec.Raw``: a member of the wrong type then spoils itself and not the whole.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

T = TypeVar("T")
U = TypeVar("U")

ABSENT: Final = Raw(b"")
NOT_JSON: Final = (msgspec.MsgspecError, RecursionError, UnicodeError)
"""What a decoder says of bytes that are no JSON, not what was asked for, or nested too deep."""

_NULL = b"null"
_text = msgspec.json.Decoder(str).decode


def loosely(decode: Callable[[bytes], T], json: bytes, otherwise: U) -> T | U:
    """``json`` as ``decode`` has it, or ``otherwise``."""
    try:
        return decode(json)
    except NOT_JSON:
        return otherwise


def text(value: Raw | bytes, chars_max: int) -> str:
    """A JSON string; ``""`` for anything else, and for a longer one."""
    found = loosely(_text, value, "")
    return found if len(found) <= chars_max else ""


def scalar(value: Raw, chars_max: int) -> str:
    """A JSON string, or a number as it is written; ``""`` for anything else, and for a longer one."""
    raw = bytes(value)
    if raw[:1].isdigit() or raw[:1] == b"-":
        return raw.decode() if len(raw) <= chars_max else ""
    return text(value, chars_max)


def one_or_batch(
    decode_batch: Callable[[bytes], list[T]], decode: Callable[[bytes], T], json: bytes, bytes_max: int
) -> list[T]:
    """What ``json`` holds: one thing or an array of them; nothing of what is no JSON or a batch of over ``bytes_max`` bytes."""
    if json.lstrip(b" \t\r\n")[:1] == b"[":
        return loosely(decode_batch, json, []) if len(json) <= bytes_max else []
    one = loosely(decode, json, None)
    return [] if one is None else [one]


def is_given(value: Raw) -> bool:
    """Whether the member is there and not ``null``."""
    return memoryview(value) not in (b"", _NULL)  # a view, as ``bytes`` of a Raw is a copy
