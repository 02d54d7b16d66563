"""Places in JSON, by pointer (RFC 6901)."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw

from tracer_proxy.genai.loose_json import loosely

Pointer = Sequence[str]
"""The names on the way: for ``/a/b~1c`` these are ``a`` and ``b/c``."""

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_items = msgspec.json.Decoder(list[Raw]).decode
_NO_MEMBERS: Final[dict[str, Raw]] = {}
_NO_ITEMS: Final[list[Raw]] = []
_INDEX_DIGITS_MAX = 9


def parse_pointer(written: str) -> Pointer:
    """Raises ``ValueError`` for what is no pointer, and for the empty one, which means the whole."""
    if not written.startswith("/"):
        raise ValueError("a JSON pointer starts with /")
    names = written[1:].split("/")
    if any("~" in name.replace("~0", "").replace("~1", "") for name in names):
        raise ValueError("in a JSON pointer ~ is written ~0, and / in a name ~1")
    return tuple(name.replace("~1", "/").replace("~0", "~") for name in names)


def members(json: bytes | Raw) -> dict[str, Raw]:
    """Of an object; what is none has none."""
    return loosely(_members, json, _NO_MEMBERS)


def held_at(pointer: Pointer, json: bytes | Raw) -> Raw | bytes | None:
    """``None`` where nothing is. What lies beside the way is skipped, not built."""
    held: Raw | bytes | None = json
    for name in pointer:
        if held is None:
            return None
        held = _inside(held, name)
    return held


def _inside(held: Raw | bytes, name: str) -> Raw | None:
    found = members(held)
    if found or not _is_index(name):
        return found.get(name)
    items = loosely(_items, held, _NO_ITEMS)
    return items[int(name)] if int(name) < len(items) else None


def _is_index(name: str) -> bool:
    """RFC 6901, 4: digits without leading zeros."""
    return name.isascii() and name.isdigit() and len(name) <= _INDEX_DIGITS_MAX and (name == "0" or name[0] != "0")
