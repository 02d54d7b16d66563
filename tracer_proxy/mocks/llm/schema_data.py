"""Data that fits a JSON schema, always the same for the same schema and user text.

Honoured: ``const``, ``enum``, ``default``, ``examples``, types, ``properties``, ``required``, array and text lengths,
``uniqueItems``, numeric bounds, ``multipleOf``, common ``format`` names, local ``$ref``, ``allOf``, the first fitting branch
of ``anyOf`` and ``oneOf``. Not honoured: ``pattern``, ``not``, ``if``, and the like. A schema asking for more than the
limits allow gets data that stops there.
"""

from typing import Any

from tracer_proxy import limits
from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import schema_scalars
from tracer_proxy.mocks.llm.schema_parts import Parts

_NODE_CHARS = 16
_FRUGAL_DEPTH = 5
"""From here on only what is required is generated, so that recursive schemas come to an end."""


def arguments(schema: JsonObject, user_text: str) -> JsonObject:
    """Arguments for a tool; an empty object if its schema describes anything else."""
    value = example({"type": "object", **schema}, user_text)
    return value if isinstance(value, dict) else {}


def example(schema: Any, user_text: str) -> Any:
    """A value that fits the schema; ``user_text`` is put where a property asks for a text of that kind."""
    return _Generator(schema, user_text).value(schema)


class _Generator:
    """One generation, with what it may still spend."""

    def __init__(self, root: Any, user_text: str) -> None:
        self._parts = Parts(root)
        self._user_text = user_text
        self._chars_left = limits.MOCK_SCHEMA_CHARS_MAX

    def value(self, schema: Any, name: str = "", depth: int = 0, position: int = 0) -> Any:
        """``position`` is the place in an array: items there differ where they can."""
        self._chars_left -= _NODE_CHARS + len(name)
        if self._chars_left < 0 or depth > limits.MOCK_SCHEMA_DEPTH_MAX:
            return None
        flat = self._parts.flat(schema)
        found, literal = _literal(flat, position)
        if found:
            return self._paid(literal)
        match _type(flat):
            case "object":
                return self._object(flat, depth)
            case "array":
                return self._array(flat, name, depth)
            case "string":
                return self._paid(schema_scalars.text(flat, name, position, self._user_text))
            case kind:
                return schema_scalars.scalar(kind, flat, position)

    def _object(self, schema: JsonObject, depth: int) -> JsonObject:
        properties = schema.get("properties")
        if not isinstance(properties, dict):
            properties = {}
        required = _names(schema.get("required"))
        wanted = required if required or depth >= _FRUGAL_DEPTH else list(properties)
        made = {}
        for name in wanted:
            if self._chars_left < 0:
                break
            made[name] = self.value(properties.get(name, {}), name, depth + 1)
        return made

    def _array(self, schema: JsonObject, name: str, depth: int) -> list[Any]:
        leading = schema.get("prefixItems")
        leading = leading if isinstance(leading, list) else []
        fewest = schema_scalars.size(schema, "minItems") or 0
        most = schema_scalars.size(schema, "maxItems")
        length = max(fewest, len(leading), 0 if depth >= _FRUGAL_DEPTH else 1)
        length = min(length, limits.MOCK_ITEMS_MAX, length if most is None else most)
        kinds = [*leading, *[schema.get("items", {})] * (length - len(leading))][:length]
        return [self.value(kind, name, depth + 1, place) for place, kind in enumerate(kinds)]

    def _paid(self, value: Any) -> Any:
        """The value if there is still room for it: a schema can repeat a large literal very often."""
        self._chars_left -= len(json_text.write(value))
        return value if self._chars_left >= 0 else None


def _literal(schema: JsonObject, position: int) -> tuple[bool, Any]:
    """A value that the schema itself spells out. A default of null is as good as none: it would say nothing."""
    if "const" in schema:
        return True, schema["const"]
    if schema.get("default") is not None:
        return True, schema["default"]
    for choices in (schema.get("enum"), schema.get("examples")):
        if isinstance(choices, list) and choices:
            return True, choices[position % len(choices)]
    return False, None


def _type(schema: JsonObject) -> str:
    declared = schema.get("type")
    kinds = declared if isinstance(declared, list) else [declared]
    for kind in kinds:
        if isinstance(kind, str) and kind != "null":
            return kind
    if declared in ("null", ["null"]):
        return "null"
    if "properties" in schema or "required" in schema:
        return "object"
    return "array" if "items" in schema or "prefixItems" in schema else "string"


def _names(value: Any) -> list[str]:
    return [name for name in value if isinstance(name, str)] if isinstance(value, list) else []
