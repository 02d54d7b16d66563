"""From the tree to plain data, with variables put in, and where each value stood."""

import re
from collections.abc import Mapping
from typing import Any

from tracer_proxy.config.environment import substitute
from tracer_proxy.config.nodes import Location, MappingNode, Node, Place, ScalarNode, SequenceNode, path_text
from tracer_proxy.errors import Problem

# The core schema of YAML 1.2 without infinities, NaN, octal and hexadecimal, which no key of the config takes. Long digit
# strings stay text: Python refuses to read more than 4300 digits.
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_NUMBER = re.compile(r"[-+]?(?:\.[0-9]{1,300}|[0-9]{1,300}(?:\.[0-9]{0,300})?)(?:[eE][-+]?[0-9]{1,2})?")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_SURROGATE = re.compile("[\ud800-\udfff]")


def resolve(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else text


class Document:
    """A config file as dicts, lists and scalars, and the places of all of them."""

    def __init__(self, root: MappingNode, environ: Mapping[str, str], file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []
        """What is wrong with variables and characters."""
        self.unusable: set[Location] = set()
        """Where those problems are: the value that stands there is not what was meant."""
        self._environ = environ
        self._values: dict[Location, Place] = {}
        self._keys: dict[Location, Place] = {}
        self.data: dict[str, Any] = self._mapping(root, ())

    def existing(self, location: Location) -> Location:
        """The location itself, or the nearest one around it that the file has."""
        while location not in self._values:
            location = location[:-1]
        return location

    def problem(self, location: Location, message: str, *, at_key: bool = False) -> Problem:
        """A problem at a value (or at its key), or at what is nearest around it in the file."""
        location = self.existing(location)
        place = self._keys.get(location) if at_key else None
        place = place or self._values[location]
        return Problem(path_text(location), message, self.file, place.line, place.column)

    def _value(self, node: Node, location: Location) -> object:
        if isinstance(node, MappingNode):
            return self._mapping(node, location)
        self._values[location] = node.place
        if isinstance(node, SequenceNode):
            return [self._value(item, (*location, index)) for index, item in enumerate(node.items)]
        return self._scalar(node, location)

    def _mapping(self, node: MappingNode, location: Location) -> dict[str, Any]:
        self._values[location] = node.place
        data = {}
        for key, entry in node.entries.items():
            inner = (*location, key)
            self._keys[inner] = entry.place
            data[key] = self._value(entry.node, inner)
            if _SURROGATE.search(key):
                self._spoil(inner, "the key holds half of a surrogate pair, which is no character")
        return data

    def _scalar(self, node: ScalarNode, location: Location) -> str | int | float | bool | None:
        text = node.text
        if "${" in text:
            text = substitute(text, self._environ, lambda message: self._spoil(location, message))
        if _SURROGATE.search(text):
            self._spoil(location, "the value is not text: it holds bytes that are not UTF-8, or half of a surrogate pair")
        return resolve(text) if node.plain else text

    def _spoil(self, location: Location, message: str) -> None:
        self.unusable.add(location)
        self.problems.append(self.problem(location, message))
