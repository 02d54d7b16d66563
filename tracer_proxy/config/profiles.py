"""Profiles: parts of the file that replace others, for one environment or region."""

from collections.abc import Iterator

from tracer_proxy.config.choices import hint
from tracer_proxy.config.nodes import Entry, Location, MappingNode, Node, Place, ScalarNode, path_text
from tracer_proxy.errors import Problem

_KEY = "profiles"
_EXPECTED = "expected a mapping with parts of this file"


def choose(root: MappingNode, profile: str | None, file: str) -> tuple[MappingNode, list[Problem]]:
    """The file with the named profile laid over it and without ``profiles``, and what is wrong with these.

    Mappings merge key by key; lists and single values replace; an empty value removes the key. What stands inside of a
    profile that is not chosen is not looked at: its variables may well be unset here.
    """
    base = MappingNode({key: entry for key, entry in root.entries.items() if key != _KEY}, root.place)
    entry = root.entries.get(_KEY)
    found = entry.node if entry else MappingNode({}, root.place)
    problems = [
        Problem(path_text(location), message, file, place.line, place.column)
        for location, message, place in _faults(found, profile)
    ]
    chosen = found.entries.get(profile) if isinstance(found, MappingNode) and profile is not None else None
    if chosen and isinstance(chosen.node, MappingNode):
        base = _overlay(base, chosen.node)
        base.entries.pop(_KEY, None)
    return base, problems


def _faults(found: Node, profile: str | None) -> Iterator[tuple[Location, str, Place]]:
    if not isinstance(found, MappingNode):
        if not _is_nothing(found):
            yield (_KEY,), "expected a mapping of profile names to parts of this file", found.place
        return
    if profile is not None and profile not in found.entries:
        message = f"the profile {profile!r} was asked for and is not here{hint(profile, found.entries, 'profiles')}"
        yield (), message, found.place
    for name, entry in found.entries.items():
        if not isinstance(entry.node, MappingNode):
            yield (_KEY, name), _EXPECTED, entry.node.place
        elif nested := entry.node.entries.get(_KEY):
            yield (_KEY, name, _KEY), "a profile cannot hold profiles", nested.place


def _overlay(base: MappingNode, chosen: MappingNode) -> MappingNode:
    entries = dict(base.entries)
    for key, entry in chosen.entries.items():
        below = entries.get(key)
        if _is_nothing(entry.node):
            entries.pop(key, None)
        elif below and isinstance(below.node, MappingNode) and isinstance(entry.node, MappingNode):
            entries[key] = Entry(below.place, _overlay(below.node, entry.node))
        else:
            entries[key] = entry
    return MappingNode(entries, base.place)


def _is_nothing(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.plain and node.text in ("", "~", "null")
