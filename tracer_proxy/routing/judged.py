"""What a rollout wants to know of the exchanges of a route, beside how they ended and how long they took."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Judged:
    confidence_header: bytes = b""
    """Lower-case name of the header in which an answer says how sure it is."""
    confidence_pointer: Sequence[str] = ()
    """Or where in its JSON: the names on the way."""
    by_turns: bool = False
    """Tokens are added up by turns."""
    errors: frozenset[int] = frozenset()
    """Statuses that are errors beside 5xx."""
