"""Meters that have counted something, and how their numbers come to control: through JSON."""

import json
from collections.abc import Iterable
from typing import Any

from tracer_proxy.genai.answered import Usage
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.catalogue import METRICS, Metric, Type
from tracer_proxy.telemetry.deltas import Delta, Meters
from tracer_proxy.telemetry.meters import Standing
from tracer_proxy.telemetry.totals import Totals

LANES = (("planner", "stable"), ("planner", "canary"), ("openai", "openai"))
ENDPOINTS = (("planner-v1", "http://127.0.0.1:7001"), ("openai", "https://api.openai.com:443"))
HTTP_ROUTES = ("/planner", "/v1")
SERVERS = (("127.0.0.1", 7001), ("api.openai.com", 443))
AT = 1764064314.25
TRACE_ID, SPAN_ID = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"


def meters(
    run: str = "run-1",
    lanes: Iterable[tuple[str, str]] = LANES,
    endpoints: Iterable[tuple[str, str]] = ENDPOINTS,
    colors: Iterable[bytes] = (b"canary",),
) -> Meters:
    made = Meters(run)
    made.load(lanes, endpoints, colors, HTTP_ROUTES, SERVERS)
    return made


def over_the_wire(delta: Delta) -> Delta:
    received: Delta = json.loads(json.dumps(delta))
    return received


def reported(meters: Meters, to: Totals, worker: str = "0", at: float = AT) -> Totals:
    """All that has changed gets there and is confirmed."""
    delta = over_the_wire(meters.take(at))
    to.add(worker, delta)
    meters.confirm(delta["run"], delta["number"])
    return to


def stored_and_loaded(totals: Totals) -> Totals:
    return Totals.load(json.loads(json.dumps(totals.dump())))


def counted(totals: Totals, metric: Metric, *labels: str) -> Any:
    """The number of a counter, the numbers of a histogram; ``None`` when there is no such series."""
    series = totals.series[metric.name].get(labels)
    if series is None:
        return None
    return series.values if metric.type is Type.HISTOGRAM else series.values[0]


def gauge(totals: Totals, metric: Metric, *labels: str) -> float | None:
    """``labels`` with the worker, where it has one."""
    series = totals.series[metric.name].get(labels)
    return None if series is None else series.values[0]


def gauges(totals: Totals) -> list[tuple[str, ...]]:
    """Name and labels of all there are."""
    return [
        (name, *labels)
        for name, family in totals.series.items()
        if METRICS[name].type in (Type.GAUGE, Type.INFO)
        for labels in family
    ]


def everything_counted() -> Totals:
    """Totals in which every metric of the catalogue has a series."""
    source = meters()
    for number, (route, lane) in enumerate(LANES):
        source.lane(route, lane).exchange_done(200, 0.02 * number, 0.01 * number, source.color(b"canary"), 10, 100)
        source.lane(route, lane).fallbacks += 1
    fill_endpoints_and_worker(source)
    fill_conventions(source, TRACE_ID)
    totals = reported(source, Totals())
    for metric in METRICS.values():
        if metric.type is Type.INFO or (metric.type is Type.GAUGE and not metric.is_per_worker):
            totals.set(metric, 1, *metric.labels)
    totals.count(catalogue.ROLLOUT_VERDICTS, "v2", "healthy")
    totals.count(catalogue.ROLLOUT_CHANGES, "v2", "started")
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


def fill_conventions(source: Meters, trace_id: bytes = b"") -> None:
    """One streamed call of a model, as the caller's side, the endpoint's side and the model's side see it."""
    source.http_route("/v1").done(b"POST", 200, "", False, True, 1.5, trace_id, SPAN_ID)
    source.server("api.openai.com", 443).done(b"POST", 200, "", 1.4, trace_id, SPAN_ID)
    call = ("chat", "openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18", "api.openai.com", 443)
    source.gen_ai.done(*call, "", 1.4, Usage(1200, 80), 0.3, [0.05, 0.06], trace_id, SPAN_ID)
