"""Captured text on its way into attributes: redacted, cut, and as JSON, which backends expect on spans."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

_REDACTED = "[redacted]"
_KEPT = frozenset(("type", "role", "id", "finish_reason"))
"""Members of a message that are its form, not its content."""
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Redaction:
    patterns: Sequence[re.Pattern[str]]
    chars_max: int
    """Of each text."""

    def text(self, said: str) -> str:
        for pattern in self.patterns:
            said = pattern.sub(_REDACTED, said)
        return said[: self.chars_max]

    def json(self, said: Any) -> str:
        """A structure of messages; each text in it is redacted and cut by itself, so that the JSON stays whole."""
        return _encode(self._clean(said)).decode()

    def _clean(self, said: Any) -> Any:
        if isinstance(said, str):
            return self.text(said)
        if isinstance(said, dict):
            return {
                name: value if name in _KEPT and isinstance(value, str) else self._clean(value) for name, value in said.items()
            }
        if isinstance(said, list | tuple):
            return [self._clean(each) for each in said]
        return said
