"""What follows from a head alone: made once, and kept while its client goes on sending the same head.

A client on a kept connection sends the same head with every request, but for the trace context and the body's length. So the
route, the session, the colour, the lane and most bytes of the head that goes on are worked out once per connection. A plan is
dropped with its connection (heads hold secrets) and does not outlive its table.
"""

from collections.abc import Mapping

from tracer_proxy.context.baggage import with_color
from tracer_proxy.context.color import inbound_color
from tracer_proxy.context.names import TRACE_FIELDS
from tracer_proxy.limits import PLANNED_HEAD_BYTES_MAX, PLANS_PER_CONNECTION_MAX
from tracer_proxy.routing.decision import Decision
from tracer_proxy.routing.lane import Lane
from tracer_proxy.routing.route import Egress, Route
from tracer_proxy.routing.table import Table
from tracer_proxy.wire.repeat import Repeat
from tracer_proxy.wire.request import RequestHead


class Plan:
    """``decision`` is filled in by the first exchange, unless it hangs on the trace id and so on each exchange."""

    __slots__ = (
        "_departures",
        "baggage",
        "color",
        "decision",
        "forwarded",
        "head",
        "is_last_hop",
        "route",
        "table",
        "trace_fields",
    )

    def __init__(self, head: RequestHead, table: Table, *, peer: bytes, trusted: bool) -> None:
        """``peer`` is the client's address, empty on a Unix socket."""
        values = head.fields.values
        self.head = head
        self.table = table
        self.route: Route | None = table.find(head)
        self.decision: Decision | None = None
        self.baggage = values.get(b"baggage", b"") if trusted else b""
        self.color = inbound_color(values) if trusted else b""
        self.trace_fields = {name: values[name] for name in TRACE_FIELDS.intersection(values)} if trusted else {}
        """What there is to read a trace context from."""
        self.is_last_hop = b"max-forwards" in values and _hops_are_used_up(head)
        self.forwarded = _forwarded(head, peer, values if trusted else {})
        """Who called, and by what name."""
        self._departures: dict[tuple[Lane, bytes], Departure] = {}

    def departure(self, decision: Decision) -> "Departure":
        key = decision.lane, decision.color
        departure = self._departures.get(key)
        if departure is None:
            departure = self._departures[key] = Departure(self, decision)
        return departure


class Departure:
    """The bytes of a head for one lane that do not change: ``start``, then the host, then ``lines``."""

    __slots__ = ("lines", "start")

    def __init__(self, plan: Plan, decision: Decision) -> None:
        head, lane, route = plan.head, decision.lane, decision.route
        target = route.path_out(head.path) + (b"?" + head.query if head.has_query else b"")
        self.start = head.method + b" " + target + b" HTTP/1.1\r\nHost: "
        kept = [line for line in head.fields.lines if line.partition(b":")[0].lower() not in lane.removed]
        via = b"Via: 1.1 tracer-proxy\r\n" if head.version_1_1 else b"Via: 1.0 tracer-proxy\r\n"
        self.lines = b"\r\n" + b"".join(line + b"\r\n" for line in kept) + lane.pool.header_block + via
        if route.egress is Egress.FULL:
            self.lines += plan.forwarded + _painted(plan, decision)


def _painted(plan: Plan, decision: Decision) -> bytes:
    block = b"x-traffic-color: " + decision.color + b"\r\n" if decision.color else b""
    if plan.table.injector.writes_baggage:
        baggage = with_color(plan.baggage, decision.color)
        if baggage:
            block += b"baggage: " + baggage + b"\r\n"
    return block


def _forwarded(head: RequestHead, peer: bytes, believed: Mapping[bytes, bytes]) -> bytes:
    """``believed`` are the fields of a trusted sender, which may be a proxy itself; else none."""
    hops = b", ".join(filter(None, (believed.get(b"x-forwarded-for"), peer)))
    scheme = believed.get(b"x-forwarded-proto", b"http")
    host = believed.get(b"x-forwarded-host", head.authority)
    block = b"X-Forwarded-For: " + hops + b"\r\n" if hops else b""
    block += b"X-Forwarded-Proto: " + scheme + b"\r\n"
    return block + b"X-Forwarded-Host: " + host + b"\r\n" if host else block


def _hops_are_used_up(head: RequestHead) -> bool:
    """RFC 9110 7.6.2, for the two methods it speaks of. Counts the hop down where there are more to come."""
    limit = head.fields.values[b"max-forwards"]
    if head.method not in (b"OPTIONS", b"TRACE") or not limit.isdigit() or len(limit) > 9:
        return False
    if int(limit) == 0:
        return True
    lines = [line for line in head.fields.lines if line.partition(b":")[0].lower() != b"max-forwards"]
    head.fields.lines = [*lines, b"Max-Forwards: %d" % (int(limit) - 1)]
    return False


class Plans:
    """The plans of one connection, by what repeats in its heads."""

    __slots__ = ("_plans",)

    def __init__(self) -> None:
        self._plans: dict[bytes, Plan] = {}

    def find(self, rest: bytes, table: Table) -> Plan | None:
        """``rest`` is what ``take_apart`` leaves of a head."""
        plan = self._plans.get(rest)
        return plan if plan is not None and plan.table is table else None

    def keep(self, repeat: Repeat, plan: Plan) -> None:
        """Kept only if the whole head was read to the same two values: then any head with the same rest reads the same."""
        rest, traceparent, length = repeat
        values = plan.head.fields.values
        as_read = values.get(b"traceparent", b""), values.get(b"content-length", b"")
        if as_read != (traceparent, length) or plan.head.upgrade or len(rest) > PLANNED_HEAD_BYTES_MAX:
            return
        if len(self._plans) >= PLANS_PER_CONNECTION_MAX:
            self._plans.clear()
        self._plans[rest] = plan
