"""Which exchanges' records control wants: a record costs more than the counting of its exchange."""

from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Wanted:
    sampled: bool = False
    """Those of sampled traces: they are exported."""
    all: bool = False
    """There is a log of exchanges."""
    errors: bool = False
    """Failed ones are exported although their trace is not sampled."""
    slower_s: float = inf
    """So are those that took longer."""
    recent: bool = False
    """A few each second are shown over the admin API."""

    @property
    def any(self) -> bool:
        return self.sampled or self.all or self.errors or self.slower_s < inf or self.recent
