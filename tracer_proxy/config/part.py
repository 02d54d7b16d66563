"""A section of the config, and how to find one's way through the sections."""

import types
from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.fields import FieldInfo

from tracer_proxy.config.nodes import Location


class Part(BaseModel):
    """A mapping in the file with fixed keys. Values are frozen, unknown keys are errors, and no error repeats what it got."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empty_keys(cls, data: object) -> object:
        """``key:`` with nothing after it is as good as no key, or as ``key: {}`` where a section belongs."""
        if not isinstance(data, dict) or None not in data.values():
            return data
        filled = {}
        for key, value in data.items():
            field = keys_of(cls).get(key)
            if value is not None or field is None:
                filled[key] = value
            elif part_of(field.annotation):
                filled[key] = {}
        return filled


def keys_of(section: type[Part]) -> dict[str, FieldInfo]:
    """Its keys as the file has them: ``for`` cannot be a field's name in Python."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def bare(annotation: Any) -> Any:
    """The annotation without ``Annotated`` and ``| None``."""
    while True:
        origin = get_origin(annotation)
        if origin is Annotated:
            annotation = get_args(annotation)[0]
        elif origin in (Union, types.UnionType):
            annotation = next(option for option in get_args(annotation) if option is not type(None))
        else:
            return annotation


def part_of(annotation: Any) -> type[Part] | None:
    """The section that a key holds, if it holds one itself and not a list or mapping of them."""
    annotation = bare(annotation)
    return annotation if isinstance(annotation, type) and issubclass(annotation, Part) else None


def items_of(annotation: Any) -> Any | None:
    """What a list or a mapping of names holds; ``None`` if the annotation is neither."""
    annotation = bare(annotation)
    if get_origin(annotation) is tuple:
        return get_args(annotation)[0]
    return get_args(annotation)[1] if get_origin(annotation) is Mapping else None


def part_at(root: type[Part], location: Location) -> type[Part] | None:
    """The section at a location of the document, if the schema has one there."""
    annotation: Any = root
    for step in location:
        if part := part_of(annotation):
            field = keys_of(part).get(str(step))
            annotation = field.annotation if field else None
        else:
            annotation = items_of(annotation)
        if annotation is None:
            return None
    return part_of(annotation)
