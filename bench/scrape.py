"""What a scrape costs control at many routes, and what the conventions' meters cost a worker: ``python -m bench.scrape``.

Every route has two lanes on endpoints of their own, and every lane has seen one exchange in each of two workers. ``idle`` is a
scrape when nothing has happened since the last one, ``busy`` one when every series has changed. Times are those of the CPU,
and but for ``busy`` and ``first`` the best of some, for other processes only ever add to them.
"""

import argparse
import json
import time
from collections.abc import Callable

from tracer_proxy.telemetry.deltas import Meters
from tracer_proxy.telemetry.exposition import exposition
from tracer_proxy.telemetry.meters import Standing
from tracer_proxy.telemetry.totals import Totals

FORMATS = {"Prometheus text": "text/plain", "OpenMetrics": "application/openmetrics-text"}
WORKERS = ("0", "1")
TRACE_ID, SPAN_ID = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"


class Fleet:
    """Workers with many routes, and the totals of what they count."""

    def __init__(self, routes: int) -> None:
        self.routes = [f"/agents/{number}" for number in range(routes)]
        self.lanes = [(route, lane) for route in self.routes for lane in ("stable", "canary")]
        self.servers = [(f"10.0.{number // 250}.{number % 250}", 8080) for number in range(len(self.lanes))]
        self.endpoints = [(f"pool-{number}", f"http://{host}:{port}") for number, (host, port) in enumerate(self.servers)]
        self.workers = {name: Meters(name) for name in WORKERS}
        self.totals = Totals()
        for meters in self.workers.values():
            meters.load(self.lanes, self.endpoints, [], self.routes, self.servers)
        self.totals.config_has(self.lanes, self.endpoints, self.routes, self.servers)

    def exchanges(self) -> tuple[int, float]:
        """One on every lane of every worker; bytes and milliseconds of one worker's delta on its way into the totals."""
        size, spent = 0, 0.0
        for name, meters in self.workers.items():
            self._count(meters)
            begun = time.process_time()
            delta = meters.take(time.time())  # noqa: TID251 — a time of day, as in a worker
            text = json.dumps(delta)
            self.totals.add(name, json.loads(text))
            spent = (time.process_time() - begun) * 1e3
            meters.confirm(delta["run"], delta["number"])
            size = len(text)
        return size, spent

    def _count(self, meters: Meters) -> None:
        for lane in self.lanes:
            meters.lane(*lane).exchange_done(200, 0.3, 0.1, 0, 100, 1000)
            meters.http_route(lane[0]).done(b"POST", 200, "", False, True, 0.3, TRACE_ID, SPAN_ID)
        for endpoint, server in zip(self.endpoints, self.servers, strict=True):
            meter = meters.endpoint(*endpoint)
            meter.answered(200)
            meter.connections_reused += 1
            meter.standing = Standing(0, 0, 1, "serving")
            meters.server(*server).done(b"POST", 200, "", 0.3, TRACE_ID, SPAN_ID)

    def scrape_ms(self, accept: str) -> tuple[float, int]:
        begun = time.process_time()
        body, _ = exposition(self.totals, accept)
        return (time.process_time() - begun) * 1e3, len(body)


def per_call_us(call: Callable[[], None], calls: int = 20_000, rounds: int = 15) -> float:
    best = float("inf")
    for _ in range(rounds):
        begun = time.process_time()
        for _ in range(calls):
            call()
        best = min(best, time.process_time() - begun)
    return best / calls * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routes", type=int, default=1000)
    routes = parser.parse_args().routes
    fleet = Fleet(routes)
    size, spent = fleet.exchanges()
    series = sum(map(len, fleet.totals.series.values()))
    print(f"{routes} routes, {series} series; a delta of all of them: {size / 1e6:.1f} MB, {spent:.0f} ms")
    for name, accept in FORMATS.items():
        first, _ = fleet.scrape_ms(accept)
        idle, length = min(fleet.scrape_ms(accept) for _ in range(20))
        fleet.exchanges()
        busy, _ = fleet.scrape_ms(accept)
        print(f"{name}: first {first:.0f} ms, idle {idle:.1f} ms, busy {busy:.0f} ms; {length / 1e6:.1f} MB")
    meters = fleet.workers["0"]
    server, client = meters.http_route(fleet.routes[0]), meters.server(*fleet.servers[0])
    for shown, trace_id in (("sampled", TRACE_ID), ("not sampled", b"")):
        at_server = per_call_us(lambda ids=trace_id: server.done(b"POST", 200, "", False, True, 0.3, ids, SPAN_ID))  # type: ignore[misc]
        at_client = per_call_us(lambda ids=trace_id: client.done(b"POST", 200, "", 0.3, ids, SPAN_ID))  # type: ignore[misc]
        print(f"{shown}: HttpServerMeter.done {at_server:.2f} us, HttpClientMeter.done {at_client:.2f} us")


if __name__ == "__main__":
    main()
