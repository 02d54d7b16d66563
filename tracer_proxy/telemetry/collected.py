"""What meters hand over, and the histogram that they count in."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from tracer_proxy.telemetry.catalogue import Metric
from tracer_proxy.telemetry.evidence import Evidence, to_plain

Labels = tuple[str, ...]
Counts = list[float]
"""How many fell into each bucket, how many above all of them, and last the sum of all that was observed."""

Changes = list[tuple[int, float]]
"""Places of ``Counts`` and by how much they have grown."""

Exemplar = tuple[str, str, float]
"""Trace id, span id, and the value that was observed."""

_K = TypeVar("_K")


class Histogram:
    """One series. Whoever has no microsecond to spare counts in ``counts`` itself, as ``observe`` does."""

    __slots__ = ("bounds", "counts", "slowest", "spans")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts: Counts = [0.0] * (len(bounds) + 2)
        self.slowest = 0.0
        self.spans: tuple[bytes, bytes] | None = None
        """Trace id and span id of the slowest that was sampled since the last ``collect``: of all that may stand as the
        example, the one that somebody will look for."""

    def observe(self, value: float, trace_id: bytes = b"", span_id: bytes = b"") -> None:
        """The ids are empty when the trace is not sampled: then there is nothing to look at."""
        counts = self.counts
        counts[bisect_left(self.bounds, value)] += 1
        counts[-1] += value
        if trace_id and value >= self.slowest:
            self.slowest, self.spans = value, (trace_id, span_id)

    def observe_all(self, values: Sequence[float]) -> None:
        counts, bounds = self.counts, self.bounds
        for value in values:
            counts[bisect_left(bounds, value)] += 1
        counts[-1] += sum(values)


class Family(dict[_K, Histogram]):
    """Histograms by what tells them apart, made when first asked for.

    Beyond ``limit`` there are only those of the keys that ``other`` makes of further ones, which must be few.
    """

    __slots__ = ("_bounds", "_limit", "_other")

    def __init__(self, bounds: tuple[float, ...], limit: int, other: Callable[[_K], _K]) -> None:
        super().__init__()
        self._bounds = bounds
        self._limit = limit
        self._other = other

    def __missing__(self, key: _K) -> Histogram:
        if len(self) >= self._limit:
            key = self._other(key)
        found = self.get(key)
        if found is None:
            found = self[key] = Histogram(self._bounds)
        return found


class Collected:
    """What one round of collecting has found. Numbers that have not changed are left out."""

    __slots__ = ("added", "evidence", "gauges", "observed")

    def __init__(self) -> None:
        self.added: list[tuple[str, Labels, float]] = []
        self.observed: list[tuple[str, Labels, Changes, Exemplar | None]] = []
        self.gauges: list[tuple[str, Labels, float | None]] = []
        """``None``: there is no such gauge any more."""
        self.evidence: list[tuple[str, str, Any]] = []

    def add(self, metric: Metric, labels: Labels, count: float) -> None:
        if count:
            self.added.append((metric.name, labels, count))

    def observe(self, metric: Metric, labels: Labels, histogram: Histogram) -> None:
        """Leaves the histogram empty."""
        counts, spans = histogram.counts, histogram.spans
        changes = [(place, number) for place, number in enumerate(counts) if number]
        if changes:
            exemplar = (spans[0].decode(), spans[1].decode(), histogram.slowest) if spans else None
            self.observed.append((metric.name, labels, changes, exemplar))
            for place, _ in changes:
                counts[place] = 0.0
            histogram.slowest, histogram.spans = 0.0, None

    def set(self, metric: Metric, labels: Labels, value: float | None) -> None:
        self.gauges.append((metric.name, labels, value))

    def show(self, route: str, lane: str, evidence: Evidence) -> None:
        self.evidence.append((route, lane, to_plain(evidence)))
