"""A tree as lines: what is drawn before each of them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

_SHORT = "└─ ", "   "
_LONG = "├─ ", "│  "

Node = TypeVar("Node")


def branches(root: Node, below: Callable[[Node], Sequence[Node]]) -> Iterator[tuple[str, Node]]:
    """Each node with its drawing, top to bottom. ``below`` gives the nodes that hang below one; a chain may have any length."""
    left = [("", "", root)]
    while left:
        drawing, trunk, node = left.pop()
        yield drawing, node
        hanging = below(node)
        for each in reversed(hanging):
            own_branch, own_trunk = _SHORT if each is hanging[-1] else _LONG
            left.append((trunk + own_branch, trunk + own_trunk, each))
