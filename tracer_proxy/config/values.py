"""How single values are written in the file, and what they become.

A ``Form`` is the one source for all three readers of the schema: validation, the JSON Schema and the reference in the docs.
Complaints say what was expected; what was found is added by ``complaints.py``, which knows what may be shown.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from tracer_proxy.config.choices import alternatives, nearest
from tracer_proxy.limits import CONFIG_DURATION_S_MAX, CONFIG_SIZE_BYTES_MAX, KiB, MiB

VARIABLE_SCHEMA: dict[str, Any] = {"type": "string", "pattern": r"\$\{[A-Za-z_]"}
"""A value that is read from the environment may stand where a number or one of a few words is expected."""

_NUMBER = re.compile(r"[-+]?(?:\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})")
_DURATION = re.compile(r"(\d{1,18}(?:\.\d{1,18})?)(ms|s|m|h|d)")
_SIZE = re.compile(r"(\d{1,18})(B|KB|MB|GB|KiB|MiB|GiB)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": KiB, "MiB": MiB, "GiB": 1024 * MiB}


def wrong(expectation: str, *inner: str) -> PydanticCustomError:
    """A complaint about a value, or about what it holds at ``inner``; it must not repeat the value, which may be a secret."""
    return PydanticCustomError("wrong", "{expectation}", {"expectation": expectation, "inner": inner})


def wrong_key(key: str, complaint: str) -> PydanticCustomError:
    """A complaint about one key of a mapping."""
    return PydanticCustomError("wrong_key", "{complaint}", {"complaint": complaint, "key": key})


@dataclass(frozen=True, eq=False, slots=True)
class Form:
    """One way to write a value, for ``Annotated``."""

    name: str
    """For the reference: ``duration``."""
    read: Callable[[Any], Any]
    """From plain data to the value; raises ``wrong(...)``."""
    schema: Mapping[str, Any]
    """JSON Schema of what may be written, variables aside."""
    show: Callable[[Any], str] = str
    """A default as it would be written in the file."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self.read)

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        options = list(self.schema["anyOf"]) if "anyOf" in self.schema else [dict(self.schema)]
        if {"type": "string"} not in options:
            options.append(VARIABLE_SCHEMA)
        return options[0] if len(options) == 1 else {"anyOf": options}


@dataclass(frozen=True, eq=False, slots=True)
class OneOrMany:
    """For ``Annotated[tuple[...], ...]``: a list, or a single value that stands for a list of one."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        def as_list(value: object) -> object:
            return value if isinstance(value, list | tuple) else [value]

        return core_schema.no_info_before_validator_function(as_list, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        many = handler(core)
        return {"anyOf": [many["items"], many]}


def text(value: object, expectation: str = "text") -> str:
    """Text and nothing that YAML reads as something else."""
    if isinstance(value, bool | int | float):
        raise wrong(f"expected {expectation}; put the value in quotes")
    if not isinstance(value, str):
        raise wrong(f"expected {expectation}")
    return value


def text_form(name: str, pattern: str, expectation: str) -> Form:
    """Text that matches ``pattern`` as a whole."""
    compiled = re.compile(pattern)

    def read(value: object) -> str:
        if compiled.fullmatch(text(value, expectation)) is None:
            raise wrong(f"expected {expectation}")
        return str(value)

    return Form(name, read, {"type": "string", "pattern": f"^(?:{pattern})$"})


def number(value: object) -> float | int | None:
    """A number, also one in quotes, as variables inside of ``{}`` have to be; ``None`` for anything else."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return float(value) if "." in value else int(value)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def number_form(low: float, high: float, *, whole: bool = False) -> Form:
    """A number from ``low`` to ``high``, both included."""
    kind = "whole number" if whole else "number"

    def read(value: object) -> float:
        found = number(value)
        if found is None or not low <= found <= high or (whole and not isinstance(found, int)):
            raise wrong(f"expected a {kind} from {low:.12g} to {high:.12g}")
        return int(found) if whole else float(found)

    schema = {"type": "integer" if whole else "number", "minimum": low, "maximum": high}
    return Form(f"{kind}, {low:.12g} to {high:.12g}", read, schema, lambda value: f"{value:.12g}")


def choice_form(*options: str, later: tuple[str, ...] = ()) -> Form:
    """One of a few words. ``later`` are words of the design that this version does not know yet."""

    def read(value: object) -> str:
        if value in options:
            return str(value)
        if value in later:
            raise wrong(f"not available in this version; expected {alternatives(options)}")
        guess = nearest(value, options) if isinstance(value, str) else None
        raise wrong(f"expected {alternatives(options)}" + (f"; did you mean {guess!r}?" if guess else ""))

    return Form(" \\| ".join(f"`{option}`" for option in options), read, {"enum": list(options)})


def outcome_form(words: tuple[str, ...], statuses: tuple[int, ...]) -> Form:
    """One of a few words, or a status of a few."""
    options = (*words, *map(str, statuses))
    choice = choice_form(*options)

    def read(value: object) -> str:
        return str(choice.read(str(value) if isinstance(value, int) and not isinstance(value, bool) else value))

    return Form(choice.name, read, {"enum": [*words, *statuses, *map(str, statuses)]})


@dataclass(frozen=True, slots=True)
class StatusRange:
    """Both ends are in it."""

    first: int
    last: int

    def __str__(self) -> str:
        return str(self.first) if self.first == self.last else f"{self.first}-{self.last}"


def _read_statuses(value: object) -> StatusRange:
    expectation = "a status such as 200, or a range such as 200-399"
    first, dash, last = str(value).partition("-")
    ends = [first, last] if dash else [first]
    if isinstance(value, bool) or not all(len(end) == 3 and end.isdecimal() and "100" <= end <= "599" for end in ends):
        raise wrong(f"expected {expectation}")
    if int(ends[-1]) < int(first):
        raise wrong("expected a range whose second status is not below the first")
    return StatusRange(int(first), int(ends[-1]))


_STATUSES_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 100, "maximum": 599},
        {"type": "string", "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"},
    ]
}
Statuses = Annotated[StatusRange, Form("status, or range", _read_statuses, _STATUSES_SCHEMA)]


def read_flag(value: object) -> bool:
    if value in ("true", "false"):
        return value == "true"
    if not isinstance(value, bool):
        raise wrong("expected true or false")
    return value


def _read_duration(value: object, low: float, high: float = CONFIG_DURATION_S_MAX) -> float:
    found = number(value)
    if match := _DURATION.fullmatch(value) if isinstance(value, str) else None:
        found = float(match[1]) * _SECONDS[match[2]]
    if found is None:
        raise wrong("expected a duration such as 250ms, 5s, 10m or 1h, or a number of seconds")
    if not low <= found <= high:
        raise wrong(f"expected a duration from {show_duration(low)} to {show_duration(high)}")
    return float(found)


def _read_size(value: object) -> int:
    found = number(value)
    if match := _SIZE.fullmatch(value) if isinstance(value, str) else None:
        found = int(match[1]) * _BYTES[match[2]]
    if not isinstance(found, int) or not 0 <= found <= CONFIG_SIZE_BYTES_MAX:
        raise wrong("expected a size such as 64KiB, 10MB or 1GiB, or a number of bytes")
    return found


def _read_size_or_unlimited(value: object) -> int | None:
    return None if value == "unlimited" else _read_size(value)


def show_duration(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.12g}ms"
    unit = next(unit for unit in ("d", "h", "m", "s") if seconds % _SECONDS[unit] == 0 or unit == "s")
    return f"{seconds / _SECONDS[unit]:.12g}{unit}"


def show_size(size: int) -> str:
    unit = next(unit for unit in ("GiB", "MiB", "KiB", "B") if size % _BYTES[unit] == 0)
    return f"{size // _BYTES[unit]}{unit}"


def size_form(low: int, high: int) -> Form:
    """Bytes from ``low`` to ``high``."""

    def read(value: object) -> int:
        if not low <= (found := _read_size(value)) <= high:
            raise wrong(f"expected a size from {show_size(low)} to {show_size(high)}")
        return found

    return Form(f"size, {show_size(low)} to {show_size(high)}", read, _SIZE_SCHEMA, show_size)


_DURATION_SCHEMA = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": f"^{_DURATION.pattern}$"}]}
_SIZE_SCHEMA = {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": f"^{_SIZE.pattern}$"}]}
_UNLIMITED_SCHEMA = {"anyOf": [*_SIZE_SCHEMA["anyOf"], {"const": "unlimited"}]}
_SHORTEST_TIMEOUT_S = 0.001

Flag = Annotated[bool, Form("`true` \\| `false`", read_flag, {"type": "boolean"}, lambda value: str(value).lower())]
Text = Annotated[str, Form("text", text, {"type": "string"})]


def duration_form(low: float, high: float = CONFIG_DURATION_S_MAX) -> Form:
    """Seconds, both ends included."""
    return Form("duration", lambda value: _read_duration(value, low, high), _DURATION_SCHEMA, show_duration)


Duration = Annotated[float, duration_form(0.0)]
"""Seconds; 0 is allowed."""
Timeout = Annotated[float, duration_form(_SHORTEST_TIMEOUT_S)]
"""Seconds; longer than nothing."""
SizeOrUnlimited = Annotated[int | None, Form("size, or `unlimited`", _read_size_or_unlimited, _UNLIMITED_SCHEMA, show_size)]
"""Bytes; ``None`` is no limit."""
