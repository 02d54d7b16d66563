"""Whether an endpoint is fit for traffic: a state machine written as a table.

Passive signs are exchanges that failed; active ones are probes. Each worker has its own view. Time is an argument, in seconds
of any clock that never goes back.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from tracer_proxy.limits import (
    EJECTION_COOLDOWN_MAX_S,
    EJECTION_COOLDOWN_S,
    EJECTION_EXCHANGES_MIN,
    EJECTION_FAILURES,
    EJECTION_WINDOW_S,
    PROBE_FALL,
    PROBE_INTERVAL_S,
    PROBE_RISE,
    PROBE_TIMEOUT_S,
)


class State(StrEnum):
    HEALTHY = "healthy"
    EJECTED = "ejected"
    """Its exchanges failed; it is left out until it has cooled down."""
    UNHEALTHY = "unhealthy"
    """Its probes fail; it is left out until they pass again."""
    RECOVERING = "recovering"
    """It is back, and gets a share that grows to the full one."""


class Event(StrEnum):
    FELL = "fell"
    """So many probes in a row have failed."""
    ROSE = "rose"
    """So many probes in a row have passed."""
    EJECTED = "ejected"
    """Too many exchanges have failed."""
    COOLED = "cooled"
    """The time of its ejection is over."""
    WARM = "warm"
    """Its share has grown to the full one."""


NEXT: dict[tuple[State, Event], State] = {
    (State.HEALTHY, Event.FELL): State.UNHEALTHY,
    (State.HEALTHY, Event.EJECTED): State.EJECTED,
    (State.RECOVERING, Event.FELL): State.UNHEALTHY,
    (State.RECOVERING, Event.EJECTED): State.EJECTED,
    (State.RECOVERING, Event.WARM): State.HEALTHY,
    (State.EJECTED, Event.FELL): State.UNHEALTHY,
    (State.EJECTED, Event.COOLED): State.RECOVERING,
    (State.UNHEALTHY, Event.ROSE): State.RECOVERING,
}
"""What is not listed changes nothing: probes that pass do not shorten a cool-down, and failures of what is left out anyway are
those of exchanges that began before."""

_DOUBLINGS_MAX = 32
"""More would be beyond any longest cool-down, and after a thousand beyond any number."""

USABLE = frozenset((State.HEALTHY, State.RECOVERING))


@dataclass(frozen=True, slots=True)
class ProbeRules:
    """Times in seconds. Without a ``path`` it is enough that the endpoint accepts a connection."""

    path: str = ""
    interval: float = PROBE_INTERVAL_S
    timeout: float = PROBE_TIMEOUT_S
    statuses: frozenset[int] = frozenset(range(200, 400))
    rise: int = PROBE_RISE
    fall: int = PROBE_FALL


@dataclass(frozen=True, slots=True)
class HealthRules:
    """Of a pool. Times in seconds, shares from 0 to 1."""

    failures: int = EJECTION_FAILURES
    """In a row, which eject; 0 is never."""
    success_rate: float = 0.0
    """Below it an endpoint is ejected; 0 is never."""
    exchanges_min: int = EJECTION_EXCHANGES_MIN
    """In a window; below it the success rate says nothing."""
    window: float = EJECTION_WINDOW_S
    cooldown: float = EJECTION_COOLDOWN_S
    """Doubled with each ejection in a row."""
    cooldown_max: float = EJECTION_COOLDOWN_MAX_S
    """Also how long an endpoint must stay in use until its ejections are forgiven."""
    ejected_max: float = 0.5
    """Share of the pool that may be ejected."""
    panic: float = 0.5
    """When a smaller share than this is usable, all are used; 0 is never."""
    slow_start: float = 0.0
    probe: ProbeRules | None = None
    statuses: frozenset[int] = field(default=frozenset((502, 503, 504)))
    """Of answers that count as failures."""


class Health:
    """Of one endpoint, in one worker."""

    __slots__ = (
        "_failed_in_window",
        "_in_window",
        "_probes_in_a_row",
        "_window_began",
        "ejections",
        "failures",
        "moves",
        "since",
        "state",
        "strikes",
        "until",
    )

    def __init__(self) -> None:
        self.state = State.HEALTHY
        self.since = 0.0
        self.until = 0.0
        """When ``EJECTED`` or ``RECOVERING`` ends."""
        self.moves = 0
        """Changes of the state so far."""
        self.failures = 0
        """Exchanges in a row that failed."""
        self.strikes = 0
        """Ejections that are not forgiven yet."""
        self.ejections = 0
        """In all."""
        self._probes_in_a_row = 0
        """Above 0 those that passed, below those that failed."""
        self._window_began = 0.0
        self._in_window = 0
        self._failed_in_window = 0

    @property
    def is_usable(self) -> bool:
        return self.state in USABLE

    def take(self, event: Event, rules: HealthRules, now: float) -> bool:
        """True when the state has changed."""
        state = NEXT.get((self.state, event))
        if state is None:
            return False
        if state is State.EJECTED:
            forgiven = now - self.since > rules.cooldown_max and self.moves > 0
            self.strikes = 1 if forgiven else self.strikes + 1
            self.ejections += 1
            self.until = now + min(rules.cooldown * 2.0 ** min(self.strikes - 1, _DOUBLINGS_MAX), rules.cooldown_max)
        elif state is State.RECOVERING:
            self.until = now + rules.slow_start
        # From ejection to ejection: growing warm is no new beginning.
        if event is not Event.WARM:
            self.since = now
        self.state = state
        self.moves += 1
        self._in_window = self._failed_in_window = 0
        # One that comes back is on probation: its first failure sends it away again.
        self.failures = max(rules.failures - 1, 0) if event is Event.COOLED else 0
        self._window_began = now
        return True

    def exchange_failed(self, rules: HealthRules, now: float) -> str:
        """Why the endpoint is to be ejected, or nothing."""
        self.failures += 1
        if rules.failures and self.failures >= rules.failures:
            return f"{self.failures} exchanges in a row failed"
        if not rules.success_rate:
            return ""
        self._count(rules, now)
        self._failed_in_window += 1
        share = 1 - self._failed_in_window / self._in_window
        if self._in_window >= rules.exchanges_min and share < rules.success_rate:
            return f"only {share:.0%} of its last {self._in_window} exchanges succeeded"
        return ""

    def exchange_succeeded(self, rules: HealthRules, now: float) -> None:
        self.failures = 0
        if rules.success_rate:
            self._count(rules, now)

    def _count(self, rules: HealthRules, now: float) -> None:
        if now - self._window_began >= rules.window:
            self._window_began = now
            self._in_window = self._failed_in_window = 0
        self._in_window += 1

    def probed(self, passed: bool, rules: ProbeRules) -> Event | None:
        before = self._probes_in_a_row
        self._probes_in_a_row = max(before, 0) + 1 if passed else min(before, 0) - 1
        if self._probes_in_a_row >= rules.rise:
            return Event.ROSE
        return Event.FELL if -self._probes_in_a_row >= rules.fall else None

    def due(self, now: float) -> Event | None:
        """What time has brought."""
        if now < self.until:
            return None
        return {State.EJECTED: Event.COOLED, State.RECOVERING: Event.WARM}.get(self.state)

    def seconds_left(self, now: float) -> float:
        """Until ``EJECTED`` or ``RECOVERING`` ends; 0 in the other states, which no time ends."""
        return max(0.0, self.until - now) if self.state in (State.EJECTED, State.RECOVERING) else 0.0

    def share(self, rules: HealthRules, now: float) -> float:
        """Of its weight, while it recovers: from a tenth to all."""
        if self.state is not State.RECOVERING or not rules.slow_start:
            return 1.0
        return min(1.0, max(0.1, 1 - (self.until - now) / rules.slow_start))
