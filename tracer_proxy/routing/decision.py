"""From a request to a lane: route, session key, colour, lane. The same code serves the hot path and ``explain``."""

from collections.abc import Callable

from tracer_proxy.context.trace import TraceContext
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.color import ColorRule
from tracer_proxy.routing.lane import Lane
from tracer_proxy.routing.route import Route
from tracer_proxy.routing.session import Rung, find_session, hangs_on_body
from tracer_proxy.routing.table import Table


class Decision:
    """Where an exchange goes, and why. ``fell_back`` means that no lane serves its colour and the baseline stands in."""

    __slots__ = (
        "color",
        "color_source",
        "fell_back",
        "hangs_on_trace",
        "is_lasting",
        "is_said",
        "is_secret",
        "is_share",
        "lane",
        "route",
        "session_key",
        "session_source",
    )

    def __init__(
        self, route: Route, session_key: bytes, rung: Rung, lane: Lane, color: bytes, color_source: str, fell_back: bool = False
    ) -> None:
        self.route = route
        self.session_key = session_key
        self.session_source = rung.source
        """Where the session key was found, such as ``header:x-session-id`` or ``trace``."""
        self.is_secret = rung.is_secret
        """Nobody may read the session key."""
        self.lane = lane
        self.color = color
        self.color_source = color_source
        """``inbound``, ``rule N`` (from 1), ``remembered``, ``lane`` or ``none``."""
        self.fell_back = fell_back
        self.is_said = False
        """The colour is what the request says, or a rule makes of that; not a share of sessions, nor remembered."""
        self.is_share = color_source == "lane"
        """It is that of a share of sessions, drawn here or remembered."""
        self.hangs_on_trace = rung is route.ladder[-1]
        """The session is the trace: another exchange with the same head may go elsewhere."""
        self.is_lasting = rung.reads_head
        """The session hangs on the head alone: it is that of the next exchange with the same head as well."""


def decide(
    table: Table,
    route: Route,
    asking: Asking,
    context: TraceContext,
    inbound_color: bytes,
    recall: Callable[[bytes], tuple[bytes, bool]] | None = None,
    has_served: Callable[[Lane, bytes], bool] | None = None,
) -> Decision:
    """``inbound_color`` is empty when its sender is not trusted.

    ``recall`` gives the colour that the trace, or the session of that key, has had, and whether that is one of a share; the key
    is empty where it is the trace's. ``has_served`` says whether a lane that gets no new sessions had this one not long ago.
    """
    key, rung = find_session(route.ladder, asking, context.trace_id)
    split = route.split
    color, source, is_said, is_share = inbound_color, "inbound", True, False
    if not color and table.color_rules:
        color, source, is_share = _ruled(table.color_rules, asking, key)
        is_said = not is_share
    if not color and recall is not None:
        color, is_share = recall(b"" if rung is route.ladder[-1] else key)
        source, is_said = "remembered", False
    if color:
        serves = split.by_color.get(color)
        decision = Decision(route, key, rung, serves or split.baseline, color, source, serves is None)
        decision.is_said, decision.is_share = is_said, is_share
    else:
        lane = lane_by_share(route, key, has_served)
        decision = Decision(route, key, rung, lane, lane.paints, "lane" if lane.paints else "none")
    if not rung.is_one_place:
        decision.session_source = rung.found_at(asking)
    return decision


def lane_by_share(route: Route, key: bytes, has_served: Callable[[Lane, bytes], bool] | None) -> Lane:
    """Where a session without a colour goes."""
    split = route.split
    if split.draining and has_served is not None:
        for lane in split.draining:
            if has_served(lane, key):
                return lane
    return split.lane_of(key, route.seed)


def needs_body(table: Table, route: Route, asking: Asking, inbound_color: bytes) -> bool:
    """Whether the body has a say in where the request goes."""
    if table.rules_read_body and not inbound_color:
        return True
    return route.needs_session and hangs_on_body(route.ladder, asking)


def _ruled(rules: tuple[ColorRule, ...], asking: Asking, session_key: bytes) -> tuple[bytes, str, bool]:
    """The colour of the first rule that holds, which it is, and whether it holds for a share of sessions."""
    if asking.rules is not rules:
        asking.rules = rules
        asking.candidates = [(number, rule) for number, rule in enumerate(rules, 1) if rule.may_hold(asking)]
    for number, rule in asking.candidates:
        if rule.holds(asking, session_key):
            return rule.color, f"rule {number}", rule.is_share
    return b"", "none", False
