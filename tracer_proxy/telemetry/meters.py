"""What a worker counts, as plain numbers: counting one exchange is a handful of ``x[i] += 1``.

A meter hangs where the hot path already is (a lane, an endpoint, the worker), so nothing is looked up per exchange. Meters
count since the last ``collect``, which hands the numbers over and starts again from nothing.
"""

from bisect import bisect_left
from enum import IntEnum
from typing import NamedTuple

from tracer_proxy.errors import Kind
from tracer_proxy.limits import LANE_ANSWERS_MAX
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.catalogue import BUCKETS_S, Metric, Shed

OTHER_STATUS = 0
_STATUS_BITS = 10
_STATUS_MASK = (1 << _STATUS_BITS) - 1
_NOTHING = (0.0,) * (len(BUCKETS_S) + 2)

Labels = tuple[str, ...]
Histogram = list[float]
"""How many fell into each bucket, how many above all of them, and last the sum of all that was observed."""

Changes = list[tuple[int, float]]
"""Places of a histogram and by how much they have grown."""


class Outcome(IntEnum):
    """What came of one attempt at an endpoint; also the place in ``EndpointMeter.attempts``."""

    OK = 0
    STATUS_5XX = 1
    UNREACHABLE = 2
    CONNECT_TIMEOUT = 3
    CLOSED = 4
    FIRST_BYTE_TIMEOUT = 5
    IDLE_TIMEOUT = 6
    BROKEN = 7
    ABANDONED = 8
    """Not the endpoint's fault: the client left, or the proxy itself could not go on."""


OUTCOMES = {
    Kind.UNREACHABLE: Outcome.UNREACHABLE,
    Kind.CONNECT_TIMEOUT: Outcome.CONNECT_TIMEOUT,
    Kind.UPSTREAM_CLOSED: Outcome.CLOSED,
    Kind.FIRST_BYTE_TIMEOUT: Outcome.FIRST_BYTE_TIMEOUT,
    Kind.IDLE_TIMEOUT: Outcome.IDLE_TIMEOUT,
    Kind.UPSTREAM_BROKEN: Outcome.BROKEN,
}
_OK, _STATUS_5XX = int(Outcome.OK), int(Outcome.STATUS_5XX)
_OUTCOME_LABELS = tuple((outcome, outcome.name.lower()) for outcome in Outcome)


class Collected:
    """What one round of collecting has found. Numbers that have not changed are left out."""

    __slots__ = ("added", "gauges", "observed")

    def __init__(self) -> None:
        self.added: list[tuple[str, Labels, float]] = []
        self.observed: list[tuple[str, Labels, Changes]] = []
        self.gauges: list[tuple[str, Labels, float | None]] = []
        """``None``: there is no such gauge any more."""

    def add(self, metric: Metric, labels: Labels, count: float) -> None:
        if count:
            self.added.append((metric.name, labels, count))

    def observe(self, metric: Metric, labels: Labels, histogram: Histogram) -> None:
        changed = [(place, number) for place, number in enumerate(histogram) if number]
        if changed:
            self.observed.append((metric.name, labels, changed))
            histogram[:] = _NOTHING

    def set(self, metric: Metric, labels: Labels, value: float | None) -> None:
        self.gauges.append((metric.name, labels, value))


class LaneMeter:
    """Counts the exchanges of one lane; ``labels`` are the names of its route and itself."""

    __slots__ = ("_answers", "_durations", "_first_bytes", "_request_bytes", "_response_bytes", "fallbacks", "labels")

    def __init__(self, route: str, lane: str) -> None:
        self.labels = (route, lane)
        self.fallbacks = 0
        """To be counted up where the baseline stands in for a lane that is not there."""
        self._answers: dict[int, int] = {}
        """By colour and status in one number."""
        self._durations: Histogram = [*_NOTHING]
        self._first_bytes: Histogram = [*_NOTHING]
        self._request_bytes = 0
        self._response_bytes = 0

    def exchange_done(
        self,
        status: int,
        seconds: float,
        first_byte_s: float | None,
        color: int = 0,
        request_bytes: int = 0,
        response_bytes: int = 0,
    ) -> None:
        """``status`` is what the client got, or that of the error which ended the exchange, also after the head of an answer.

        Times count from the request's head; ``first_byte_s`` is ``None`` when the upstream did not answer. ``color`` is a
        number by ``Meters.color``; bytes are those of bodies.
        """
        key = color << _STATUS_BITS | status
        try:
            self._answers[key] += 1
        except KeyError:
            self._answer_seen_first(key)
        durations = self._durations
        durations[bisect_left(BUCKETS_S, seconds)] += 1
        durations[-1] += seconds
        if first_byte_s is not None:
            first_bytes = self._first_bytes
            first_bytes[bisect_left(BUCKETS_S, first_byte_s)] += 1
            first_bytes[-1] += first_byte_s
        self._request_bytes += request_bytes
        self._response_bytes += response_bytes

    def _answer_seen_first(self, key: int) -> None:
        if len(self._answers) >= LANE_ANSWERS_MAX:
            key = OTHER_STATUS
        self._answers[key] = self._answers.get(key, 0) + 1

    def collect(self, into: Collected, colors: list[str]) -> None:
        if any(self._durations):
            for key, count in self._answers.items():
                color, status = colors[key >> _STATUS_BITS], key & _STATUS_MASK
                into.add(catalogue.EXCHANGES, (*self.labels, color, str(status) if status else "other"), count)
                self._answers[key] = 0
            into.observe(catalogue.DURATION, self.labels, self._durations)
            into.observe(catalogue.FIRST_BYTE, self.labels, self._first_bytes)
            into.add(catalogue.REQUEST_BYTES, self.labels, self._request_bytes)
            into.add(catalogue.RESPONSE_BYTES, self.labels, self._response_bytes)
            self._request_bytes = self._response_bytes = 0
        into.add(catalogue.FALLBACKS, self.labels, self.fallbacks)
        self.fallbacks = 0


class Standing(NamedTuple):
    """How an endpoint stands at the moment."""

    pending: int
    active: int
    """Connections that carry an exchange."""
    idle: int
    health: str
    """The name of a state."""


class EndpointMeter:
    """Counts the attempts at one endpoint of a pool; ``labels`` are the pool's name and the address."""

    __slots__ = (
        "_reported",
        "attempts",
        "connections_opened",
        "connections_reused",
        "ejections",
        "labels",
        "retries",
        "standing",
    )

    def __init__(self, pool: str, address: str) -> None:
        self.labels = (pool, address)
        self.attempts = [0] * len(Outcome)
        self.retries = 0
        self.ejections = 0
        self.connections_opened = 0
        self.connections_reused = 0
        self.standing: Standing | None = None
        """To be set before each ``collect``; ``None`` for an endpoint that is no longer in the config."""
        self._reported: Standing | None = None

    def answered(self, status: int) -> None:
        # Two plain numbers: looking up a member of an enum costs more than the counting.
        self.attempts[_STATUS_5XX if status >= 500 else _OK] += 1

    def failed(self, kind: Kind) -> None:
        self.attempts[OUTCOMES.get(kind, Outcome.ABANDONED)] += 1

    def collect(self, into: Collected) -> None:
        if any(self.attempts):
            for outcome, label in _OUTCOME_LABELS:
                into.add(catalogue.ATTEMPTS, (*self.labels, label), self.attempts[outcome])
                self.attempts[outcome] = 0
        into.add(catalogue.RETRIES, self.labels, self.retries)
        into.add(catalogue.EJECTIONS, self.labels, self.ejections)
        into.add(catalogue.OPENED, self.labels, self.connections_opened)
        into.add(catalogue.REUSED, self.labels, self.connections_reused)
        self.retries = self.ejections = self.connections_opened = self.connections_reused = 0
        if self.standing != self._reported:
            self._report_standing(into)

    def _report_standing(self, into: Collected) -> None:
        old, new = self._reported, self.standing
        self._reported = new
        if old is not None and (new is None or new.health != old.health):
            into.set(catalogue.HEALTH, (*self.labels, old.health), None)
        if new is not None:
            into.set(catalogue.HEALTH, (*self.labels, new.health), 1)
        into.set(catalogue.PENDING, self.labels, None if new is None else new.pending)
        into.set(catalogue.CONNECTIONS, (*self.labels, "active"), None if new is None else new.active)
        into.set(catalogue.CONNECTIONS, (*self.labels, "idle"), None if new is None else new.idle)

    def report_again(self) -> None:
        """Makes the next ``collect`` tell how the endpoint stands, even if that has not changed."""
        self._reported = None


class WorkerMeter:
    """Counts what belongs to no lane and no endpoint.

    ``connections_open``, ``exchanges_under_way`` and ``tunnels_open`` are to be set before each ``collect``.
    """

    __slots__ = (
        "_lags",
        "connections_accepted",
        "connections_open",
        "deltas_resent",
        "errors",
        "exchanges_under_way",
        "resolver_failures",
        "shed",
        "tunnels_open",
        "tunnels_opened",
    )

    def __init__(self) -> None:
        self.connections_accepted = 0
        self.connections_open = 0
        self.exchanges_under_way = 0
        self.tunnels_opened = 0
        self.tunnels_open = 0
        self.errors = dict.fromkeys(Kind, 0)
        self.shed = dict.fromkeys(Shed, 0)
        self.resolver_failures = 0
        self.deltas_resent = 0
        self._lags: Histogram = [*_NOTHING]

    def ticked(self, lag_s: float) -> None:
        """``lag_s`` is how much later than planned the clock ticked."""
        lag_s = max(lag_s, 0.0)
        self._lags[bisect_left(BUCKETS_S, lag_s)] += 1
        self._lags[-1] += lag_s

    def collect(self, into: Collected) -> None:
        into.add(catalogue.ACCEPTED, (), self.connections_accepted)
        into.add(catalogue.TUNNELS_OPENED, (), self.tunnels_opened)
        into.add(catalogue.RESOLVER_FAILURES, (), self.resolver_failures)
        into.add(catalogue.RESENT, (), self.deltas_resent)
        self.connections_accepted = self.tunnels_opened = self.resolver_failures = self.deltas_resent = 0
        for kind, count in self.errors.items():
            into.add(catalogue.ERRORS, (kind.value,), count)
            self.errors[kind] = 0
        for reason, count in self.shed.items():
            into.add(catalogue.SHED, (reason.value,), count)
            self.shed[reason] = 0
        into.observe(catalogue.LAG, (), self._lags)
        into.set(catalogue.CLIENTS, (), self.connections_open)
        into.set(catalogue.UNDER_WAY, (), self.exchanges_under_way)
        into.set(catalogue.TUNNELS, (), self.tunnels_open)
