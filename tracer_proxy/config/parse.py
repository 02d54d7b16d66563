"""From YAML text to a tree with places. Duplicate keys, aliases and merge keys are settled here.

Why not ``yaml.safe_load``: it forgets where things stood, lets the last of two equal keys win, and follows YAML 1.1, where
``no`` is false and ``1:30`` is ninety. The scanner and the grammar are PyYAML's; scalars follow the core schema of YAML 1.2
(``document.py``), as editors do. Bounds hold before and after aliases are resolved.
"""

from collections.abc import Iterator
from typing import Any

import yaml

from tracer_proxy.config.nodes import Entry, Location, MappingNode, Node, Place, ScalarNode, SequenceNode, path_text
from tracer_proxy.errors import ConfigError, Problem
from tracer_proxy.limits import CONFIG_BYTES_MAX, CONFIG_DEPTH_MAX, CONFIG_NODES_MAX

_PLAIN, _TEXT, _SEQUENCE, _MAPPING = "plain", "tag:yaml.org,2002:str", "tag:yaml.org,2002:seq", "tag:yaml.org,2002:map"
_TOO_DEEP = f"nested deeper than {CONFIG_DEPTH_MAX} levels, or an alias that contains itself"
_TOO_MANY = f"more than {CONFIG_NODES_MAX} values, with aliases resolved"


def parse(text: str, file: str) -> tuple[MappingNode, list[Problem]]:
    """The tree of one document, and what is wrong with its keys and tags.

    Raises ``ConfigError`` when there is no tree: broken syntax, an empty file, no mapping at the top, a bound exceeded.
    """
    if len(text) > CONFIG_BYTES_MAX or len(text.encode("utf-8", "surrogatepass")) > CONFIG_BYTES_MAX:
        raise ConfigError([Problem("", f"the file is larger than {CONFIG_BYTES_MAX} bytes", file, 1, 1)])
    composed = _compose(text, file)
    if composed is None:
        message = "the file is empty; a config starts with 'version: 1' and has routes and pools"
        raise ConfigError([Problem("", message, file, 1, 1)])
    resolver = _Resolver(file)
    root = resolver.node(composed, (), 0)
    if not isinstance(root, MappingNode):
        message = "expected a mapping at the top, starting with 'version: 1'"
        raise ConfigError([Problem("", message, file, root.place.line, root.place.column)])
    return root, resolver.problems


class _Loader(yaml.SafeLoader):
    """PyYAML's reader, scanner, parser and composer, with bounds; tags and values are left to this package."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._count = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self._depth += 1
        self._count += 1
        if self._depth > CONFIG_DEPTH_MAX or self._count > CONFIG_NODES_MAX:
            problem = _TOO_DEEP if self._depth > CONFIG_DEPTH_MAX else _TOO_MANY
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=self.get_mark())
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _TEXT
        return _SEQUENCE if kind is yaml.SequenceNode else _MAPPING


def _compose(text: str, file: str) -> yaml.Node | None:
    try:
        loader = _Loader(text)
        return loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(error, text, file)]) from None
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        message = f"YAML syntax: the character {text[error.position]!r} may not stand in a YAML file"
        raise ConfigError([Problem("", message, file, line, column)]) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The scanner hands any eight hex digits after "\U" to chr(), for one.
        raise ConfigError([Problem("", f"YAML syntax: {error}", file, 1, 1)]) from None


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = _place(mark) if mark else Place(1, 1)
    message = f"YAML syntax: {error.problem or error.context}"
    if error.problem and error.context:
        message += f" ({error.context}"
        message += f" that starts in line {error.context_mark.line + 1})" if error.context_mark else ")"
    lines = text.splitlines()
    if "${" in (lines[place.line - 1] if place.line <= len(lines) else ""):
        message += '; inside of {} and [] put "${...}" in quotes'
    return Problem("", message, file, place.line, place.column)


class _Resolver:
    """Copies PyYAML's graph, where an alias is an edge, into a tree, where each place has its own value."""

    def __init__(self, file: str) -> None:
        self.problems: list[Problem] = []
        self._file = file
        self._count = 0

    def node(self, node: Any, location: Location, depth: int) -> Node:
        place = _place(node.start_mark)
        self._count += 1
        if depth > CONFIG_DEPTH_MAX or self._count > CONFIG_NODES_MAX:
            message = _TOO_DEEP if depth > CONFIG_DEPTH_MAX else _TOO_MANY
            raise ConfigError([Problem(path_text(location), message, self._file, place.line, place.column)])
        if node.tag not in (_PLAIN, _TEXT, _SEQUENCE, _MAPPING):
            self._report(location, f"the tag {node.tag!r} has no meaning here; remove it", place)
        if isinstance(node, yaml.SequenceNode):
            items = (self.node(item, (*location, index), depth + 1) for index, item in enumerate(node.value))
            return SequenceNode(tuple(items), place)
        if isinstance(node, yaml.MappingNode):
            return MappingNode(self._entries(node, location, depth), place)
        return ScalarNode(node.value, node.tag == _PLAIN, place)

    def _entries(self, node: Any, location: Location, depth: int) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        merged: dict[str, Entry] = {}
        for key, value in node.value:
            place = _place(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self._report(location, "a key must be a single word, not a list or a mapping", place)
            elif key.tag == _PLAIN and key.value == "<<":
                for name, entry in self._merged(value, location, depth):
                    merged.setdefault(name, entry)
            elif key.value in entries:
                first = entries[key.value].place.line
                self._report((*location, key.value), f"the key stands here twice; the first is in line {first}", place)
            else:
                entries[key.value] = Entry(place, self.node(value, (*location, key.value), depth + 1))
        return {**merged, **entries} if merged else entries

    def _merged(self, value: Any, location: Location, depth: int) -> Iterator[tuple[str, Entry]]:
        """Entries that a merge key brings in; of several mappings the first wins, and keys written out win over all."""
        for source in value.value if isinstance(value, yaml.SequenceNode) else (value,):
            if isinstance(source, yaml.MappingNode):
                found = self.node(source, location, depth + 1)
                assert isinstance(found, MappingNode)
                yield from found.entries.items()
            else:
                self._report(location, "a merge key '<<' takes a mapping or a list of mappings", _place(source.start_mark))

    def _report(self, location: Location, message: str, place: Place) -> None:
        self.problems.append(Problem(path_text(location), message, self._file, place.line, place.column))


def _place(mark: Any) -> Place:
    return Place(mark.line + 1, mark.column + 1)
