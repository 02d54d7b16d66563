"""A JSON body of which a few places are looked at: what they hold, as text."""

from typing import Final

from msgspec import Raw

from tracer_proxy.genai.json_pointer import Pointer, held_at, members
from tracer_proxy.genai.loose_json import text
from tracer_proxy.limits import SESSION_KEY_BYTES_MAX

_LITERALS: Final = (b"true", b"false")


class JsonBody:
    """What is no JSON object has nothing anywhere. What lies between the places is skipped, not built."""

    __slots__ = ("_members", "_raw")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._members: dict[str, Raw] | None = None

    def at(self, pointer: Pointer) -> str:
        """A string, or a number or truth value as it is written; empty for anything else, for nothing, and for a long one."""
        if self._members is None:
            self._members = members(self._raw)
        first = self._members.get(pointer[0])
        held = held_at(pointer[1:], first) if first is not None else None
        return "" if held is None else _scalar(held)


def _scalar(held: Raw | bytes) -> str:
    view = memoryview(held)
    if len(view) > 6 * SESSION_KEY_BYTES_MAX:
        # Even with every character escaped it would be too long.
        return ""
    raw = bytes(view)
    if raw[:1] == b'"':
        return text(held, SESSION_KEY_BYTES_MAX)
    is_plain = raw in _LITERALS or raw[:1].isdigit() or raw[:1] == b"-"
    return raw.decode() if is_plain and len(raw) <= SESSION_KEY_BYTES_MAX else ""
