"""A JSON body of which a few places are looked at: what they hold, as text (JSON pointers, RFC 6901)."""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Raw

from tracer_proxy.genai.loose_json import loosely, text
from tracer_proxy.limits import SESSION_KEY_BYTES_MAX

Pointer = Sequence[str]

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_items = msgspec.json.Decoder(list[Raw]).decode
_NO_MEMBERS: Final[dict[str, Raw]] = {}
_NO_ITEMS: Final[list[Raw]] = []
_LITERALS: Final = (b"true", b"false")


def parse_pointer(written: str) -> Pointer:
    """The names on the way, for ``/a/b~1c`` these are ``a`` and ``b/c``. Raises ``ValueError`` for what is no pointer."""
    if not written.startswith("/"):
        raise ValueError("a JSON pointer starts with /")
    names = written[1:].split("/")
    if any("~" in name.replace("~0", "").replace("~1", "") for name in names):
        raise ValueError("in a JSON pointer ~ is written ~0, and / in a name ~1")
    return tuple(name.replace("~1", "/").replace("~0", "~") for name in names)


class JsonBody:
    """What is no JSON object has nothing anywhere. What lies between the places is skipped, not built."""

    __slots__ = ("_members", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._members: dict[str, Raw] | None = None

    def at(self, pointer: Pointer) -> str:
        """A string, or a number or truth value as it is written; empty for anything else, for nothing, and for a long one."""
        if self._members is None:
            self._members = loosely(_members, self._raw, _NO_MEMBERS)
        held = self._members.get(pointer[0])
        for name in pointer[1:]:
            if held is None:
                return ""
            held = _inside(held, name)
        return "" if held is None else _scalar(held)


def _inside(held: Raw, name: str) -> Raw | None:
    if name.isascii() and name.isdigit() and bytes(memoryview(held)[:1]) == b"[":
        items = loosely(_items, held, _NO_ITEMS)
        return items[int(name)] if len(name) < 10 and int(name) < len(items) else None
    return loosely(_members, held, _NO_MEMBERS).get(name)


def _scalar(held: Raw) -> str:
    view = memoryview(held)
    if len(view) > 6 * SESSION_KEY_BYTES_MAX:
        # Even with every character escaped it would be too long.
        return ""
    raw = bytes(view)
    if raw[:1] == b'"':
        return text(held, SESSION_KEY_BYTES_MAX)
    is_plain = raw in _LITERALS or raw[:1].isdigit() or raw[:1] == b"-"
    return raw.decode() if is_plain and len(raw) <= SESSION_KEY_BYTES_MAX else ""
