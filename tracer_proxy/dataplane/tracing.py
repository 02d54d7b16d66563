"""Which trace an exchange belongs to, beyond what its head says plainly: policies, runs, stitching, colours remembered."""

from typing import TYPE_CHECKING

from tracer_proxy.context.trace import TraceContext, new_trace
from tracer_proxy.routing.table import CREDENTIALS, Inbound
from tracer_proxy.stitching.keys import Scope
from tracer_proxy.stitching.turn import Joined, Turn, first_of_a_trace
from tracer_proxy.telemetry.record import Link

if TYPE_CHECKING:
    from tracer_proxy.dataplane.exchange import Exchange

EXPLICIT = frozenset(("traceparent", "b3", "b3multi", "x-trace-id-ext", "meta"))
"""How a caller that takes part in tracing says which trace it is in: that always wins."""


def by_policy(exchange: "Exchange", context: TraceContext) -> TraceContext | None:
    """The context to go on with, ``None`` for a trace of our own; what else was said becomes a link."""
    exchange.links = tuple(Link(other.trace_id, other.parent_id, "conflict") for other in context.conflicts if other.parent_id)
    inbound = exchange.table.inbound
    if inbound is Inbound.PARENT:
        return context
    if inbound is Inbound.LINK and context.parent_id:
        exchange.links = (Link(context.trace_id, context.parent_id, "inbound"), *exchange.links)
    return None


def scope_of(exchange: "Exchange") -> Scope:
    """Whose ids these are."""
    values = exchange.plan.head.fields.values
    credential = b"\0".join(values[name] for name in sorted(CREDENTIALS) if name in values)
    return Scope(exchange.downstream.listener, credential)


def join_run(exchange: "Exchange") -> None:
    """The path names the run."""
    worker, plan = exchange.worker, exchange.plan
    listener, now = exchange.downstream.listener, exchange.began + worker.clock.unix_offset
    joined = worker.stitcher.join_run(plan.run, listener, now)
    take(exchange, joined)
    worker.stitcher.remember_run(plan.run, listener, turn_of(exchange, joined))


def take(exchange: "Exchange", joined: Joined) -> None:
    """Makes what was found the exchange's own."""
    if joined.trace_id:
        exchange.take_context(TraceContext(joined.trace_id, joined.parent_id, joined.sampled, False, joined.method))
    exchange.links = (*exchange.links, *joined.links)
    exchange.tools = joined.tools
    exchange.session = exchange.session or joined.session
    exchange.color = exchange.color or joined.color


def turn_of(exchange: "Exchange", joined: Joined) -> Turn:
    """What to remember the exchange as."""
    color = exchange.decision.color if exchange.decision is not None else exchange.color
    began = exchange.began + exchange.worker.clock.unix_offset
    return joined.turn(exchange.trace_id, exchange.server_span_id, exchange.sampled, color, began)


def recall(exchange: "Exchange", session_key: bytes) -> bytes:
    """The colour of a trace, or of a session, whose caller did not pass it on."""
    return b""
