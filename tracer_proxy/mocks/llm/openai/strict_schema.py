"""What the provider asks of a JSON schema in strict mode: everything named, everything required, nothing beyond."""

from collections.abc import Iterator
from typing import Any

from tracer_proxy import limits
from tracer_proxy.mocks.json_text import JsonObject

_REFUSED = (
    "allOf",
    "oneOf",
    "not",
    "if",
    "then",
    "else",
    "dependentRequired",
    "dependentSchemas",
    "patternProperties",
    "unevaluatedProperties",
)
_NAMED = ("properties", "$defs", "definitions")

Path = tuple[str, ...]


def fault(schema: JsonObject) -> str | None:
    """The first thing strict mode does not allow, as a sentence; None if there is none."""
    if "anyOf" in schema:
        return "In context=(), 'anyOf' is not permitted at the root."
    return next(_faults(schema), None)


def object_fault(schema: JsonObject) -> str | None:
    """What is wrong with a schema that has to describe an object, strict mode or not; None if nothing."""
    kind = schema.get("type")
    if kind == "object":
        return None
    return f"schema must be a JSON Schema of 'type: \"object\"', got 'type: \"{kind}\"'."


def _faults(root: JsonObject) -> Iterator[str]:
    """Level by level, so that no depth is too deep."""
    level: list[tuple[Path, Any]] = [((), root)]
    for _ in range(limits.MOCK_JSON_DEPTH_MAX):
        below: list[tuple[Path, Any]] = []
        for path, schema in level:
            if isinstance(schema, dict):
                for found in _own_faults(schema):
                    yield f"In context={path}, {found}"
                below += _children(path, schema)
        level = below


def _own_faults(schema: JsonObject) -> Iterator[str]:
    for keyword in _REFUSED:
        if keyword in schema:
            yield f"'{keyword}' is not permitted."
    if not _is_object(schema):
        return
    if schema.get("additionalProperties") is not False:
        yield "'additionalProperties' is required to be supplied and to be false."
    properties, required = schema.get("properties"), schema.get("required")
    names = set(properties) if isinstance(properties, dict) else set()
    listed = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
    if missing := sorted(names - listed):
        yield f"'required' is required to be an array including every key in properties. Missing '{missing[0]}'."
    if extra := sorted(listed - names):
        yield f"'required' names '{extra[0]}', which is not in properties."


def _is_object(schema: JsonObject) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or isinstance(schema.get("properties"), dict)


def _children(path: Path, schema: JsonObject) -> Iterator[tuple[Path, Any]]:
    for keyword in _NAMED:
        named = schema.get(keyword)
        if isinstance(named, dict):
            yield from (((*path, keyword, name), child) for name, child in named.items())
    branches = schema.get("anyOf")
    if isinstance(branches, list):
        yield from (((*path, "anyOf", str(place)), child) for place, child in enumerate(branches))
    if "items" in schema:
        yield (*path, "items"), schema["items"]
