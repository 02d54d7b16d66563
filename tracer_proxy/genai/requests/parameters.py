"""Fields of a body as attributes of profile v1.41. A field of the wrong type is left out, and only that field."""

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Final, TypeAlias

from tracer_proxy import limits
from tracer_proxy.genai.asked import Parameter
from tracer_proxy.genai.requests.json_values import Json, member, text, value

Reader: TypeAlias = Callable[[Json], Parameter | None]
Table: TypeAlias = tuple[tuple[str, str, Reader], ...]
"""(field, attribute, reader); of several fields for one attribute the first that can be read wins."""

_ATTRIBUTE_INT_MAX: Final = 2**63 - 1
"""OTLP's ``int_value`` has 64 bits."""


def parameters(body: Mapping[str, Json], table: Table) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for field, attribute, read in table:
        if (held := body.get(field)) is not None and attribute not in found and (parameter := read(held)) is not None:
            found[attribute] = parameter
    return found


def number(found: Json) -> float | None:
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        number = float(found)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def whole(found: Json) -> int | None:
    is_whole = isinstance(found, int) and not isinstance(found, bool) and -_ATTRIBUTE_INT_MAX <= found <= _ATTRIBUTE_INT_MAX
    return found if is_whole and isinstance(found, int) else None


def not_one(found: Json) -> int | None:
    """The conventions want the count of choices only when it is not 1."""
    count = whole(found)
    return None if count == 1 else count


def strings(found: Json) -> list[str] | None:
    """Of a string or a list of them."""
    listed: list[Json] = [value(raw) for raw in found[: limits.PARAMETER_STRINGS_MAX]] if isinstance(found, list) else [found]
    return [name(each) for each in listed if isinstance(each, str)] or None


def name(found: Json) -> str:
    return text(found)[: limits.PARAMETER_CHARS_MAX]


def tier(found: Json) -> str | None:
    """The conventions want the service tier only when one is asked for, which ``auto`` does not."""
    return name(found) if found != "auto" and name(found) else None


def output_type(found: Json) -> str | None:
    """Of a format object such as ``{"type": "json_schema"}``."""
    return {"text": "text", "json_object": "json", "json_schema": "json"}.get(text(member(found, "type")))
