"""What the callers saw: answers by lane, and what was wrong with them."""

from collections import Counter
from dataclasses import dataclass, field

OK, FAILED, BROKEN, NONE = "ok", "failed", "broken off", "without an answer"
WRONG = (FAILED, BROKEN, NONE)
NOBODY = ""
"""The lane of an answer that no agent gave."""


@dataclass
class Ledger:
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By lane, and by what became of the request."""

    def add(self, lane: str, became: str) -> None:
        self.seen[lane, became] += 1

    @property
    def requests(self) -> int:
        return self.seen.total()

    def by_lane(self) -> Counter[str]:
        lanes: Counter[str] = Counter()
        for (lane, _), count in self.seen.items():
            lanes[lane] += count
        return lanes

    def not_from(self, lane: str) -> int:
        return self.requests - self.by_lane()[lane]
