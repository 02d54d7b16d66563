"""From what pydantic found to a sentence: what stands there, what was expected, what was probably meant. Secrets stay out."""

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from pydantic_core import ErrorDetails

from tracer_proxy.config.choices import hint
from tracer_proxy.config.document import Document
from tracer_proxy.config.nodes import Location
from tracer_proxy.config.part import Part, keys_of, part_at
from tracer_proxy.errors import Problem
from tracer_proxy.limits import CONFIG_TEXT_SHOWN_MAX

_SHAPES = {
    "model_type": "expected a mapping",
    "mapping_type": "expected a mapping",
    "dict_type": "expected a mapping",
    "tuple_type": "expected a list",
    "too_short": "expected at least one",
}
_SECRET = re.compile("authorization|key|token|secret|password|cookie", re.IGNORECASE)
_USER_INFO = re.compile(r"^([a-z]+://)?.*@", re.DOTALL)
_ON_KEY = "[key]"
"""How pydantic marks that the key of a mapping is wrong, not its value."""


def location_of(error: ErrorDetails) -> Location:
    """Where the error is, in terms of the document."""
    location = error["loc"]
    return location[:-1] if location and location[-1] == _ON_KEY else location


def is_noise(error: ErrorDetails) -> bool:
    """Whether the error only follows from another one: a list that is short of its wrong items, a default of wrong fields."""
    kind = error["type"]
    return kind == "default_factory_not_called" or (kind == "too_short" and bool(error["input"]))


def problem_of(error: ErrorDetails, document: Document, root: type[Part]) -> Problem:
    """The error as a problem of the file. ``root`` is the schema's top section."""
    location, kind, value = location_of(error), error["type"], error["input"]
    if kind == "missing":
        return document.problem(location[:-1], f"the key {location[-1]!r} is missing", at_key=True)
    if kind == "extra_forbidden":
        return document.problem(location, unknown_key(location, root), at_key=True)
    if kind == "wrong_key":
        return document.problem((*location, error["ctx"]["key"]), error["msg"], at_key=True)
    for step in error["ctx"]["inner"] if kind == "wrong" else ():
        location, value = (*location, step), value[step]
    on_key = error["loc"][-1:] == (_ON_KEY,)
    found = _shape(value) if kind in _SHAPES else _shown(value, location, is_key=on_key)
    return document.problem(location, f"found {found}: {_SHAPES.get(kind, error['msg'])}", at_key=on_key)


def unknown_key(location: Location, root: type[Part]) -> str:
    """What to say about the key at the end of ``location``."""
    key = str(location[-1])
    section = part_at(root, location[:-1])
    known = list(keys_of(section)) if section else []
    return f"unknown key {_cut(key)}{hint(key, known, 'keys')}"


def _shape(value: object) -> str:
    """The kind of thing that stands where a list or a section was expected. Its text may be a secret that slipped."""
    if isinstance(value, Mapping | list | tuple):
        kind = "mapping" if isinstance(value, Mapping) else "list"
        return f"a {kind}" if value else f"an empty {kind}"
    if value is None:
        return "nothing"
    return "text" if isinstance(value, str) else "true or false" if isinstance(value, bool) else "a number"


def _shown(value: Any, location: Location, *, is_key: bool) -> str:
    """The value as it may be repeated in a message."""
    if value is None or isinstance(value, Mapping | list | tuple):
        return _shape(value)
    if not is_key and _is_secret(location):
        return "a value that is not shown here"
    if isinstance(value, bool):
        return str(value).lower()
    if location and (location[-1] == "endpoint" or "endpoints" in location) and isinstance(value, str):
        value = _USER_INFO.sub(r"\1...@", value.partition("?")[0])
    return _cut(value) if isinstance(value, str) else str(value)


def _is_secret(location: Location) -> bool:
    """Whether it is a token, a webhook, a pool's header, a cookie, or a header or parameter with a telling name."""
    if location[-1:] in (("token",), ("webhook",)):
        return True
    for kind, name in pairwise(location):
        if kind in ("headers", "cookie") or (kind in ("header", "query") and _SECRET.search(str(name))):
            return True
    return False


def _cut(text: str) -> str:
    return repr(text) if len(text) <= CONFIG_TEXT_SHOWN_MAX else f"{text[:CONFIG_TEXT_SHOWN_MAX]!r}..."
