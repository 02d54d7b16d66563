"""What every answer says it has cost. Each provider counts in its own way; what it comes to is the same."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tokens:
    """``fresh`` were read by the model, the cached ones were not; ``output`` includes ``reasoning``."""

    fresh: int
    cache_read: int
    cache_creation: int
    output: int
    reasoning: int


TOKENS = Tokens(fresh=20, cache_read=5, cache_creation=2, output=7, reasoning=3)
