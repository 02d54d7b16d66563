"""When a request may be sent again, how long to wait before, and how many may be. Pure: time and dice are arguments."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tracer_proxy.errors import Kind
from tracer_proxy.limits import RETRY_ATTEMPTS, RETRY_BACKOFF_MAX_S, RETRY_BACKOFF_S, RETRY_BUDGET_PERCENT, RETRY_RATE_MIN
from tracer_proxy.limits import RETRY_BUDGET_WINDOW_S as WINDOW_S

CONNECT, RESET, TIMEOUT = "connect", "reset", "timeout"
OUTCOMES: dict[Kind, str] = {
    Kind.UNREACHABLE: CONNECT,
    Kind.CONNECT_TIMEOUT: CONNECT,
    Kind.UPSTREAM_CLOSED: RESET,
    Kind.UPSTREAM_BROKEN: RESET,
    Kind.FIRST_BYTE_TIMEOUT: TIMEOUT,
    Kind.IDLE_TIMEOUT: TIMEOUT,
}
"""What an error that is the endpoint's fault is called in ``retries.on``. Only ``connect`` means that nothing was sent."""

_DATE = "%a, %d %b %Y %H:%M:%S GMT"
_LONGEST_RETRY_AFTER_DIGITS = 9


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """Of a route. Times in seconds."""

    attempts: int = RETRY_ATTEMPTS
    """In all, at one pool."""
    outcomes: frozenset[str] = frozenset((CONNECT,))
    statuses: frozenset[int] = frozenset()
    per_try: float | None = None
    backoff: float = RETRY_BACKOFF_S
    backoff_max: float = RETRY_BACKOFF_MAX_S
    budget: float = RETRY_BUDGET_PERCENT
    """In percent of the route's requests."""
    non_idempotent: bool = False
    """Also requests that change something more each time they are sent (RFC 9110 9.2.2), once they have been sent."""
    repeats_sent: bool = field(init=False)
    """Whether there may be another attempt once the request was sent."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "repeats_sent", self.attempts > 1 and bool(self.statuses or self.outcomes - {CONNECT}))

    def pause(self, retry: int, told_s: float, dice: Callable[[], float]) -> float | None:
        """Seconds before the ``retry``-th retry (from 1), or ``None`` when that would be too long.

        ``told_s`` is what the endpoint asked for. The pause is drawn from the whole range, so that those who failed together
        do not come back together.
        """
        if told_s > self.backoff_max:
            return None
        return max(told_s, dice() * min(self.backoff_max, self.backoff * 2.0 ** (retry - 1)))


class Budget:
    """Retries of a route as a share of its traffic, so that they cannot multiply an outage.

    Time is cut into windows. In each there may be as many retries as the share of the requests in it, or in the one before
    when that had more; and ``RETRY_RATE_MIN`` a second come on top, so that a quiet route may retry too.
    """

    __slots__ = ("_before", "_began", "_share", "_spent", "requests")

    def __init__(self, percent: float) -> None:
        self.requests = 0
        """In this window; whoever starts an exchange counts it."""
        self._share = percent / 100
        self._before = 0.0
        self._spent = 0
        self._began: float | None = None

    def adopt(self, previous: "Budget") -> None:
        """After a reload: what was spent stays spent."""
        self.requests, self._before = previous.requests, previous._before
        self._spent, self._began = previous._spent, previous._began

    def roll(self, now: float) -> None:
        """Begins a new window when it is time. To be called now and then: what a calm saves up must not feed a storm."""
        if self._began is None:
            self._began = now
        elapsed = now - self._began
        if elapsed >= WINDOW_S:
            self._before = self.requests * WINDOW_S / elapsed
            self.requests = self._spent = 0
            self._began = now

    def spend(self, now: float) -> bool:
        """Takes one retry out of the budget; false when there is none left. ``now`` is in seconds and never goes back."""
        if not self._share:
            return False
        self.roll(now)
        if self._spent >= self._share * max(self.requests, self._before) + RETRY_RATE_MIN * WINDOW_S:
            return False
        self._spent += 1
        return True


def retry_after(value: bytes, now: float) -> float:
    """Seconds that a ``Retry-After`` asks for (RFC 9110 10.2.3); 0 when there is none or it cannot be read.

    ``now`` is the time of day in seconds since 1970.
    """
    if value.isdigit():
        return float(value[:_LONGEST_RETRY_AFTER_DIGITS])
    try:
        date = datetime.strptime(value.decode("latin-1"), _DATE).replace(tzinfo=UTC)
    except ValueError:
        return 0.0
    return max(0.0, date.timestamp() - now)
