"""The totals as Prometheus or OpenMetrics text."""

from collections.abc import Iterable
from itertools import accumulate

from prometheus_client import exposition as prometheus
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from tracer_proxy.telemetry.catalogue import BUCKETS_S, METRICS, Metric, Type
from tracer_proxy.telemetry.meters import Labels
from tracer_proxy.telemetry.totals import Totals

_BOUNDS = [*map(repr, BUCKETS_S), "+Inf"]
_Sample = tuple[Labels, list[float]]


def exposition(totals: Totals, accept: str) -> tuple[bytes, str]:
    """Body and content type of an answer, for the ``Accept`` of the request (empty when it has none)."""
    asked = {part.partition(";")[0].strip().lower() for part in accept.split(",")}
    if "application/openmetrics-text" in asked:
        text: bytes = openmetrics.generate_latest(_Families(totals))  # type: ignore[no-untyped-call]
        return text, openmetrics.CONTENT_TYPE_LATEST
    return prometheus.generate_latest(_Families(totals)), prometheus.CONTENT_TYPE_PLAIN_0_0_4


class _Families(Collector):
    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> Iterable[Family]:
        samples: dict[str, list[_Sample]] = {name: [] for name in METRICS}
        for (name, labels), values in self._totals.series.items():
            samples[name].append((labels, values))
        for name, labels, value in self._totals.gauges():
            samples[name].append((labels, [value]))
        return [_family(metric, samples[metric.name]) for metric in METRICS.values() if samples[metric.name]]


def _family(metric: Metric, samples: list[_Sample]) -> Family:
    unit = next((unit for unit in ("seconds", "bytes") if metric.name.removesuffix("_total").endswith(f"_{unit}")), "")
    if metric.type is Type.COUNTER:
        counter = CounterMetricFamily(metric.name, metric.help, labels=metric.labels, unit=unit)
        for labels, (value,) in samples:
            counter.add_metric(labels, value)
        return counter
    if metric.type is Type.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels, unit=unit)
        for labels, values in samples:
            histogram.add_metric(labels, list(zip(_BOUNDS, accumulate(values[:-1]), strict=True)), values[-1])
        return histogram
    if metric.type is Type.INFO:
        info = InfoMetricFamily(metric.name.removesuffix("_info"), metric.help)
        for labels, _ in samples:
            info.add_metric([], dict(zip(metric.labels, labels, strict=True)))
        return info
    gauge = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels, unit=unit)
    for labels, (value,) in samples:
        gauge.add_metric(labels, value)
    return gauge
