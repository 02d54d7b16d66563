"""A route: what it matches and what happens to what it matches. Frozen; made by ``config/compile.py``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from tracer_proxy.limits import BODY_IDLE_S, CONNECT_S, FIRST_BYTE_S, REQUEST_BODY_BYTES_MAX, TUNNEL_IDLE_S
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.bucket import seed
from tracer_proxy.routing.condition import Condition
from tracer_proxy.routing.judged import Judged
from tracer_proxy.routing.lane import Split
from tracer_proxy.routing.matcher import Matcher
from tracer_proxy.routing.mirror import Mirror
from tracer_proxy.routing.retry import Budget, RetryPolicy
from tracer_proxy.routing.session import Rung
from tracer_proxy.telemetry.http_meters import HttpServerMeter

_NOBODYS = HttpServerMeter("")


class Egress(StrEnum):
    """What of ours leaves with a request."""

    FULL = "full"
    """Trace headers, baggage, colour and forwarding headers: own agents."""
    TRACE = "trace"
    """Trace headers only."""
    NONE = "none"
    """Nothing: public providers."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """In seconds. There is no limit on the whole of an exchange: a stream may last as long as it says something."""

    connect: float = CONNECT_S
    first_byte: float = FIRST_BYTE_S
    idle: float = BODY_IDLE_S
    tunnel: float = TUNNEL_IDLE_S


class SessionCookie(NamedTuple):
    """What a client that has no session gets."""

    name: bytes
    attributes: bytes
    """As they stand in ``Set-Cookie`` behind the value."""


@dataclass(frozen=True, slots=True)
class Match:
    """Every part that is set must hold. At most one of ``prefix``, ``exact`` and ``regex`` is."""

    prefix: bytes | None = None
    exact: bytes | None = None
    regex: Matcher | None = None
    host: Matcher | None = None
    methods: frozenset[bytes] = frozenset()
    conditions: tuple[Condition, ...] = ()
    is_only_path: bool = field(init=False)
    """Nothing is left to test once the table has found the path."""

    def __post_init__(self) -> None:
        only_path = self.regex is None and self.host is None and not self.methods and not self.conditions
        object.__setattr__(self, "is_only_path", only_path)

    def rejects(self, asking: Asking) -> str:
        """Which part, the path apart, does not hold; empty when all do. The table has looked at prefix and exact paths."""
        head = asking.head
        if self.regex is not None and not self.regex.test(head.path):
            return f"path not {self.regex}"
        if self.methods and head.method not in self.methods:
            return "method differs"
        if self.host is not None and not self.host.test(head.host):
            return f"host not {self.host}"
        for condition in self.conditions:
            if not condition.holds(asking, b""):
                return f"not: {condition}"
        return ""


@dataclass(frozen=True, slots=True)
class Route:
    name: str
    match: Match
    split: Split
    ladder: Sequence[Rung]
    rewrite: bytes | None = None
    """What stands in for ``match.prefix`` in the path that goes on, without a trailing slash."""
    egress: Egress = Egress.FULL
    llm_api: str = ""
    """``openai``, ``anthropic`` or ``gemini`` on ``llm`` routes: their errors are told in the provider's shape too."""
    sample_threshold: int = 0
    """Of traces that begin here (``context.trace.ratio_threshold``); 0 samples all."""
    stitch: bool = False
    """Steps of one turn are joined by the ids that the protocol carries."""
    capture_chars: int = 0
    """Of each text that was said; 0 records none."""
    rpc: str = ""
    """``mcp`` or ``a2a``."""
    rpc_meta: bool = False
    """Requests get the trace context in ``params._meta``."""
    needs_session: bool = True
    """Something hangs on the session key: a split, a colour that is remembered, an endpoint."""
    timeouts: Timeouts = Timeouts()
    request_body_max: int | None = REQUEST_BODY_BYTES_MAX
    retries: RetryPolicy = field(default_factory=RetryPolicy)
    mirror: Mirror | None = None
    session_cookie: SessionCookie | None = None
    judged: Judged | None = None
    """By a rollout: what its lanes serve counts as evidence."""
    http_route: str = ""
    """``http.route`` of OpenTelemetry: the path as the config has it, without what varies; the name where it has none."""
    http_meter: HttpServerMeter = field(init=False, compare=False, default=_NOBODYS)
    """Given by whoever counts."""
    may_read_body: bool = field(init=False)
    """A body may say which session it is, and something hangs on that."""
    seed: int = field(init=False)
    budget: Budget = field(init=False)
    """What is left for retries: beside the meter the one thing here that changes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "may_read_body", self.needs_session and any(rung.reads_body for rung in self.ladder))
        object.__setattr__(self, "seed", seed(self.name))
        object.__setattr__(self, "budget", Budget(self.retries.budget))
        object.__setattr__(self, "http_route", self.http_route or self.name)

    def count_at(self, meter: HttpServerMeter) -> None:
        object.__setattr__(self, "http_meter", meter)

    @property
    def is_read(self) -> bool:
        """What passes is looked at, beside the traffic."""
        return bool(self.llm_api or self.rpc)

    def path_out(self, path: bytes) -> bytes:
        if self.rewrite is None or path == b"*":
            return path
        assert self.match.prefix is not None
        rest = path[len(self.match.prefix.rstrip(b"/")) :]
        return self.rewrite + rest or b"/"
