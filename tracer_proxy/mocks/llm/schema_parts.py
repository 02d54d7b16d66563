"""Bringing the parts of a JSON schema together: ``$ref`` inside the document, ``allOf``, ``anyOf``, ``oneOf``."""

from typing import Any
from urllib.parse import unquote

from tracer_proxy import limits
from tracer_proxy.mocks.json_text import JsonObject


class Parts:
    """Finds the parts of a schema within its document ``root``."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._left = limits.MOCK_SCHEMA_PARTS_MAX

    def flat(self, schema: Any, hops_left: int = limits.MOCK_SCHEMA_DEPTH_MAX) -> JsonObject:
        """The schema with everything it refers to merged into it; where it has a choice, the first one that is not null."""
        self._left -= 1
        if not isinstance(schema, dict) or hops_left == 0 or self._left < 0:
            return {}
        merged = {name: part for name, part in schema.items() if name not in ("$ref", "allOf", "anyOf", "oneOf")}
        for part in self._parts(schema):
            merged = _merge(self.flat(part, hops_left - 1), merged)
        return merged

    def _parts(self, schema: JsonObject) -> list[Any]:
        parts = [self._target(schema["$ref"])] if "$ref" in schema else []
        every = schema.get("allOf")
        parts += every[: limits.MOCK_ITEMS_MAX] if isinstance(every, list) else []
        for name in ("anyOf", "oneOf"):
            branches = schema.get(name)
            if isinstance(branches, list) and branches:
                parts.append(next((branch for branch in branches if not _is_null(branch)), branches[0]))
        return parts

    def _target(self, pointer: Any) -> Any:
        """What a JSON pointer (RFC 6901) in a URI fragment names; None if it names nothing in this document."""
        if not isinstance(pointer, str) or not pointer.startswith("#"):
            return None
        node = self._root
        for step in unquote(pointer[1:]).split("/")[1:]:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, list):
                node = node[int(key)] if key.isascii() and key.isdigit() and int(key) < len(node) else None
            else:
                node = node.get(key) if isinstance(node, dict) else None
        return node


def _merge(below: JsonObject, above: JsonObject) -> JsonObject:
    merged = {**below, **above}
    low, high = below.get("properties"), above.get("properties")
    if isinstance(low, dict) and isinstance(high, dict):
        merged["properties"] = {**low, **high}
    low, high = below.get("required"), above.get("required")
    if isinstance(low, list) and isinstance(high, list):
        merged["required"] = low + high
    return merged


def _is_null(schema: Any) -> bool:
    return isinstance(schema, dict) and (schema.get("type") == "null" or schema.get("const", 0) is None)
