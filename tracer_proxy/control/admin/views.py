"""What the admin API shows: the config in force, and what workers report about it."""

from collections.abc import Mapping, Sequence
from typing import Any

from tracer_proxy.control.workers import Report
from tracer_proxy.routing.pool import Pool
from tracer_proxy.routing.route import Route
from tracer_proxy.routing.table import Table
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.totals import Totals

Pending = Mapping[tuple[str, str], int]
"""Exchanges under way by pool and endpoint, over all workers."""


def pending(reports: Sequence[Report]) -> Pending:
    counts: dict[tuple[str, str], int] = {}
    for report in reports:
        for pool, endpoints in report.get("pools", {}).items():
            for endpoint in endpoints:
                key = pool, endpoint["address"]
                counts[key] = counts.get(key, 0) + endpoint["pending"]
    return counts


def routes(table: Table, overridden: Mapping[str, object], reports: Sequence[Report]) -> list[dict[str, Any]]:
    counts = pending(reports)
    return [_route(route, counts) | {"overridden": route.name in overridden} for route in table.routes]


def _route(route: Route, counts: Pending) -> dict[str, Any]:
    split = route.split
    lanes = [
        {
            "name": lane.name,
            "pool": lane.pool.name,
            "weight": lane.weight,
            "colors": [color.decode() for color in lane.colors],
            "baseline": lane is split.baseline,
            "endpoints": [
                {"address": str(endpoint), "pending": counts.get((lane.pool.name, str(endpoint)), 0)}
                for endpoint in lane.pool.endpoints
            ],
        }
        for lane in split.lanes
    ]
    return {"name": route.name, "egress": route.egress, "llm": route.llm_api or None, "lanes": lanes}


def pools(table: Table, reports: Sequence[Report]) -> list[dict[str, Any]]:
    return [_pool(pool, reports) for pool in table.pools.values()]


def _pool(pool: Pool, reports: Sequence[Report]) -> dict[str, Any]:
    counts = pending(reports)
    endpoints = []
    for endpoint in pool.endpoints:
        address = str(endpoint)
        seen = [
            {"worker": report["worker"]} | {name: value for name, value in told.items() if name != "address"}
            for report in reports
            for told in report.get("pools", {}).get(pool.name, ())
            if told["address"] == address
        ]
        endpoints.append({"address": address, "pending": counts.get((pool.name, address), 0), "workers": seen})
    return {"name": pool.name, "endpoints": endpoints}


def sums(reports: Sequence[Report]) -> dict[str, Any]:
    """What all workers hold together at this moment."""
    upstream = [report.get("upstream_connections", {}) for report in reports]
    return {
        **{name: _sum(reports, name) for name in ("under_way", "client_connections", "tunnels")},
        "upstream_connections": {name: sum(each.get(name, 0) for each in upstream) for name in ("all", "idle")},
        "reports_dropped": _sum(reports, "reports_dropped"),
    }


def _sum(reports: Sequence[Report], name: str) -> int:
    return sum(report.get(name, 0) for report in reports)


def counts(totals: Totals) -> dict[str, Any]:
    """What all workers have counted so far, those that are no more included."""
    return {
        "exchanges": totals.sum(catalogue.EXCHANGES),
        "errors": {kind: count for (kind,), count in totals.of(catalogue.ERRORS) if count},
    }
