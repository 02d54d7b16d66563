"""Generated data fits its schema; pydantic writes the schemas and is the judge."""

import datetime
import enum
import ipaddress
import json
import uuid
from typing import Annotated, Any, Literal, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import AnyUrl, BaseModel, Field, TypeAdapter

from tracer_proxy import limits
from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.llm import schema_data


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Node(BaseModel):
    name: str
    children: list["Node"]
    parent: Optional["Node"] = None


class Loose(BaseModel):
    title: str | None = None
    next: Optional["Loose"] = None


class Order(BaseModel):
    id: uuid.UUID
    colour: Colour
    kind: Literal["b", "a"]
    customer: Annotated[str, Field(min_length=40, max_length=45)]
    short: Annotated[str, Field(max_length=3)]
    count: Annotated[int, Field(gt=5, lt=8)]
    even: Annotated[int, Field(ge=3, le=5, multiple_of=2)]
    share: Annotated[float, Field(gt=0, lt=1)]
    below: Annotated[float, Field(lt=-10)]
    step: Annotated[float, Field(ge=0.3, multiple_of=0.5)]
    days: Annotated[list[datetime.date], Field(min_length=2, max_length=3)]
    pair: tuple[int, str]
    tags: Annotated[set[str], Field(min_length=3)]
    none: None
    either: int | str
    made: datetime.datetime
    link: AnyUrl
    address: ipaddress.IPv4Address
    node: Node
    loose: Loose
    extra: dict[str, int]
    flag: bool
    anything: Any


@pytest.mark.parametrize("kind", [Order, Node, Loose, list[Order], Annotated[list[int], Field(min_length=4)], Colour, float])
def test_data_fits_the_schema(kind: Any) -> None:
    adapter = TypeAdapter(kind)
    made = schema_data.example(adapter.json_schema(), "Where is Oslo?")
    adapter.validate_json(json.dumps(made))


@pytest.mark.parametrize("kind", [Order, Loose])
def test_arguments_without_required_names_hold_every_property(kind: type[BaseModel]) -> None:
    schema = kind.model_json_schema()
    schema.pop("required", None)
    assert schema_data.arguments(schema, "hi").keys() == kind.model_fields.keys()


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"const": 7}, 7),
        ({"type": "string", "default": "d", "enum": ["e", "d"]}, "d"),
        ({"type": "integer", "examples": [42]}, 42),
        ({"type": ["null", "boolean"]}, True),
        ({"allOf": [{"properties": {"a": {"const": 1}}}, {"properties": {"b": {"const": 2}}}]}, {"a": 1, "b": 2}),
        ({"oneOf": [{"type": "null"}, {"const": "x"}]}, "x"),
        ({"$ref": "#/$defs/a~1b/0", "$defs": {"a/b": [{"const": "found"}]}}, "found"),
        ({"properties": {"query": {"type": "string"}}}, {"query": "Take me to Paris"}),
        ({"properties": {"city": {"type": "string"}}}, {"city": "Paris"}),
        ({"properties": {"user_id": {"type": "string"}}}, {"user_id": "example user id"}),
        ({"type": "array", "uniqueItems": True, "minItems": 2, "items": {"enum": [1, 2]}}, [1, 2]),
    ],
)
def test_known_values(schema: dict[str, Any], value: Any) -> None:
    assert schema_data.example(schema, "Take me to Paris") == value


HUGE = "x" * 10_000
EXTREME: list[dict[str, Any]] = [
    {"type": "array", "minItems": 10**9, "items": {"type": "array", "minItems": 10**9, "items": {"minItems": 10**9}}},
    {"type": "string", "minLength": 10**12},
    {"type": "array", "minItems": 64, "items": {"const": HUGE}},
    {"$ref": "#"},
    {"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}] * 64}}, "$ref": "#/$defs/a"},
    {"required": ["a", "b"], "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}},
    {"required": [f"name{number}" for number in range(100_000)]},
]


@pytest.mark.parametrize("schema", EXTREME)
def test_no_schema_makes_endless_data(schema: dict[str, Any]) -> None:
    assert len(json.dumps(schema_data.example(schema, "hi"))) < 10 * limits.MOCK_SCHEMA_CHARS_MAX


@pytest.mark.parametrize("schema", [{"type": "string"}, {"const": [1]}, {"properties": []}, {"required": "name"}])
def test_arguments_are_always_an_object(schema: dict[str, Any]) -> None:
    assert schema_data.arguments(schema, "hi") == {}


numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
bounds = dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "maxLength"), numbers)
leaves = st.fixed_dictionaries({}, optional={"type": st.sampled_from(["integer", "number", "string", "none"]), **bounds})
schemas = st.recursive(
    leaves | st.none() | st.text() | numbers,
    lambda inner: st.fixed_dictionaries(
        {},
        optional={
            "type": inner | st.sampled_from(["array", "object"]) | st.lists(st.just("array")),
            "items": inner,
            "prefixItems": st.lists(inner) | inner,
            "minItems": numbers,
            "properties": st.dictionaries(st.text(), inner) | inner,
            "required": st.lists(st.text()) | inner,
            "allOf": st.lists(inner) | inner,
            "anyOf": st.lists(inner) | inner,
            "enum": st.lists(inner) | inner,
            "$ref": st.sampled_from(["#", "#/items", "#/allOf/0", "#/allOf/x"]) | inner,
        },
    ),
    max_leaves=8,
)


@given(schemas)
@settings(deadline=None)
def test_any_schema_gives_json(schema: Any) -> None:
    """Also one that means nothing."""
    json_text.write(schema_data.example(schema, "Where is Oslo?"))
