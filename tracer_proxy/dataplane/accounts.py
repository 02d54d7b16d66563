"""What is left of an exchange when it has ended: counts, a record if anybody wants one, and what the log says of a failure."""

from time import monotonic
from typing import TYPE_CHECKING

from tracer_proxy.dataplane import evidence
from tracer_proxy.dataplane.recording import record_of, record_of_refused
from tracer_proxy.errors import ProxyError
from tracer_proxy.telemetry.deltas import NO_COLOR

if TYPE_CHECKING:
    from tracer_proxy.dataplane.downstream import Downstream
    from tracer_proxy.dataplane.exchange import Exchange


def settle(exchange: "Exchange", counted: int, status: int, error: ProxyError | None, now: float) -> None:
    """Once for each exchange that became no tunnel, with its last byte. ``now`` is monotonic.

    ``counted`` is the status it counts under: that of the error which ended it, even where the client had got another one,
    which is ``status``.
    """
    count(exchange, counted, now)
    decision = exchange.decision
    if decision is not None and decision.route.judged is not None:
        evidence.show(exchange, decision, decision.route.judged, counted, error, now - exchange.began)
    record(exchange, status, error, now)


def count(exchange: "Exchange", status: int, now: float) -> None:
    meters, decision = exchange.worker.meters, exchange.decision
    lane = meters.unrouted if decision is None else exchange.lane.meter
    color = meters.color(decision.color) if decision is not None and decision.color else NO_COLOR
    seconds = now - exchange.began
    lane.exchange_done(status, seconds, exchange.first_byte_s, color, exchange.received_bytes, exchange.sent_bytes)


def record(exchange: "Exchange", status: int, error: ProxyError | None, now: float) -> None:
    """With the last byte. ``status`` is what the client got, or would have got."""
    worker, head, route = exchange.worker, exchange.head, exchange.plan.route
    seconds = now - exchange.began
    meter = worker.meters.unrouted_http if route is None else route.http_meter
    kind, traced = error.kind if error is not None else "", exchange.trace_id if exchange.sampled else b""
    is_https = exchange.downstream.scheme == b"https"
    meter.done(head.method, status, kind, is_https, head.version_1_1, seconds, traced, exchange.server_span_id)
    if exchange.is_stream and status != 101:
        worker.meters.worker.streams_open -= 1
    records, witness = worker.records, exchange.witness
    failed = error is not None or status >= 500 or bool(exchange.past_attempts)
    wanted = records.is_on and records.wants(seconds, worker.clock.now, sampled=exchange.sampled, failed=failed)
    made = record_of(exchange, status, error, now) if wanted else None
    if witness is not None:
        witness.conclude(made)
    elif made is not None:
        records.put(made)


def refused(downstream: "Downstream", error: ProxyError, trace_id: bytes) -> None:
    """Of bytes that were no request; there never was an exchange."""
    worker, span_id = downstream.worker, downstream.worker.ids.span()
    worker.meters.unrouted.exchange_done(error.status, 0.0, None)
    worker.meters.unrouted_http.done(b"", error.status, error.kind, downstream.scheme == b"https", True, 0.0, b"", b"")
    if worker.records.is_on and worker.records.wants(0.0, worker.clock.now, sampled=False, failed=True):
        worker.records.put(record_of_refused(downstream, error, trace_id, span_id, monotonic()))


def details(exchange: "Exchange") -> dict[str, str]:
    """Which exchange it was, as far as that was known."""
    told = {"trace_id": exchange.trace_id.decode()}
    decision = exchange.decision
    if decision is not None:
        told |= {"route": decision.route.name, "lane": exchange.lane.name}
        if exchange.lane is not decision.lane:
            told["failover_pool"] = exchange.lane.pool.name
        if exchange.lane.name != decision.lane.name:
            told["lane_intended"] = decision.lane.name
    if exchange.endpoint is not None:
        told["endpoint"] = str(exchange.endpoint)
    if exchange.attempts > 1:
        told["attempts"] = str(exchange.attempts)
    return told
