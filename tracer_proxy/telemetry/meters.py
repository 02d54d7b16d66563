"""What a worker counts, as plain numbers: counting one exchange is a handful of ``x[i] += 1``.

A meter hangs where the hot path already is (a lane, an endpoint, the worker), so nothing is looked up per exchange. Meters
count since the last ``collect``, which hands the numbers over and starts again from nothing.
"""

from bisect import bisect_left
from enum import IntEnum
from typing import Any, NamedTuple

from tracer_proxy.errors import Kind
from tracer_proxy.limits import LANE_ANSWERS_MAX
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.catalogue import BUCKETS_S, Abandoned, Join, JoinMiss, Metric, Shed
from tracer_proxy.telemetry.collected import Collected, Histogram
from tracer_proxy.telemetry.evidence_meter import EvidenceMeter
from tracer_proxy.telemetry.mirror_meter import MirrorMeter

OTHER_STATUS = 0
_STATUS_BITS = 10
_STATUS_MASK = (1 << _STATUS_BITS) - 1


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


class LaneMeter:
    """Counts the exchanges of one lane; ``labels`` are the names of its route and itself."""

    __slots__ = (
        "_answers",
        "_durations",
        "_first_bytes",
        "_mirror",
        "_request_bytes",
        "_response_bytes",
        "evidence",
        "fallbacks",
        "labels",
    )

    def __init__(self, route: str, lane: str) -> None:
        self.labels = (route, lane)
        self.evidence = EvidenceMeter(route, lane)
        """For exchanges of a lane that a rollout judges."""
        self.fallbacks = 0
        """To be counted up where the baseline stands in for a lane that is not there."""
        self._mirror: MirrorMeter | None = None
        self._answers: dict[int, int] = {}
        """By colour and status in one number."""
        self._durations = Histogram(BUCKETS_S)
        self._first_bytes = Histogram(BUCKETS_S)
        self._request_bytes = 0
        self._response_bytes = 0

    @property
    def mirror(self) -> MirrorMeter:
        """Of the copies it gets, as the shadow of others; few lanes have one."""
        if self._mirror is None:
            self._mirror = MirrorMeter(self.labels)
        return self._mirror

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
        durations = self._durations.counts
        durations[bisect_left(BUCKETS_S, seconds)] += 1
        durations[-1] += seconds
        if first_byte_s is not None:
            first_bytes = self._first_bytes.counts
            first_bytes[bisect_left(BUCKETS_S, first_byte_s)] += 1
            first_bytes[-1] += first_byte_s
        self._request_bytes += request_bytes
        self._response_bytes += response_bytes

    def _answer_seen_first(self, key: int) -> None:
        if len(self._answers) >= LANE_ANSWERS_MAX:
            key = OTHER_STATUS
        self._answers[key] = self._answers.get(key, 0) + 1

    def collect(self, into: Collected, colors: list[str]) -> None:
        if any(self._durations.counts):
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
        if self._mirror is not None:
            self._mirror.collect(into)
        shown = self.evidence.take()
        if shown is not None:
            into.show(*self.labels, shown)


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

    ``connections_open``, ``exchanges_under_way`` and ``tunnels_open`` are to be set before each ``collect``;
    ``streams_open`` is counted up and down.
    """

    __slots__ = (
        "_lags",
        "connections_accepted",
        "connections_open",
        "deltas_resent",
        "errors",
        "exchanges_under_way",
        "join_misses",
        "joins",
        "observations_abandoned",
        "records_dropped",
        "resolver_failures",
        "shed",
        "streams_open",
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
        self.streams_open = 0
        self.joins: dict[str, int] = dict.fromkeys(Join, 0)
        """By ``Record.joined_by``."""
        self.join_misses: dict[str, int] = dict.fromkeys(JoinMiss, 0)
        self.observations_abandoned: dict[str, int] = dict.fromkeys(Abandoned, 0)
        self.records_dropped = 0
        self.resolver_failures = 0
        self.deltas_resent = 0
        self._lags = Histogram(BUCKETS_S)

    def ticked(self, lag_s: float) -> None:
        """``lag_s`` is how much later than planned the clock ticked."""
        self._lags.observe(max(lag_s, 0.0))

    def collect(self, into: Collected) -> None:
        into.add(catalogue.ACCEPTED, (), self.connections_accepted)
        into.add(catalogue.TUNNELS_OPENED, (), self.tunnels_opened)
        into.add(catalogue.RESOLVER_FAILURES, (), self.resolver_failures)
        into.add(catalogue.RESENT, (), self.deltas_resent)
        into.add(catalogue.RECORDS_DROPPED, (), self.records_dropped)
        self.connections_accepted = self.tunnels_opened = self.resolver_failures = 0
        self.deltas_resent = self.records_dropped = 0
        for metric, counts in self._closed_lists():
            for value, count in counts.items():
                if count:
                    into.add(metric, (str(value),), count)
                    counts[value] = 0
        into.observe(catalogue.LAG, (), self._lags)
        into.set(catalogue.CLIENTS, (), self.connections_open)
        into.set(catalogue.UNDER_WAY, (), self.exchanges_under_way)
        into.set(catalogue.STREAMS, (), self.streams_open)
        into.set(catalogue.TUNNELS, (), self.tunnels_open)

    def _closed_lists(self) -> tuple[tuple[Metric, dict[Any, int]], ...]:
        return (
            (catalogue.ERRORS, self.errors),
            (catalogue.SHED, self.shed),
            (catalogue.JOINS, self.joins),
            (catalogue.JOIN_MISSES, self.join_misses),
            (catalogue.ABANDONED, self.observations_abandoned),
        )
