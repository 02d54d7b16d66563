"""Validation that goes on after an error, so that one run shows all there is to mend.

What holds between keys (``references.py``) can only be checked on a whole ``Config``. So what is wrong is taken out or replaced
by a stand-in and marked as unusable, and the rest is validated again. Nothing that was salvaged is ever run.
"""

import copy
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from tracer_proxy.config.choices import nearest
from tracer_proxy.config.complaints import is_noise, location_of, problem_of
from tracer_proxy.config.document import Document
from tracer_proxy.config.nodes import Location
from tracer_proxy.config.part import keys_of, part_at
from tracer_proxy.config.schema import Config
from tracer_proxy.errors import Problem

_ROUNDS_MAX = 6
_ENDPOINTS = ["http://stand-in"]
_POOL = {"endpoints": _ENDPOINTS}
_LANE = {"name": "stand-in", "pool": "stand-in"}
_ROUTE = {"name": "stand-in", "lanes": [_LANE]}
_KEYS: dict[str, Any] = {
    "version": 1,
    "name": "stand-in",
    "pool": "stand-in",
    "endpoints": _ENDPOINTS,
    "lanes": [_LANE],
    "routes": [_ROUTE],
    "pools": {"stand-in": _POOL},
}
"""For required keys."""
_ITEMS: dict[str, Any] = {
    "routes": _ROUTE,
    "lanes": _LANE,
    "pools": _POOL,
    "coloring": {"color": "stand-in", "when": {"percent": 0}},
}
"""For single members of lists and mappings; where none is given, the whole list goes."""


@dataclass
class Salvaged:
    config: Config | None = None
    """Valid key by key; ``None`` when too much is wrong."""
    problems: list[Problem] = field(default_factory=list)
    unusable: set[Location] = field(default_factory=set)
    """Where ``config`` does not say what the file says."""


def validate(document: Document) -> Salvaged:
    """The document's config and everything that is wrong with single keys."""
    result = Salvaged(unusable=set(document.unusable))
    data = copy.deepcopy(document.data)
    for _ in range(_ROUNDS_MAX):
        try:
            result.config = Config.model_validate(data)
            break
        except ValidationError as error:
            errors = [one for one in error.errors(include_url=False) if not is_noise(one)]
        _note(errors, document, data, result)
        for one in errors:
            if one["type"] != "extra_forbidden":
                _replace(data, location_of(one))
    return result


def is_unusable(location: Location, unusable: set[Location]) -> bool:
    """Whether the location or one around it is unusable."""
    return any(location[:length] in unusable for length in range(len(location) + 1))


def _note(errors: list[ErrorDetails], document: Document, data: dict[str, Any], result: Salvaged) -> None:
    """Notes what is new. A misspelled key is read as the one it resembles, which is then not missing as well."""
    renamed = set()
    known = set(result.unusable)
    for error in errors:
        location = location_of(error)
        result.unusable.add(location)
        if error["type"] == "extra_forbidden" and (target := _rename(data, location)):
            renamed.add(target)
    result.unusable |= renamed
    result.problems += [
        problem_of(error, document, Config) for error in errors if not is_unusable(location_of(error), known | renamed)
    ]


def _rename(data: dict[str, Any], location: Location) -> Location | None:
    """Takes an unknown key out, and puts its value under the key that was probably meant, if that one is not there."""
    section, parent = part_at(Config, location[:-1]), _holder(data, location)
    key = str(location[-1])
    if section is None or not isinstance(parent, dict) or key not in parent:
        return None
    value = parent.pop(key)
    meant = nearest(key, keys_of(section))
    if meant is None or meant in parent:
        return None
    parent[meant] = value
    return (*location[:-1], meant)


def _replace(data: dict[str, Any], location: Location) -> None:
    """Takes out what is wrong, or as little around it as leaves a valid whole."""
    while location:
        key, parent = location[-1], _holder(data, location)
        section = part_at(Config, location[:-1])
        field_info = keys_of(section).get(str(key)) if section else None
        if isinstance(parent, dict) and field_info and not field_info.is_required():
            parent.pop(key, None)
            return
        stand_ins = _KEYS if field_info else _ITEMS
        name = str(key if field_info else location[-2] if len(location) > 1 else "")
        if name in stand_ins and parent is not None:
            parent[key] = _distinct(stand_ins[name], location)
            return
        location = location[:-1]


def _holder(data: Any, location: Location) -> Any:
    """The mapping or list that holds the last step of ``location``; ``None`` if there is none."""
    found = data
    for step in location[:-1]:
        if isinstance(found, dict):
            found = found.get(str(step))
        elif isinstance(found, list) and isinstance(step, int) and step < len(found):
            found = found[step]
        else:
            return None
    return found if isinstance(found, dict | list) else None


def _distinct(stand_in: Any, location: Location) -> Any:
    """A copy whose name no other entry has."""
    name = "stand-in-" + "-".join(str(step) for step in location if isinstance(step, int))
    if stand_in == "stand-in":
        return name
    own = copy.deepcopy(stand_in)
    if isinstance(own, dict) and "name" in own:
        own["name"] = name
    return own
