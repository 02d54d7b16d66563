"""Values out of JSON that may be of any type: a field of a wrong type must not cost the rest of an answer.

Struct types of the wire formats therefore name the type of a field only where the shape hangs on it; all else is read through
these.
"""

import json
from typing import Any, TypeVar

import msgspec

from tracer_proxy import limits

T = TypeVar("T")

_COUNT_MAX = 2**63 - 1


def decode(decoder: msgspec.json.Decoder[T], payload: bytes) -> T | None:
    """``None`` for what is no JSON, or of another shape."""
    try:
        return decoder.decode(payload)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return _decode_with_surrogates(decoder, payload)


def _decode_with_surrogates(decoder: msgspec.json.Decoder[T], payload: bytes) -> T | None:
    """Some servers cut text between the two halves of a surrogate pair; msgspec refuses the halves, the clients do not."""
    if b"\\ud" not in payload and b"\\uD" not in payload:
        return None
    try:
        return decoder.decode(json.dumps(json.loads(payload), ensure_ascii=False).encode(errors="replace"))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def name(value: Any) -> str:
    """An id or a name; empty for anything else, and for what is too long to be one."""
    return value if type(value) is str and len(value) <= limits.ANSWER_NAME_CHARS_MAX else ""


def count(value: Any) -> int | None:
    """A number of tokens."""
    return value if type(value) is int and 0 <= value <= _COUNT_MAX else None


def within(value: Any, key: str) -> Any:
    """``value[key]`` of an object, else ``None``."""
    return value.get(key) if type(value) is dict else None


def text(content: Any) -> str:
    """Text of a message's content: a string, or a list of parts."""
    return content if type(content) is str else text_of_parts(content, "text", ("text", "output_text"))


def text_of_parts(content: Any, key: str, kinds: tuple[str, ...]) -> str:
    """What parts of these types have under ``key``."""
    if type(content) is not list:
        return ""
    pieces = (within(part, key) for part in content if within(part, "type") in kinds)
    return "".join(piece for piece in pieces if type(piece) is str)


def json_text(value: Any) -> str:
    """Arguments of a call: JSON in a string, or as it is."""
    if type(value) is str:
        return value
    if isinstance(value, msgspec.Raw):
        raw = bytes(value)
        return "" if raw == b"null" else raw.decode(errors="replace")
    return "" if value is None else msgspec.json.encode(value).decode()


def error_code(error: Any, *keys: str) -> str:
    """The first of ``keys`` that the provider's error object has; a word first, a number only if there is no word."""
    found = [value for key in keys if (value := within(error, key))]
    for kind in (str, int):
        for value in found:
            if type(value) is kind:
                return str(value)[: limits.ANSWER_ERROR_CHARS_MAX]
    return "error"
