"""The frozen table a worker routes by. Swapped whole: an exchange under way keeps the one it began with."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from operator import itemgetter

from tracer_proxy.context.inject import Injector
from tracer_proxy.context.names import TRACE_FIELDS, X_SHADOW
from tracer_proxy.context.session_headers import WATCHED as SESSION_HEADERS
from tracer_proxy.context.trust import Trust
from tracer_proxy.errors import Kind
from tracer_proxy.limits import HEAD_FIELDS_MAX
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.color import ColorRule
from tracer_proxy.routing.condition import AGENT_ID
from tracer_proxy.routing.pool import Pool
from tracer_proxy.routing.route import Route
from tracer_proxy.routing.session import HeaderRung
from tracer_proxy.telemetry.wanted import Wanted
from tracer_proxy.wire.fields import FRAMING, HOP_BY_HOP, FieldReader
from tracer_proxy.wire.memory import keep
from tracer_proxy.wire.repeat import Repeats

FORWARDED_FIELDS = frozenset((b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host"))

VARYING_FIELDS = frozenset(
    (b"content-length", b"traceparent", b"x-trace-id-ext", b"b3", b"x-request-id", b"x-client-request-id", b"idempotency-key")
)
"""What differs between one request of a client and the next; the headers that sessions hang on come to it."""

CREDENTIALS = frozenset((b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key"))
RPC_HEADERS = frozenset((b"mcp-session-id", b"mcp-protocol-version", b"mcp-method", b"mcp-name"))
_NOTHING_WANTED = Wanted()
_ANSWER_FIELDS = (b"retry-after", b"content-type", b"content-encoding", b"mcp-session-id", b"cache-control")


class Inbound(StrEnum):
    """What a believed trace header of a caller is."""

    PARENT = "parent"
    """Its trace goes on."""
    LINK = "link"
    """A trace of our own points to it."""
    IGNORE = "ignore"


class Table:
    """Routes with their rules.

    ``watched`` are the lower-case header names that rules and ladders look at; ``ruled`` are those of them whose values decide
    on more than the session.
    """

    def __init__(
        self,
        routes: Sequence[Route],
        *,
        color_rules: Sequence[ColorRule],
        watched: Iterable[bytes],
        ruled: Iterable[bytes] = (),
        injector: Injector,
        sample_threshold: int,
        trust: Trust,
        fields_max: int = HEAD_FIELDS_MAX,
        wanted: Wanted = _NOTHING_WANTED,
        inbound: Inbound = Inbound.PARENT,
        believe_sampled: bool = True,
    ) -> None:
        self.routes = tuple(routes)
        lanes = [each for route in routes for lane in route.split.lanes for each in (lane, *lane.failover)]
        self.pools: Mapping[str, Pool] = {lane.pool.name: lane.pool for lane in lanes}
        self.color_rules = tuple(color_rules)
        self.injector = injector
        self.sample_threshold = sample_threshold
        """Of requests that no route matches."""
        self.trust = trust
        self.version = ""
        """Of the config it was made from."""
        self.wanted = wanted
        self.inbound = inbound
        self.believe_sampled = believe_sampled
        self.rules_read_body = any(rule.condition.reads_body for rule in self.color_rules)
        self.rules_read_clock = any(rule.condition.reads_clock for rule in self.color_rules)
        self.has_colors = bool(color_rules) or any(lane.colors or lane.paints for lane in lanes)
        """So that it matters to know a trace's colour."""
        self.painting = tuple(route for route in self.routes if route.split.paints)
        """Where sessions get a colour by their share."""
        self.taken = TRACE_FIELDS | FORWARDED_FIELDS | FRAMING | HOP_BY_HOP | {b"host", X_SHADOW}
        """Names of headers that end here: the proxy writes its own, or none."""
        ladders = {rung.name for route in routes for rung in route.ladder if isinstance(rung, HeaderRung)}
        varying = (VARYING_FIELDS | ladders) - self.taken.difference(VARYING_FIELDS) - set(ruled)
        self.repeats = Repeats(varying)
        watched = {AGENT_ID, b"max-forwards", b"user-agent", *CREDENTIALS, *SESSION_HEADERS, *watched, *varying}
        if self.rules_read_body or any(route.is_read or route.may_read_body for route in self.routes):
            watched |= {b"expect", b"content-type", b"content-encoding", *RPC_HEADERS}
        self.request_fields = FieldReader(Kind.MALFORMED, self.taken, watched, fields_max=fields_max)
        judged = [route.judged for route in self.routes if route.judged is not None]
        self.counts_turns = any(each.by_turns for each in judged)
        """Some rollout judges by the tokens of turns: calls of models say what they cost, on whatever route they pass."""
        watched = {*_ANSWER_FIELDS, *(each.confidence_header for each in judged if each.confidence_header)}
        self.response_fields = FieldReader(Kind.UPSTREAM_BROKEN, (b"x-trace-id-ext",), watched)
        self._exact: dict[bytes, list[tuple[int, Route]]] = {}
        self._prefix: dict[bytes, list[tuple[int, Route]]] = {}
        self._any_path: list[tuple[int, Route]] = []
        self._by_path: dict[bytes, tuple[Route, ...]] = {}
        """Candidates by path: agents ask for few paths, again and again."""
        for entry in enumerate(self.routes):
            match = entry[1].match
            if match.exact is not None:
                self._exact.setdefault(match.exact, []).append(entry)
            elif match.prefix is not None:
                self._prefix.setdefault(match.prefix.rstrip(b"/"), []).append(entry)
            else:
                self._any_path.append(entry)

    def adopt(self, previous: "Table") -> None:
        """Takes over what ``previous`` has seen: counts that exchanges under way will take back, and how endpoints did."""
        for name, pool in self.pools.items():
            if name in previous.pools:
                pool.adopt(previous.pools[name])
        budgets = {route.name: route.budget for route in previous.routes}
        for route in self.routes:
            if route.name in budgets:
                route.budget.adopt(budgets[route.name])

    def find(self, asking: Asking) -> Route | None:
        """The first route of the file that matches."""
        path = asking.head.path
        candidates = self._by_path.get(path)
        if candidates is None:
            candidates = self.candidates(path)
            keep(self._by_path, path, candidates)
        for route in candidates:
            if route.match.is_only_path or not route.match.rejects(asking):
                return route
        return None

    def candidates(self, path: bytes) -> tuple[Route, ...]:
        """The routes whose exact or prefix path holds, and those that have none, in the order of the file.

        Costs a look-up per path segment, however many routes there are.
        """
        prefixes = self._prefix
        found = list(self._any_path)
        if path in self._exact:
            found += self._exact[path]
        end = len(path)
        while True:
            here = prefixes.get(path[:end])
            if here is not None:
                found += here
            if end <= 0:
                break
            end = path.rfind(b"/", 0, end)
        return tuple(route for _, route in sorted(found, key=itemgetter(0)))
