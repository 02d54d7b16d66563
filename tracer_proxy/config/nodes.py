"""The tree of a config file: what stands where, before anything is known about its meaning."""

from dataclasses import dataclass

Location = tuple[str | int, ...]
"""Keys and indexes from the top of the document: ``("routes", 0, "lanes", 1, "pool")``."""


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, both from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ScalarNode:
    text: str
    plain: bool
    """Written without quotes, so that its text decides whether it is a number, a truth value or nothing."""
    place: Place


@dataclass(frozen=True, slots=True)
class SequenceNode:
    items: tuple["Node", ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's place and what it holds."""

    place: Place
    node: "Node"


@dataclass(frozen=True, slots=True)
class MappingNode:
    entries: dict[str, Entry]
    place: Place


Node = ScalarNode | SequenceNode | MappingNode


def path_text(location: Location) -> str:
    """``routes[0].lanes[1].pool``; keys that are not plain words stand in quotes."""
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.replace("-", "").replace("_", "").replace(".", "").isalnum() and step.isascii():
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text
