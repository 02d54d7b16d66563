"""The provider's own dialect of schemas (OpenAPI's, with types in capitals) as JSON schema."""

from typing import Any

from tracer_proxy.mocks.json_text import JsonObject

_LENGTHS = {
    "minItems": "minItems",
    "maxItems": "maxItems",
    "minLength": "minLength",
    "maxLength": "maxLength",
    "min_items": "minItems",
    "max_items": "maxItems",
    "min_length": "minLength",
    "max_length": "maxLength",
}
"""Counts, which protobuf's JSON may spell as strings."""


def json_schema(schema: Any) -> JsonObject:
    """The JSON schema of a schema; an empty one of anything else."""
    if not isinstance(schema, dict):
        return {}
    made: JsonObject = {}
    for name, value in schema.items():
        match name:
            case "type" if isinstance(value, str):
                made["type"] = value.lower()
            case "properties" if isinstance(value, dict):
                made["properties"] = {key: json_schema(member) for key, member in value.items()}
            case "items":
                made["items"] = json_schema(value)
            case "anyOf" | "any_of" if isinstance(value, list):
                made["anyOf"] = [json_schema(branch) for branch in value]
            case _ if name in _LENGTHS:
                made[_LENGTHS[name]] = _count(value)
            case _:
                made[name] = value
    return made


def _count(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10 else value
