"""From a request to a lane: route, session key, colour, lane. The same code serves the hot path and ``explain``."""

from collections.abc import Callable

from tracer_proxy.context.trace import TraceContext
from tracer_proxy.routing.lane import Lane
from tracer_proxy.routing.route import Route
from tracer_proxy.routing.session import Rung, find_session
from tracer_proxy.routing.table import Table
from tracer_proxy.wire.request import RequestHead


class Decision:
    """Where an exchange goes, and why. ``fell_back`` means that no lane serves its colour and the baseline stands in."""

    __slots__ = ("color", "color_source", "fell_back", "hangs_on_trace", "is_said", "lane", "route", "rung", "session_key")

    def __init__(
        self, route: Route, session_key: bytes, rung: Rung, lane: Lane, color: bytes, color_source: str, fell_back: bool = False
    ) -> None:
        self.route = route
        self.session_key = session_key
        self.rung = rung
        self.lane = lane
        self.color = color
        self.color_source = color_source
        """``inbound``, ``rule N`` (from 1), ``remembered``, ``lane`` or ``none``."""
        self.fell_back = fell_back
        self.is_said = False
        """The colour is what the request says, or a rule makes of that; not a share of sessions, nor remembered."""
        self.hangs_on_trace = rung is route.ladder[-1]
        """The session is the trace: another exchange with the same head may go elsewhere."""


def decide(
    table: Table,
    route: Route,
    head: RequestHead,
    context: TraceContext,
    baggage: bytes,
    inbound_color: bytes,
    recall: Callable[[bytes], bytes] | None = None,
    session: bytes = b"",
) -> Decision:
    """``baggage`` and ``inbound_color`` are empty when their sender is not trusted.

    ``recall`` gives the colour that the trace, or the session of that key, has had; the key is empty where it is the trace's.
    ``session`` stands in for the trace id, where it is known that the trace is one of several of a session.
    """
    key, rung = find_session(route.ladder, head, baggage, session or context.trace_id)
    split = route.split
    color, source, is_said = inbound_color, "inbound", True
    if not color and table.color_rules:
        color, source, is_said = _ruled(table, head, key)
    if not color and recall is not None:
        color, source, is_said = recall(b"" if rung is route.ladder[-1] else key), "remembered", False
    if color:
        serves = split.by_color.get(color)
        decision = Decision(route, key, rung, serves or split.baseline, color, source, serves is None)
        decision.is_said = is_said
        return decision
    lane = split.lane_of(key, route.seed)
    return Decision(route, key, rung, lane, lane.paints, "lane" if lane.paints else "none")


def _ruled(table: Table, head: RequestHead, session_key: bytes) -> tuple[bytes, str, bool]:
    """The colour of the first rule that holds, which it is, and whether it goes by what the request says alone."""
    for number, rule in enumerate(table.color_rules, 1):
        if rule.holds(head, session_key):
            return rule.color, f"rule {number}", not rule.is_share
    return b"", "none", False
