"""Control's side: what all workers have counted, those included that are no more.

Counters and histograms outlive the worker that counted; gauges are a worker's own and go with it. Control writes ``dump`` where
its successor finds it.
"""

from collections.abc import Iterable, Iterator
from typing import TypedDict

from tracer_proxy.limits import SERIES_MAX, SERIES_VANISHED_MAX
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.catalogue import BUCKETS_S, METRICS, Metric, Type
from tracer_proxy.telemetry.deltas import Delta
from tracer_proxy.telemetry.meters import Changes, Labels

Key = tuple[str, Labels]
"""Name of the metric and values of its labels, without that of the worker."""

_CONTROL = ""
"""Whose gauges are not a worker's."""
_KEPT = (Type.COUNTER, Type.HISTOGRAM)


class Dump(TypedDict):
    """Fits into JSON."""

    series: list[tuple[str, Labels, list[float]]]
    seen: dict[str, tuple[str, int]]
    """By worker: run and number of the last delta that was added."""


class Totals:
    """``series`` holds one number for a counter and the buckets and sum of a histogram, each bucket for itself."""

    def __init__(self) -> None:
        self.series: dict[Key, list[float]] = {}
        self._gauges: dict[str, dict[Key, float]] = {}
        self._seen: dict[str, tuple[str, int]] = {}
        self._config: set[tuple[str, ...]] | None = None
        """Label name and both values of every lane and endpoint; ``None`` until that is known."""
        self._vanished: dict[Key, None] = {}
        """Series of lanes and endpoints that are no longer in the config, in the order in which they left it."""
        for metric in METRICS.values():
            if metric.type in _KEPT and (metric.values or not metric.labels):
                for value in metric.values or ("",):
                    self.series[metric.name, (value,) if metric.labels else ()] = _zeros(metric)

    def add(self, worker: str, delta: Delta) -> bool:
        """``worker`` is the label of its gauges. False for a delta that has been added before, which changes nothing."""
        run, number = delta["run"], delta["number"]
        seen = self._seen.get(worker)
        if seen is not None and seen[0] == run and number <= seen[1]:
            return False
        self._seen[worker] = (run, number)
        for name, labels, count in delta["added"]:
            self._add((name, tuple(labels)), [(0, count)])
        for name, labels, changes in delta["observed"]:
            self._add((name, tuple(labels)), changes)
        gauges = self._gauges.setdefault(worker, {})
        if delta["whole"]:
            gauges.clear()
        for name, labels, value in delta["gauges"]:
            if value is None:
                gauges.pop((name, tuple(labels)), None)
            else:
                gauges[name, tuple(labels)] = value
        return True

    def forget(self, worker: str) -> None:
        """The worker is no more, or cannot be heard. What it counted stays, and so does what is known of its deltas."""
        self._gauges.pop(worker, None)

    def count(self, metric: Metric, *labels: str) -> None:
        """Something that control counts itself."""
        self._add((metric.name, labels), [(0, 1)])

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """A gauge of control's own, or an info, which has one series at a time."""
        gauges = self._gauges.setdefault(_CONTROL, {})
        if metric.type is Type.INFO:
            for key in [key for key in gauges if key[0] == metric.name]:
                del gauges[key]
        gauges[metric.name, labels] = value

    def of(self, counter: Metric) -> list[tuple[Labels, int]]:
        """All series of a counter."""
        return [(labels, round(values[0])) for (name, labels), values in self.series.items() if name == counter.name]

    def sum(self, counter: Metric) -> int:
        return sum(count for _, count in self.of(counter))

    def gauges(self) -> Iterator[tuple[str, Labels, float]]:
        """Name, values of all labels, value."""
        for worker, gauges in self._gauges.items():
            for (name, labels), value in gauges.items():
                yield name, (*labels, worker) if METRICS[name].is_per_worker else labels, value

    def config_has(self, lanes: Iterable[tuple[str, str]], endpoints: Iterable[tuple[str, str]]) -> None:
        """Names as in ``Meters.load``, at each load. A counter that vanished at once would look like a reset to Prometheus, so
        what is no longer in the config stays, up to a bound."""
        self._config = {("route", "", ""), *(("route", *names) for names in lanes), *(("pool", *names) for names in endpoints)}
        gone = {key: None for key in self.series if self._has_vanished(key)}
        # Those that had vanished before keep their place in front.
        self._vanished = {key: None for key in self._vanished if key in gone} | gone
        self._drop_vanished(SERIES_VANISHED_MAX)

    def _has_vanished(self, key: Key) -> bool:
        labels = METRICS[key[0]].labels
        scoped = labels[:1] in (("route",), ("pool",))
        return scoped and self._config is not None and (labels[0], *key[1][:2]) not in self._config

    def _drop_vanished(self, limit: int) -> None:
        while len(self._vanished) > limit:
            key = next(iter(self._vanished))
            del self._vanished[key]
            del self.series[key]

    def _add(self, key: Key, changes: Changes) -> None:
        total = self.series.get(key)
        if total is None:
            total = self._new_series(key)
            if total is None:
                self.series[catalogue.SERIES_DROPPED.name, ()][0] += 1
                return
        for place, number in changes:
            total[place] += number

    def _new_series(self, key: Key) -> list[float] | None:
        if len(self.series) >= SERIES_MAX:
            self._drop_vanished(max(len(self._vanished) - 1, 0))
            if len(self.series) >= SERIES_MAX:
                return None
        self.series[key] = total = _zeros(METRICS[key[0]])
        if self._has_vanished(key):
            self._vanished[key] = None
            self._drop_vanished(SERIES_VANISHED_MAX)
        return total

    def dump(self) -> Dump:
        """Without gauges: a worker tells a new control how things stand."""
        return Dump(
            series=[(name, labels, values[:]) for (name, labels), values in self.series.items()],
            seen=dict(self._seen),
        )

    @classmethod
    def load(cls, dump: Dump) -> "Totals":
        """From ``dump``, also after a way through JSON. What another version counted otherwise is left out.

        Raises ``ValueError`` for what is no dump: better to count from nothing than not to start.
        """
        try:
            return cls._restored(dump)
        except (AttributeError, KeyError, TypeError, ValueError):
            raise ValueError("This is not a dump of totals.") from None

    @classmethod
    def _restored(cls, dump: Dump) -> "Totals":
        totals = cls()
        for name, labels, values in dump["series"]:
            metric = METRICS.get(name)
            if metric is not None and metric.type in _KEPT and _fits(metric, labels, values):
                totals.series[name, tuple(labels)] = [float(value) for value in values]
        totals._seen = {worker: (str(run), int(number)) for worker, (run, number) in dump["seen"].items()}
        return totals


def _zeros(metric: Metric) -> list[float]:
    return [0] * (len(BUCKETS_S) + 2) if metric.type is Type.HISTOGRAM else [0]


def _fits(metric: Metric, labels: Labels, values: list[float]) -> bool:
    return len(labels) == len(metric.labels) and len(values) == len(_zeros(metric))
