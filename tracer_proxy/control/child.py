"""One child of the supervisor: whether it runs, and when it is started again."""

from dataclasses import dataclass
from typing import Any

from tracer_proxy.limits import RESTART_DELAY_S, RESTART_DELAY_S_MAX, YOUNG_S


@dataclass(slots=True)
class Child:
    """Times are monotonic seconds."""

    role: str
    """``control``, ``mocks`` or ``worker``."""
    number: int = 0
    """Of a worker, from 1."""
    pid: int = 0
    """0 while it does not run."""
    started: float = 0.0
    restarts: int = 0
    young_deaths: int = 0
    """In a row: more than one is a crash loop."""
    restart_at: float = 0.0
    last_exit: str = ""

    @property
    def name(self) -> str:
        return f"{self.role} {self.number}" if self.number else self.role

    def begins(self, pid: int, now: float) -> None:
        self.pid, self.started = pid, now

    def has_ended(self, how: str, now: float) -> float:
        """Returns after how many seconds to start it again: at once, unless it died young."""
        self.young_deaths = self.young_deaths + 1 if now - self.started < YOUNG_S else 0
        self.pid, self.last_exit = 0, how
        self.restarts += 1
        return self._delay(now)

    def could_not_start(self, now: float) -> float:
        """Returns after how many seconds to try again."""
        self.young_deaths += 1
        return self._delay(now)

    def _delay(self, now: float) -> float:
        delay = min(RESTART_DELAY_S * 2 ** (self.young_deaths - 1), RESTART_DELAY_S_MAX) if self.young_deaths else 0.0
        self.restart_at = now + delay
        return delay

    def shown(self, now: float) -> dict[str, Any]:
        """As the admin API has it."""
        told: dict[str, Any] = {"name": self.name, "pid": self.pid or None, "restarts": self.restarts}
        if self.last_exit:
            told["last_exit"] = self.last_exit
        if self.young_deaths > 1 and now - self.started < YOUNG_S:
            told["crash_loop"] = f"died {self.young_deaths} times in a row within {YOUNG_S:g} s of its start"
        return told
