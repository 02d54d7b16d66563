"""Meters that have counted something, and how their numbers come to control: through JSON."""

import json
from collections.abc import Iterable
from typing import Any

from tracer_proxy.telemetry.catalogue import METRICS, Metric, Type
from tracer_proxy.telemetry.deltas import Delta, Meters
from tracer_proxy.telemetry.meters import Standing
from tracer_proxy.telemetry.totals import Totals

LANES = (("planner", "stable"), ("planner", "canary"), ("openai", "openai"))
ENDPOINTS = (("planner-v1", "http://127.0.0.1:7001"), ("openai", "https://api.openai.com:443"))


def meters(
    run: str = "run-1",
    lanes: Iterable[tuple[str, str]] = LANES,
    endpoints: Iterable[tuple[str, str]] = ENDPOINTS,
    colors: Iterable[bytes] = (b"canary",),
) -> Meters:
    made = Meters(run)
    made.load(lanes, endpoints, colors)
    return made


def over_the_wire(delta: Delta) -> Delta:
    received: Delta = json.loads(json.dumps(delta))
    return received


def reported(meters: Meters, to: Totals, worker: str = "0") -> Totals:
    """All that has changed gets there and is confirmed."""
    delta = over_the_wire(meters.take())
    to.add(worker, delta)
    meters.confirm(delta["run"], delta["number"])
    return to


def stored_and_loaded(totals: Totals) -> Totals:
    return Totals.load(json.loads(json.dumps(totals.dump())))


def counted(totals: Totals, metric: Metric, *labels: str) -> Any:
    """The number of a counter, the numbers of a histogram; ``None`` when there is no such series."""
    values = totals.series.get((metric.name, labels))
    return values if values is None or metric.type is Type.HISTOGRAM else values[0]


def gauge(totals: Totals, metric: Metric, *labels: str) -> float | None:
    return {(name, its_labels): value for name, its_labels, value in totals.gauges()}.get((metric.name, labels))


def everything_counted() -> Totals:
    """Totals in which every metric of the catalogue has a series."""
    source = meters()
    for number, (route, lane) in enumerate(LANES):
        source.lane(route, lane).exchange_done(200, 0.02 * number, 0.01 * number, source.color(b"canary"), 10, 100)
        source.lane(route, lane).fallbacks += 1
    fill_endpoints_and_worker(source)
    totals = reported(source, Totals())
    for metric in METRICS.values():
        if metric.type is Type.INFO or (metric.type is Type.GAUGE and not metric.is_per_worker):
            totals.set(metric, 1, *metric.labels)
    return totals


def fill_endpoints_and_worker(source: Meters) -> None:
    for pool, address in ENDPOINTS:
        endpoint = source.endpoint(pool, address)
        endpoint.answered(200)
        endpoint.retries += 1
        endpoint.ejections += 1
        endpoint.connections_opened += 1
        endpoint.connections_reused += 1
        endpoint.standing = Standing(1, 1, 0, "serving")
    source.worker.ticked(0.002)
    source.worker.connections_accepted += 1
