"""The JSON Schema takes the file as it is written, and refuses what editors should underline."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tracer_proxy.config.json_schema import json_schema

EXAMPLES = sorted((Path(__file__).parents[2] / "config").glob("*.yaml"))
VALID: dict[str, Any] = {
    "version": 1,
    "routes": [{"name": "r", "lanes": [{"name": "a", "pool": "p"}]}],
    "pools": {"p": {"endpoints": ["http://h"]}},
}
_TYPES: dict[str, type] = {"string": str, "object": dict, "array": list, "boolean": bool, "null": type(None)}


def accepts(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    """The part of draft 2020-12 that the schema uses; a keyword that is not known here fails the test."""
    return all(_holds(keyword, operand, schema, value, root) for keyword, operand in schema.items())


def _holds(keyword: str, operand: Any, schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    match keyword:
        case "$schema" | "$defs" | "title" | "description" | "default" | "format":
            return True
        case "$ref":
            return accepts(root["$defs"][operand.removeprefix("#/$defs/")], value, root)
        case "anyOf":
            return any(accepts(option, value, root) for option in operand)
        case "enum":
            return value in operand
        case "const":
            return bool(value == operand)
        case "type":
            return _is(operand, value)
        case "pattern":
            return not isinstance(value, str) or re.search(operand, value) is not None
        case "minimum" | "maximum":
            return not _is("number", value) or bool(value >= operand if keyword == "minimum" else value <= operand)
        case "items":
            return not isinstance(value, list) or all(accepts(operand, item, root) for item in value)
        case "maxItems":
            return not isinstance(value, list) or len(value) <= operand
        case "minItems":
            return not isinstance(value, list) or len(value) >= operand
        case _:
            return _holds_for_keys(keyword, operand, schema, value, root)


def _holds_for_keys(keyword: str, operand: Any, schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    given = value if isinstance(value, dict) else {}
    others = [given[key] for key in given if key not in schema.get("properties", {})]
    match keyword:
        case "properties":
            return all(accepts(operand[key], given[key], root) for key in given if key in operand)
        case "required":
            return not isinstance(value, dict) or set(operand) <= set(given)
        case "additionalProperties":
            return (operand or not others) if isinstance(operand, bool) else all(accepts(operand, one, root) for one in others)
        case "propertyNames":
            return all(accepts(operand, key, root) for key in given)
        case "minProperties" | "maxProperties":
            return not isinstance(value, dict) or (
                len(value) >= operand if keyword == "minProperties" else len(value) <= operand
            )
        case _:
            raise AssertionError(f"the schema uses the keyword {keyword!r}, which this test does not know")


def _is(kind: str, value: Any) -> bool:
    if kind in ("number", "integer"):
        return isinstance(value, int if kind == "integer" else (int, float)) and not isinstance(value, bool)
    return isinstance(value, _TYPES[kind])


def valid(change: str = "") -> bool:
    schema = json_schema()
    return accepts(schema, VALID | (yaml.safe_load(change) or {}), schema)


def test_states_its_draft() -> None:
    """So that editors do not guess."""
    assert json_schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_pass(path: Path) -> None:
    """The files in config/, as YAML reads them, with variables in place."""
    schema = json_schema()
    assert accepts(schema, yaml.safe_load(path.read_text()), schema)


@pytest.mark.parametrize(
    "change",
    [
        "{}",
        "{proxy: {listen: 'h:1'}}",
        "{proxy: {listen: ['h:1', 'unix:/x'], drain: 5, timeouts: {head: 250ms}}}",
        "{proxy: {limits: {head: 32KiB, headers: '${N:-5}', connections: 7}}}",
        "{tracing: {sample: '${S}', inject: [b3, '${F}']}}",
        "{coloring: [{color: '${C}', when: {percent: '${P:-5}', path: {prefix: /a}, header: {a: b, c: {present: true}}}}]}",
        "{trust: [all], admin: {listen: '127.0.0.1:81'}, mocks: {llm: {}}, profiles: {a: {trust: [all]}}}",
    ],
)
def test_input_shape_passes(change: str) -> None:
    """Durations and sizes as text, variables in place of numbers and words, one value for a list of one."""
    assert valid(change)


@pytest.mark.parametrize(
    "change",
    [
        "{version: 2}",
        "{prxy: {}}",
        "{proxy: {lisen: 'h:1'}}",
        "{proxy: {listen: 8080}}",
        "{proxy: {drain: soon}}",
        "{proxy: {limits: {headers: 1000}}}",
        "{tracing: {sample: 2}}",
        "{tracing: {exporter: zipkin}}",
        "{trust: all}",
        "{routes: []}",
        "{routes: [{name: r}]}",
        "{pools: {p: {endpoints: ['http://h/v1']}}}",
        "{pools: {p: {endpoints: ['http://h'], balance: fair}}}",
        "{coloring: [{color: Canary, when: {percent: 5}}]}",
        "{coloring: [{color: c, when: {header: {a: 1}}}]}",
        "{coloring: [{color: c, when: {header: {a: {prefx: b}}}}]}",
    ],
)
def test_mistakes_do_not_pass(change: str) -> None:
    """What an editor can see without knowing the whole."""
    assert not valid(change)


def test_every_key_is_described() -> None:
    """Descriptions are what an editor shows, and what the reference in the docs is made of."""
    schema = json_schema()
    for section in (schema, *schema["$defs"].values()):
        assert section["description"]
        for key, value in section["properties"].items():
            # A key that is a section may leave the description to that section.
            assert value.get("description") or "$ref" in value, f"{section['title']}.{key} has no description"


def test_defaults_are_as_written() -> None:
    """A default that an editor inserts is good input."""
    schema = json_schema()
    for section in (schema, *schema["$defs"].values()):
        for key, value in section["properties"].items():
            if "default" in value:
                assert accepts(value, value["default"], schema), f"{section['title']}.{key}"
