"""What follows from a head alone: made once, and kept while its client goes on sending the same head.

On a kept connection one head is much like the next: another trace, another session, another length of the body. So the route,
the colour, the lane and most bytes of the head that goes on are worked out once per connection, and for the next head only the
values that changed are filled in. A plan is dropped with its connection (heads hold secrets) and does not outlive its table.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter

from tracer_proxy.context.baggage import is_shadow, with_color, with_shadow
from tracer_proxy.context.color import inbound_color
from tracer_proxy.context.names import BAGGAGE, TRACE_FIELDS, X_SHADOW, X_TRAFFIC_COLOR
from tracer_proxy.dataplane.reading import reading_of
from tracer_proxy.dataplane.recording import AskedFor
from tracer_proxy.errors import Kind
from tracer_proxy.limits import LENGTH_DIGITS_MAX
from tracer_proxy.routing.asking import Asking, unread
from tracer_proxy.routing.decision import Decision, needs_body
from tracer_proxy.routing.lane import Lane
from tracer_proxy.routing.route import Egress, Route
from tracer_proxy.routing.run_prefix import split_run
from tracer_proxy.routing.session import HeaderRung
from tracer_proxy.routing.table import CREDENTIALS, FORWARDED_FIELDS, Table
from tracer_proxy.wire.fields import content_length
from tracer_proxy.wire.repeat import Layout, Rest, names_in, request_layout
from tracer_proxy.wire.request import RequestHead

# A member of an enum is looked up through its metaclass, a global of the module is not.
_MALFORMED = Kind.MALFORMED
CONTEXT_FIELDS = TRACE_FIELDS - {BAGGAGE, X_TRAFFIC_COLOR}
_SHADOW_MARK = X_SHADOW + b": 1\r\n"
FORWARDED_ELSEWHERE = frozenset((b"forwarded", b"x-real-ip", b"x-forwarded-port"))
"""What other proxies say of a caller: passed on for trusted ones and to own agents only."""


class Plan:
    """One exchange at a time uses a plan, so the values of the next head may be filled in where they stand.

    ``decision`` is left by an exchange for the next one, unless it hangs on a value that changes.
    """

    __slots__ = (
        "_copies",
        "_credential",
        "_decides",
        "_departures",
        "_length_place",
        "_looked_at",
        "_may_need_body",
        "_needs_body",
        "_sizes",
        "_traced",
        "asked_for",
        "asking",
        "baggage",
        "color",
        "decision",
        "forwarded",
        "head",
        "is_last_hop",
        "is_shadow",
        "layout",
        "passing",
        "peer",
        "reading",
        "route",
        "run",
        "scheme",
        "table",
        "trace_fields",
        "trusted",
        "values",
    )

    def __init__(
        self,
        head: RequestHead,
        table: Table,
        *,
        peer: bytes,
        trusted: bool,
        scheme: bytes = b"http",
        certificate: Sequence[str] = (),
    ) -> None:
        """``peer`` is the client's address, empty on a Unix socket; ``scheme`` is how it came to us.

        ``certificate`` are the names in the one that the client has shown.
        """
        values = head.fields.values
        self.head = head
        self.peer, self.scheme = peer, scheme
        self.asked_for: AskedFor | None = None
        """For records; made when the first is."""
        self.table = table
        self.trusted = trusted
        self.run, head.path = split_run(head.path)
        self.baggage = values.get(b"baggage", b"") if trusted else b""
        self.asking = Asking(head, baggage=self.baggage, peer=peer, certificate=certificate)
        self.route: Route | None = table.find(self.asking)
        self.reading = reading_of(self.route, head)
        self.decision: Decision | None = None
        self.color = inbound_color(values) if trusted else b""
        self.is_shadow = trusted and (X_SHADOW in values or is_shadow(self.baggage))
        """Done for a copy's sake: never copied again, never remembered for others, never evidence."""
        self.trace_fields = {name: values[name] for name in CONTEXT_FIELDS.intersection(values)} if trusted else {}
        """What there is to read a trace context from."""
        self._credential: bytes | None = None
        route = self.route
        self._may_need_body = route is not None and (table.rules_read_body or route.may_read_body) and not unread(head)
        """A body can be read, and there are rules or rungs that look into it."""
        self._needs_body: bool | None = None
        self.is_last_hop = b"max-forwards" in values and _count_hop_down(head)
        self.forwarded = _forwarded(head, peer, scheme, values if trusted else {})
        """Who called, and by what name."""
        self.values: Sequence[bytes] = ()
        """Those that change from head to head, in the order of their lines."""
        self.passing: dict[int, bytes] = {}
        """Which of them go on, by their place in ``values``, and the lines they stood in when the head was read."""
        self.layout: Layout | None = None
        """Where everything stood in the last two heads, if it was the same places."""
        self._sizes: list[int] = []
        # Where, among the values taken out of a head, those stand that somebody looks at.
        self._traced: list[tuple[bytes, int]] = []
        self._length_place: int | None = None
        self._looked_at: list[tuple[bytes, int]] = []
        self._decides = False
        """One of these decides on the session."""
        self._departures: dict[tuple[Lane, bytes], Departure] = {}
        self._copies: dict[tuple[Lane, bytes], Departure] = {}
        """The departures of copies."""

    def expect_again(self, rest: Rest, values: Sequence[bytes]) -> bool:
        """Prepares for heads with this ``rest``; false if they must be read as a whole.

        The whole head must have read each of these names once, with just this value: then any head with the same rest reads
        the same but for its values.
        """
        read, lines = self.head.fields.values, self.head.fields.lines
        names = names_in(rest)
        if len(set(names)) < len(names) or any(read.get(name) != value for name, value in zip(names, values, strict=True)):
            return False
        passing = {
            place: start[2:] + value
            for place, (name, start, value) in enumerate(zip(names, rest[1::2], values, strict=True))
            if name not in self.table.taken
        }
        if b"upgrade" in read or any(lines.count(line) != 1 for line in passing.values()):
            return False
        places = {name: place for place, name in enumerate(names)}
        self._traced = [(name, places[name]) for name in names if name in self.trace_fields]
        self._length_place = places.get(b"content-length")
        self.values, self.passing = values, passing
        self._sizes = [len(value) for value in values]
        ladder = self.route.ladder if self.route is not None else ()
        rungs = {rung.name for rung in ladder if isinstance(rung, HeaderRung)}
        # Also those that only another route hangs on: what is looked at must be this request's.
        known = rungs.union(read.keys() - self.trace_fields)
        self._looked_at = [(name, place) for name, place in places.items() if name in known]
        self._decides = not rungs.isdisjoint(places)
        return True

    def came_again(self, rest: Rest, values: Sequence[bytes]) -> None:
        """A head with this plan was taken apart. The second one with values of the same sizes makes the next one cheap."""
        sizes = [len(value) for value in values]
        if sizes != self._sizes:
            self._sizes, self.layout = sizes, None
        elif self.layout is None:
            self.layout = request_layout(rest, values)
        self.fill_in(values)

    def fill_in(self, values: Sequence[bytes]) -> None:
        """Makes the head that of the next request. Raises ``ProxyError`` for a length that is none."""
        self.values = values
        for name, place in self._traced:
            self.trace_fields[name] = values[place]
        place_of_length = self._length_place
        if place_of_length is not None:
            self.head.length = content_length(values[place_of_length], _MALFORMED, LENGTH_DIGITS_MAX)
        if self._looked_at:
            self._credential = self._needs_body = None
            self.asking.came_again()
            for name, place in self._looked_at:
                self.head.fields.values[name] = values[place]
            if self._decides:
                self.decision = None

    @property
    def credential(self) -> bytes:
        """What the client shows its endpoint who it is with, as sent."""
        if self._credential is None:
            values = self.head.fields.values
            self._credential = b"\0".join(values[name] for name in sorted(CREDENTIALS) if name in values)
        return self._credential

    @property
    def session(self) -> str:
        """What a known agent calls its session; empty if no header says it."""
        return self.asking.agent_session[0]

    @property
    def needs_body(self) -> bool:
        """Whether a body that can be read has a say in where the request goes."""
        if not self._may_need_body:
            return False
        if self._needs_body is None:
            assert self.route is not None
            self._needs_body = needs_body(self.table, self.route, self.asking, self.color)
        return self._needs_body

    def departure(self, decision: Decision, lane: Lane) -> "Departure":
        """``lane`` is the decision's, or stands in for it by another pool."""
        key = lane, decision.color
        departure = self._departures.get(key)
        if departure is None:
            departure = self._departures[key] = Departure(self, decision.route, lane, decision.color, self.is_shadow)
        return departure

    def copied(self, decision: Decision, lane: Lane) -> "Departure":
        """As if ``lane``, the shadow lane, had been the decision's."""
        key = lane, lane.paints or decision.color
        departure = self._copies.get(key)
        if departure is None:
            departure = self._copies[key] = Departure(self, decision.route, *key, is_shadow=True)
        return departure


class Departure:
    """The head for one lane: ``start``, then the host, then ``lines`` with the values that pass filled in."""

    __slots__ = ("_lines", "_pick", "start")

    def __init__(self, plan: Plan, route: Route, lane: Lane, color: bytes, is_shadow: bool) -> None:
        head = plan.head
        target = route.path_out(head.path) + (b"?" + head.query if head.has_query else b"")
        self.start = head.method + b" " + target + b" HTTP/1.1\r\nHost: "
        kept = head.fields.lines
        removed = lane.removed if plan.trusted and route.egress is Egress.FULL else lane.removed | FORWARDED_ELSEWHERE
        if removed:
            kept = [line for line in kept if line.partition(b":")[0].lower() not in removed]
        via = b"Via: 1.1 tracer-proxy\r\n" if head.version_1_1 else b"Via: 1.0 tracer-proxy\r\n"
        ours = plan.forwarded + _painted(plan, color, is_shadow) if route.egress is Egress.FULL else b""
        if is_shadow:
            # Whatever the route's egress: whoever gets it must be able to leave out side effects.
            ours += _SHADOW_MARK
        lines = b"\r\n".join((b"", *kept, lane.pool.header_block + via + ours))
        passing = {place: line for place, line in plan.passing.items() if line in kept}
        self._lines = _template(lines, passing.values()) if passing else lines
        # Gives one value as it is and several as a tuple: just what the template takes.
        self._pick: Callable[[Sequence[bytes]], object] | None = itemgetter(*passing) if passing else None

    def lines(self, values: Sequence[bytes]) -> bytes:
        """``values`` are the plan's."""
        pick = self._pick
        return self._lines if pick is None else self._lines % pick(values)


def _template(lines: bytes, with_values: Iterable[bytes]) -> bytes:
    """``lines`` with a place for each value, in their order."""
    template = lines.replace(b"%", b"%%")
    for line in with_values:
        escaped = line.replace(b"%", b"%%")
        name, _, _ = escaped.partition(b": ")
        template = template.replace(b"\r\n" + escaped + b"\r\n", b"\r\n" + name + b": %b\r\n", 1)
    return template


def _painted(plan: Plan, color: bytes, is_shadow: bool) -> bytes:
    block = b"x-traffic-color: " + color + b"\r\n" if color else b""
    if (color or plan.baggage or is_shadow) and plan.table.injector.writes_baggage:
        baggage = with_color(plan.baggage, color)
        if is_shadow:
            baggage = with_shadow(baggage)
        if baggage:
            block += b"baggage: " + baggage + b"\r\n"
    return block


def _forwarded(head: RequestHead, peer: bytes, scheme: bytes, believed: Mapping[bytes, bytes]) -> bytes:
    """``believed`` are the fields of a trusted sender, which may be a proxy itself; else none."""
    hops, host = peer, head.authority
    if not FORWARDED_FIELDS.isdisjoint(believed):
        hops = b", ".join(filter(None, (believed.get(b"x-forwarded-for"), peer)))
        scheme = believed.get(b"x-forwarded-proto", scheme)
        host = believed.get(b"x-forwarded-host", host)
    block = b"X-Forwarded-For: " + hops + b"\r\n" if hops else b""
    block += b"X-Forwarded-Proto: " + scheme + b"\r\n"
    return block + b"X-Forwarded-Host: " + host + b"\r\n" if host else block


def _count_hop_down(head: RequestHead) -> bool:
    """RFC 9110 7.6.2, for the two methods it speaks of. True when no hop is left and the request ends here."""
    limit = head.fields.values[b"max-forwards"]
    if head.method not in (b"OPTIONS", b"TRACE") or not limit.isdigit() or len(limit) > 9:
        return False
    if int(limit) == 0:
        return True
    lines = [line for line in head.fields.lines if line.partition(b":")[0].lower() != b"max-forwards"]
    head.fields.lines = [*lines, b"Max-Forwards: %d" % (int(limit) - 1)]
    return False
