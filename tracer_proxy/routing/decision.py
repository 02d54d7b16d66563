"""From a request to a lane: route, session key, colour, lane. The same code serves the hot path and ``explain``."""

from tracer_proxy.context.trace import TraceContext
from tracer_proxy.routing.lane import Lane
from tracer_proxy.routing.route import Route
from tracer_proxy.routing.session import Rung, find_session
from tracer_proxy.routing.table import Table
from tracer_proxy.wire.request import RequestHead


class Decision:
    """Where an exchange goes, and why. ``fell_back`` means that no lane serves its colour and the baseline stands in."""

    __slots__ = ("color", "color_source", "fell_back", "hangs_on_trace", "lane", "route", "rung", "session_key")

    def __init__(self, route: Route, session_key: bytes, rung: Rung) -> None:
        self.route = route
        self.session_key = session_key
        self.rung = rung
        self.color = b""
        self.color_source = "none"
        """``inbound``, ``rule N`` (from 1), ``lane`` or ``none``."""
        self.lane: Lane = route.split.baseline
        self.fell_back = False
        self.hangs_on_trace = rung is route.ladder[-1]
        """The session is the trace: another exchange with the same head may go elsewhere."""


def decide(
    table: Table, route: Route, head: RequestHead, context: TraceContext, baggage: bytes, inbound_color: bytes
) -> Decision:
    """``baggage`` and ``inbound_color`` are empty when their sender is not trusted."""
    key, rung = find_session(route.ladder, head, baggage, context.trace_id)
    decision = Decision(route, key, rung)
    if inbound_color:
        decision.color, decision.color_source = inbound_color, "inbound"
    elif table.color_rules:
        for number, rule in enumerate(table.color_rules, 1):
            if rule.holds(head, key):
                decision.color, decision.color_source = rule.color, f"rule {number}"
                break
    split = route.split
    if decision.color:
        lane = split.by_color.get(decision.color)
        decision.lane = split.baseline if lane is None else lane
        decision.fell_back = lane is None
    else:
        decision.lane = lane = split.lane_of(key, route.seed)
        if lane.paints:
            decision.color, decision.color_source = lane.paints, "lane"
    return decision
