"""Which trace an exchange belongs to, beyond what its head says plainly: policies, runs, ids echoed, colours remembered."""

from functools import partial
from typing import TYPE_CHECKING

from tracer_proxy.context.trace import TraceContext
from tracer_proxy.limits import STITCH_MEMORY_S
from tracer_proxy.routing.decision import Decision, lane_by_share
from tracer_proxy.routing.lane import Lane
from tracer_proxy.routing.route import Route
from tracer_proxy.routing.table import Inbound
from tracer_proxy.stitching.keys import Scope
from tracer_proxy.stitching.turn import Joined, Turn
from tracer_proxy.telemetry.record import Link

if TYPE_CHECKING:
    from tracer_proxy.dataplane.exchange import Exchange

EXPLICIT = frozenset(("traceparent", "b3", "b3multi", "x-trace-id-ext", "meta"))
"""How a caller that takes part in tracing says which trace it is in: that always wins."""


def by_policy(exchange: "Exchange", context: TraceContext) -> TraceContext | None:
    """The context to go on with, ``None`` for a trace of our own; what else was said becomes a link."""
    exchange.links = [Link(other.trace_id, other.parent_id, "conflict") for other in context.conflicts if other.parent_id]
    inbound = exchange.table.inbound
    if inbound is Inbound.PARENT:
        return context
    if inbound is Inbound.LINK and context.parent_id:
        exchange.links.insert(0, Link(context.trace_id, context.parent_id, "inbound"))
    return None


def scope_of(exchange: "Exchange") -> Scope:
    """Whose ids these are."""
    plan = exchange.plan
    return Scope(exchange.downstream.listener, plan.credential, plan.session, exchange.downstream.peer)


def _agent(exchange: "Exchange") -> Scope:
    return Scope(exchange.downstream.listener, exchange.plan.credential)


def began(exchange: "Exchange") -> float:
    """In Unix seconds."""
    return exchange.began + exchange.worker.clock.unix_offset


def join_run(exchange: "Exchange") -> None:
    """The path names the run."""
    runs, run, scope, now = exchange.worker.stitcher.runs, exchange.plan.run, scope_of(exchange), began(exchange)
    scope = scope._replace(session=scope.session or run.decode())
    joined = runs.join(run, scope, exchange.plan.trusted, now)
    take(exchange, joined)
    runs.remember(turn_of(exchange, joined), run, scope, exchange.plan.trusted, now)


def take(exchange: "Exchange", joined: Joined) -> None:
    """Makes what was found the exchange's own."""
    exchange.joined = joined
    if joined.trace_id:
        exchange.take_context(TraceContext(joined.trace_id, joined.parent_id, joined.sampled, False, joined.method))
    exchange.links = [*exchange.links, *joined.links]
    exchange.tools = joined.tools
    exchange.session = exchange.session or joined.session
    exchange.color = joined.color


def turn_of(exchange: "Exchange", joined: Joined) -> Turn:
    """What to remember the exchange as."""
    decision = exchange.decision
    color = _color_to_keep(exchange, decision) if decision is not None else b""
    turn = joined.turn(exchange.trace_id, exchange.server_span_id, exchange.sampled, color, began(exchange))
    if decision is None or decision.hangs_on_trace:
        return turn
    # So that whoever later repeats an id instead of the session's name is known by the same one, and keeps its lane.
    return turn._replace(session=decision.session_key.decode())


def _color_to_keep(exchange: "Exchange", decision: Decision) -> bytes:
    """What later turns of the session have by the ids of this one's answer.

    Not what they would be given again; and not a share that another route has given a session with a name, for that is drawn
    by the name.
    """
    if decision.is_share and decision.color_source != "remembered":
        return b""
    return b"" if not decision.hangs_on_trace and _is_share(exchange, decision) else decision.color


def _is_share(exchange: "Exchange", decision: Decision) -> bool:
    """Also a colour that a caller has passed on together with the trace that got it."""
    if decision.is_share or decision.color_source != "inbound":
        return decision.is_share
    return exchange.worker.colors.is_share(decision.color, exchange.trace_id, began(exchange))


def recall(exchange: "Exchange", session_key: bytes) -> tuple[bytes, bool]:
    """The colour of a trace, or of a session, whose caller did not pass it on; and whether it is that of a share."""
    if exchange.color:
        return exchange.color, False
    trace_id = b"" if exchange.context.source == "new" else exchange.trace_id
    session = session_key.decode() or exchange.plan.session
    if trace_id or session:
        color, is_share = exchange.worker.colors.of(trace_id, session, _agent(exchange), began(exchange))
        if color:
            return color, is_share
    return _painted_elsewhere(exchange, session_key), True


def _painted_elsewhere(exchange: "Exchange", session_key: bytes) -> bytes:
    """The colour that the session has had by its share of another route, as long as it is in that share.

    A route that paints goes by its own shares: a later hop must not move a session on an earlier one.
    """
    table, route = exchange.table, exchange.plan.route
    if not session_key or route is None or route.split.paints:
        return b""
    for other in table.painting:
        lane = lane_by_share(other, session_key, partial(has_served, exchange, other))
        if lane.paints and exchange.worker.served.has(other.name, lane.name, (), session_key, began(exchange), STITCH_MEMORY_S):
            return lane.paints
    return b""


def has_served(exchange: "Exchange", route: Route, lane: Lane, session_key: bytes) -> bool:
    """Whether a lane that gets no new sessions may keep this one."""
    others = [each.name for each in route.split.lanes if each is not lane]
    return exchange.worker.served.has(route.name, lane.name, others, session_key, began(exchange), lane.drain_s)


def note_session(exchange: "Exchange", decision: Decision) -> None:
    """The lane may be drained one day, or has painted the session. What is noted ends where it gets no sessions any more."""
    lane, split = decision.lane, decision.route.split
    if (split.drains and lane not in split.draining) or (lane.paints and lane.weight and not decision.hangs_on_trace):
        exchange.worker.served.note(decision.route.name, lane.name, decision.session_key, began(exchange))


def remember_color(exchange: "Exchange", decision: Decision) -> None:
    """So that the rest of the chain keeps it, whatever agents forget to pass on.

    A session's is remembered only where nothing else would give it the same one again: shares do, and a share that is taken
    back must let its sessions go.
    """
    session, is_share = "", _is_share(exchange, decision)
    if decision.is_said and not is_share:
        session = exchange.plan.session if decision.hangs_on_trace else decision.session_key.decode()
    colors = exchange.worker.colors
    colors.remember(decision.color, exchange.trace_id, session, _agent(exchange), began(exchange), is_share=is_share)
