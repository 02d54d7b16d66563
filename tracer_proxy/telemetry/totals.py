"""Control's side: what all workers have counted, those included that are no more.

Counters and histograms outlive the worker that counted; gauges are a worker's own and go with it. Control writes ``dump`` where
its successor finds it.
"""

from bisect import bisect_left
from collections.abc import Iterable
from typing import NamedTuple, TypedDict

from tracer_proxy.limits import EXEMPLARS_MAX, SERIES_MAX, SERIES_VANISHED_MAX
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.catalogue import METRICS, Metric, Type
from tracer_proxy.telemetry.collected import Changes, Labels
from tracer_proxy.telemetry.deltas import Delta

_KEPT = (Type.COUNTER, Type.HISTOGRAM)
_Key = tuple[str, Labels]


class Dump(TypedDict):
    """Fits into JSON."""

    series: list[tuple[str, Labels, list[float]]]
    seen: dict[str, tuple[str, int]]
    """By worker: run and number of the last delta that was added."""


class Exemplar(NamedTuple):
    trace_id: str
    span_id: str
    value: float
    at: float
    """Unix time of the delta that brought it."""


class Series:
    """``values`` has one number, or of a histogram those of its buckets, each for itself, and the sum."""

    __slots__ = ("exemplars", "text", "text_with_exemplars", "values")

    def __init__(self, values: list[float]) -> None:
        self.values = values
        self.exemplars: dict[int, Exemplar] | None = None
        """The newest for each bucket that has one, by its place in ``values``."""
        self.text = b""
        """What the exposition has made of it, as the next one."""
        self.text_with_exemplars = b""

    def changed(self) -> None:
        """To be called after each change: the texts are no longer true."""
        self.text = self.text_with_exemplars = b""


class Totals:
    """``series`` has all there are by the name of their metric and the values of their labels."""

    def __init__(self) -> None:
        self.series: dict[str, dict[Labels, Series]] = {name: {} for name in METRICS}
        self._kept_count = 0
        self._exemplar_count = 0
        self._seen: dict[str, tuple[str, int]] = {}
        self._config: set[tuple[Labels, Labels]] | None = None
        """What may stand under the labels of a metric's scope; ``None`` until that is known."""
        self._vanished: dict[_Key, None] = {}
        """Series whose scope is no longer in the config, in the order in which it left."""
        for metric in METRICS.values():
            if metric.type in _KEPT and (metric.values or not metric.labels):
                for value in metric.values or ("",):
                    self._keep(metric, (value,) if metric.labels else (), _zeros(metric))

    def add(self, worker: str, delta: Delta) -> bool:
        """``worker`` is the label of its gauges. False for a delta that has been added before, which changes nothing."""
        run, number = delta["run"], delta["number"]
        seen = self._seen.get(worker)
        if seen is not None and seen[0] == run and number <= seen[1]:
            return False
        self._seen[worker] = (run, number)
        for name, labels, count in delta["added"]:
            self._add(METRICS[name], tuple(labels), [(0, count)])
        for name, labels, changes, exemplar in delta["observed"]:
            metric = METRICS[name]
            series = self._add(metric, tuple(labels), changes)
            if series is not None and exemplar is not None:
                self._exemplify(series, bisect_left(metric.buckets, exemplar[2]), Exemplar(*exemplar, delta["at"]))
        if delta["whole"]:
            self.forget(worker)
        for name, labels, value in delta["gauges"]:
            self._set(name, (*labels, worker), value)
        return True

    def forget(self, worker: str) -> None:
        """The worker is no more, or cannot be heard. What it counted stays, and so does what is known of its deltas."""
        for metric in METRICS.values():
            if metric.is_per_worker:
                family = self.series[metric.name]
                for labels in [labels for labels in family if labels[-1] == worker]:
                    del family[labels]

    def count(self, metric: Metric, *labels: str, by: int = 1) -> None:
        """Something that control counts itself."""
        self._add(metric, labels, [(0, by)])

    def set(self, metric: Metric, value: float, *labels: str) -> None:
        """A gauge of control's own, or an info, which has one series at a time."""
        if metric.type is Type.INFO and labels not in self.series[metric.name]:
            self.series[metric.name].clear()
        self._set(metric.name, labels, value)

    def clear(self, gauge: Metric) -> None:
        """Of a gauge of control's own, whose labels may be others by now."""
        self.series[gauge.name].clear()

    def of(self, counter: Metric) -> list[tuple[Labels, int]]:
        """All series of a counter."""
        return [(labels, round(series.values[0])) for labels, series in self.series[counter.name].items()]

    def sum(self, counter: Metric) -> int:
        return sum(count for _, count in self.of(counter))

    def config_has(
        self,
        lanes: Iterable[tuple[str, str]],
        endpoints: Iterable[tuple[str, str]],
        http_routes: Iterable[str] = (),
        servers: Iterable[tuple[str, int]] = (),
    ) -> None:
        """Names as in ``Meters.load``, at each load. A counter that vanished at once would look like a reset to Prometheus, so
        what is no longer in the config stays, up to a bound."""
        scopes: dict[Labels, set[Labels]] = {
            ("route", "lane"): {("", ""), *lanes},
            ("pool", "endpoint"): {*endpoints},
            ("http_route",): {("",), *((each,) for each in http_routes)},
            ("server_address", "server_port"): {(host, str(port) if port else "") for host, port in servers},
        }
        self._config = {(names, values) for names, several in scopes.items() for values in several}
        gone = {
            (name, labels): None
            for name, family in self.series.items()
            for labels in family
            if self._has_vanished(METRICS[name], labels)
        }
        # Those that had vanished before keep their place in front.
        self._vanished = {key: None for key in self._vanished if key in gone} | gone
        self._drop_vanished(SERIES_VANISHED_MAX)

    def _has_vanished(self, metric: Metric, labels: Labels) -> bool:
        if not metric.scope or self._config is None or metric.type not in _KEPT:
            return False
        start = metric.labels.index(metric.scope[0])
        return (metric.scope, labels[start : start + len(metric.scope)]) not in self._config

    def _drop_vanished(self, limit: int) -> None:
        while len(self._vanished) > limit:
            name, labels = key = next(iter(self._vanished))
            del self._vanished[key]
            dropped = self.series[name].pop(labels)
            self._kept_count -= 1
            self._exemplar_count -= len(dropped.exemplars or ())

    def _set(self, name: str, labels: Labels, value: float | None) -> None:
        family = self.series[name]
        if value is None:
            family.pop(labels, None)
        elif (series := family.get(labels)) is None:
            family[labels] = Series([value])
        elif series.values[0] != value:
            series.values[0] = value
            series.changed()

    def _add(self, metric: Metric, labels: Labels, changes: Changes) -> Series | None:
        """The series, or ``None`` when there was no room for it."""
        series = self.series[metric.name].get(labels) or self._new_series(metric, labels)
        if series is None:
            self.count(catalogue.SERIES_DROPPED)
            return None
        for place, number in changes:
            series.values[place] += number
        series.changed()
        return series

    def _new_series(self, metric: Metric, labels: Labels) -> Series | None:
        if self._kept_count >= SERIES_MAX:
            self._drop_vanished(max(len(self._vanished) - 1, 0))
            if self._kept_count >= SERIES_MAX:
                return None
        series = self._keep(metric, labels, _zeros(metric))
        if self._has_vanished(metric, labels):
            self._vanished[metric.name, labels] = None
            self._drop_vanished(SERIES_VANISHED_MAX)
        return series

    def _keep(self, metric: Metric, labels: Labels, values: list[float]) -> Series:
        self._kept_count += labels not in self.series[metric.name]
        self.series[metric.name][labels] = series = Series(values)
        return series

    def _exemplify(self, series: Series, place: int, exemplar: Exemplar) -> None:
        if series.exemplars is None:
            series.exemplars = {}
        if place not in series.exemplars:
            if self._exemplar_count >= EXEMPLARS_MAX:
                return
            self._exemplar_count += 1
        series.exemplars[place] = exemplar
        series.changed()

    def dump(self) -> Dump:
        """Without gauges, for a worker tells a new control how things stand, and without exemplars, for new ones come."""
        return Dump(
            series=[
                (name, labels, series.values[:])
                for name, family in self.series.items()
                if METRICS[name].type in _KEPT
                for labels, series in family.items()
            ],
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
                totals._keep(metric, tuple(labels), [float(value) for value in values])
        totals._seen = {worker: (str(run), int(number)) for worker, (run, number) in dump["seen"].items()}
        return totals


def _zeros(metric: Metric) -> list[float]:
    return [0] * (len(metric.buckets) + 2) if metric.type is Type.HISTOGRAM else [0]


def _fits(metric: Metric, labels: Labels, values: list[float]) -> bool:
    return len(labels) == len(metric.labels) and len(values) == len(_zeros(metric))
