"""When a rule holds: between two moments, on days of the week, at hours of the day."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, tzinfo
from math import inf

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """All that is set must hold. ``days`` count from 0, Monday; empty are all."""

    zone: tzinfo
    after: float = -inf
    """Unix seconds; itself included."""
    before: float = inf
    """Itself not."""
    days: Sequence[int] = ()
    opens: time | None = None
    """Each day, in ``zone``; ``closes`` may be earlier, on the next day. Then the day is that on which it opened."""
    closes: time | None = None

    def has(self, now: float) -> bool:
        if not self.after <= now < self.before:
            return False
        if not self.days and self.opens is None:
            return True
        local = datetime.fromtimestamp(now, self.zone)
        day = local.weekday()
        if self.opens is not None and self.closes is not None:
            clock = local.time()
            if self.opens < self.closes:
                is_open = self.opens <= clock < self.closes
            else:
                is_open = clock >= self.opens or clock < self.closes
                day = (day - 1) % 7 if clock < self.closes else day
            if not is_open:
                return False
        return not self.days or day in self.days

    def __str__(self) -> str:
        told = []
        if self.after > -inf:
            told.append(f"from {self._written(self.after)}")
        if self.before < inf:
            told.append(f"until {self._written(self.before)}")
        if self.days:
            told.append(f"on {', '.join(DAYS[day] for day in self.days)}")
        if self.opens is not None and self.closes is not None:
            told.append(f"from {self.opens:%H:%M} to {self.closes:%H:%M}")
        return f"{' '.join(told)} ({self.zone})"

    def moment(self, now: float) -> str:
        """``now`` as the window sees it."""
        return f"{DAYS[datetime.fromtimestamp(now, self.zone).weekday()]} {self._written(now)}"

    def _written(self, seconds: float) -> str:
        return datetime.fromtimestamp(seconds, self.zone).isoformat(sep=" ", timespec="minutes")
