"""Meters where the hot path counts: at routes, lanes, endpoints and the worker."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.lane import Lane
from tracer_proxy.routing.table import Table
from tracer_proxy.telemetry.catalogue import Join, JoinMiss
from tracer_proxy.telemetry.deltas import Delta, Meters
from tracer_proxy.telemetry.meters import Standing

if TYPE_CHECKING:
    from tracer_proxy.dataplane.worker import Worker


def attach(table: Table, meters: Meters) -> None:
    """Gives routes, lanes and endpoints of a new table their meters; those of the same names go on counting where they were."""
    lanes = [(route.name, lane) for route in table.routes for lane in route.split.lanes]
    endpoints = [(name, endpoint) for name, pool in table.pools.items() for endpoint in pool.endpoints]
    colors = [rule.color for rule in table.color_rules]
    colors += [color for _, lane in lanes for color in (*lane.colors, lane.paints)]
    meters.load(
        [(route, lane.name) for route, lane in lanes],
        [(pool, str(endpoint)) for pool, endpoint in endpoints],
        colors,
        [route.http_route for route in table.routes],
        [endpoint.server for _, endpoint in endpoints],
    )
    for each_route in table.routes:
        each_route.count_at(meters.http_route(each_route.http_route))
    for route, lane in lanes:
        for each in _with_stand_ins(lane):
            each.meter = meters.lane(route, lane.name)
    for each_route in table.routes:
        judged = each_route.judged
        for lane in each_route.split.lanes:
            lane.meter.evidence.turns = meters.turns if judged is not None and judged.by_turns else None
            lane.meter.evidence.errors = judged.errors if judged is not None else frozenset()
            lane.meter.evidence.is_model = bool(each_route.llm_api)
    for pool, endpoint in endpoints:
        endpoint.meter = meters.endpoint(pool, str(endpoint))
        endpoint.http_meter = meters.server(*endpoint.server)


def _with_stand_ins(lane: Lane) -> Iterator[Lane]:
    yield lane
    yield from lane.failover


def take(worker: "Worker") -> Delta:
    """What has been counted and not been confirmed, with how things stand now."""
    meter = worker.meters.worker
    meter.connections_open = len(worker.downstreams)
    meter.exchanges_under_way = worker.exchanges_open
    meter.tunnels_open = len(worker.tunnels)
    meter.records_dropped += worker.records.take_dropped()
    for method, count in worker.stitcher.counts.joins.items():
        meter.joins[Join(method)] += count
    for reason, count in worker.stitcher.counts.misses.items():
        meter.join_misses[JoinMiss(reason)] += count
    worker.stitcher.counts.joins.clear()
    worker.stitcher.counts.misses.clear()
    meter.resolver_failures += worker.connections.resolver.failures - worker.resolver_failures_told
    worker.resolver_failures_told = worker.connections.resolver.failures
    connected: Counter[Endpoint] = Counter(upstream.endpoint for upstream in worker.upstreams)
    for pool in worker.table.pools.values():
        for endpoint in pool.endpoints:
            idle = worker.connections.idle_at(endpoint)
            endpoint.meter.standing = Standing(endpoint.pending, connected[endpoint] - idle, idle, endpoint.health.state)
    return worker.meters.take(time.time())  # noqa: TID251 — a time of day, for exemplars
