"""Texts, numbers and other single values that fit a JSON schema."""

import math
import re
from typing import Any

from tracer_proxy import limits
from tracer_proxy.mocks.json_text import JsonObject

_FORMATS = {
    "date-time": "2025-01-15T12:00:00Z",
    "date": "2025-01-15",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "email": "ada@example.com",
    "hostname": "example.com",
    "uri": "https://example.com/",
    "uri-reference": "/example",
    "uuid": "6f1c2d9e-3b7a-4c58-9d10-2a4b6c8e0f13",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "byte": "bW9jaw==",
}
_ASKS_FOR_USER_TEXT = {"answer", "content", "input", "message", "prompt", "q", "query", "question", "request", "task", "text"}
_ASKS_FOR_NAME = {"city", "company", "country", "destination", "location", "name", "origin", "person", "place", "topic"}
_PROPER_NAME = re.compile(r"(?<=[a-z,] )[A-Z][\w-]*(?: [A-Z][\w-]*)*")
_SAFE_NUMBER = 2**53
"""Bounds beyond what a double holds exactly are taken as absent."""


def text(schema: JsonObject, name: str, position: int, user_text: str) -> str:
    """A text for property ``name``, of the format and length asked for."""
    value = _FORMATS.get(str(schema.get("format"))) or _wording(name, user_text)
    if position and schema.get("format") not in _FORMATS:
        value = f"{value} {position + 1}"
    value = value.ljust(min(size(schema, "minLength") or 0, limits.MOCK_SCHEMA_CHARS_MAX), ".")
    return value[: size(schema, "maxLength")]


def scalar(kind: str, schema: JsonObject, position: int) -> Any:
    """A number, boolean or null; null too for a type that JSON schema does not have."""
    if kind == "integer":
        return _integer(schema, position)
    if kind == "number":
        return _number(schema, position)
    return True if kind == "boolean" else None


def size(schema: JsonObject, name: str) -> int | None:
    """A bound that counts something, None if there is none."""
    bound = _bound(schema, name)
    return None if bound is None or bound < 0 else int(bound)


def _wording(name: str, user_text: str) -> str:
    if name in _ASKS_FOR_USER_TEXT and user_text:
        return user_text
    proper = _PROPER_NAME.search(user_text) if name in _ASKS_FOR_NAME else None
    return proper.group() if proper else f"example {name.replace('_', ' ')}".rstrip()


def _integer(schema: JsonObject, position: int) -> int:
    low, high = _bound(schema, "minimum"), _bound(schema, "maximum")
    above, below = _bound(schema, "exclusiveMinimum"), _bound(schema, "exclusiveMaximum")
    lows = [math.ceil(low)] if low is not None else []
    lows += [math.floor(above) + 1] if above is not None else []
    highs = [math.floor(high)] if high is not None else []
    highs += [math.ceil(below) - 1] if below is not None else []
    value = _between(1 + position, lows, highs)
    return int(_on_step(value, _bound(schema, "multipleOf"), highs))


def _number(schema: JsonObject, position: int) -> float:
    low, high = _bound(schema, "minimum"), _bound(schema, "maximum")
    above, below = _bound(schema, "exclusiveMinimum"), _bound(schema, "exclusiveMaximum")
    lows = [bound for bound in (low, above) if bound is not None]
    highs = [bound for bound in (high, below) if bound is not None]
    value = _between(1.5 + position, lows, highs)
    if value in (above, below):
        value = (max(lows) + min(highs)) / 2 if lows and highs else value + (1 if value == above else -1)
    return _on_step(value, _bound(schema, "multipleOf"), highs)


def _on_step(value: float, step: float | None, highs: list[Any]) -> float:
    """The next multiple of ``step``, or the one before it if that is too high."""
    if step is None or step <= 1 / _SAFE_NUMBER:
        return value
    stepped = math.ceil(value / step) * step
    return stepped - step if highs and stepped > min(highs) else stepped


def _between(wish: float, lows: list[Any], highs: list[Any]) -> float:
    return float(min([max([wish, *lows]), *highs]))


def _bound(schema: JsonObject, name: str) -> float | None:
    bound = schema.get(name)
    if isinstance(bound, bool) or not isinstance(bound, (int, float)) or abs(bound) > _SAFE_NUMBER:
        return None
    return bound
