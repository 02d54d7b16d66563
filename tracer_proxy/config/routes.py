"""The sections that become the routing table: colour rules, routes with their lanes, and pools."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from tracer_proxy.config.addresses import HostPattern
from tracer_proxy.config.conditions import Percent, When
from tracer_proxy.config.matchers import (
    CookieName,
    HeaderName,
    Method,
    Path,
    Regex,
    Sticky,
    StickyRung,
    ValueMatcher,
)
from tracer_proxy.config.part import Part
from tracer_proxy.config.tracing import RouteTracing, Rpc
from tracer_proxy.config.values import (
    Duration,
    Flag,
    OneOrMany,
    SizeOrUnlimited,
    Timeout,
    choice_form,
    duration_form,
    number_form,
    outcome_form,
    text_form,
)
from tracer_proxy.limits import (
    BODY_IDLE_S,
    COLOR_BYTES_MAX,
    CONFIG_CONNECTIONS_MAX,
    CONFIG_WEIGHT_MAX,
    CONNECT_S,
    FIRST_BYTE_S,
    LANE_DRAIN_S,
    MIRROR_S,
    REQUEST_BODY_BYTES_MAX,
    RETRY_ATTEMPTS,
    RETRY_ATTEMPTS_MAX,
    RETRY_BACKOFF_MAX_S,
    RETRY_BACKOFF_S,
    RETRY_BUDGET_PERCENT,
    RETRY_RATE_MIN,
    STITCH_MEMORY_S,
    TUNNEL_IDLE_S,
)

NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
NAME_EXPECTED = "a name of up to 64 letters, digits and . _ -, not starting with one of these three"
_COLOR_EXPECTED = f"a colour of up to {COLOR_BYTES_MAX} small letters, digits and . _ -, starting with a letter or digit"

Name = Annotated[str, text_form("name", NAME_PATTERN, NAME_EXPECTED)]
Color = Annotated[str, text_form("colour", f"[a-z0-9][a-z0-9._-]{{0,{COLOR_BYTES_MAX - 1}}}", _COLOR_EXPECTED)]
Weight = Annotated[float, number_form(0, CONFIG_WEIGHT_MAX)]
LlmApi = Annotated[Literal["openai", "anthropic", "gemini"], choice_form("openai", "anthropic", "gemini")]
LlmMode = Annotated[Literal["local", "remote"], choice_form("local", "remote")]
Egress = Annotated[Literal["full", "trace", "none"], choice_form("full", "trace", "none")]
Balance = Annotated[Literal["round_robin", "least_pending", "random"], choice_form("round_robin", "least_pending", "random")]
Unhealthy = Annotated[Literal["baseline", "fail"], choice_form("baseline", "fail")]
Drain = Annotated[Literal["sessions", "none"], choice_form("sessions", "none")]
DrainLimit = Annotated[float, duration_form(1.0, STITCH_MEMORY_S)]
HostSeen = Annotated[Literal["endpoint", "client"], choice_form("endpoint", "client")]
Outcome = Annotated[str, outcome_form(("connect", "reset", "timeout", "5xx"), (429, 500, 502, 503, 504))]
Attempts = Annotated[int, number_form(1, RETRY_ATTEMPTS_MAX, whole=True)]
Count = Annotated[int, number_form(1, CONFIG_CONNECTIONS_MAX, whole=True)]

DEFAULT_STICKY = (
    Sticky("header", "x-session-id"),
    Sticky("harness"),
    Sticky("body"),
    Sticky("header", "mcp-session-id"),
    Sticky("a2a"),
    Sticky("query", "session_id"),
    Sticky("cookie", "session_id"),
    Sticky("baggage", "session.id"),
    Sticky("answer"),
    Sticky("body", "/user"),
    Sticky("trace"),
)


class ColorRule(Part):
    """A rule that gives a colour to a trace that has none. The first rule that holds wins."""

    color: Color = Field(description="The colour to give.")
    when: When = Field(description="What must hold for it.")


class Match(Part):
    """Which requests a route takes: all that is given must hold, and nothing given takes everything."""

    path: Path | None = Field(None, description="A path prefix that ends on a segment border: `/a` takes `/a` and `/a/b`.")
    exact: Path | None = Field(None, description="This path and no other. At most one of `path`, `exact` and `regex`.")
    regex: Regex | None = Field(None, description="A regular expression that the whole path must match.")
    host: HostPattern | None = Field(
        None, description="The `Host` without its port; `*.example.com` takes every name below `example.com`."
    )
    method: Annotated[tuple[Method, ...], OneOrMany()] = Field((), description="One method or several; none takes all.")
    header: Mapping[HeaderName, ValueMatcher] = Field({}, description="Request headers, each with a matcher.")


class Rewrite(Part):
    """How the path changes on its way to the endpoint."""

    prefix: Path = Field(description="Put in place of the prefix that `match.path` took.")


class Llm(Part):
    """Marks a route to a model provider."""

    api: LlmApi = Field(description="Whose API is spoken, so that errors take the shape its SDK knows.")
    mode: LlmMode = Field("remote", description="`remote` uses the lanes; `local` sends everything to the bundled mock.")


class RouteTimeouts(Part):
    """How long to wait for an endpoint. There is no limit on the whole of an exchange: streams may last."""

    connect: Timeout = Field(CONNECT_S, description="Until a connection stands.")
    first_byte: Timeout = Field(FIRST_BYTE_S, description="From the end of the request to the first byte of the answer.")
    idle: Timeout = Field(BODY_IDLE_S, description="Between two pieces of a body, in either direction.")
    tunnel: Timeout = Field(TUNNEL_IDLE_S, description="Without a byte on an upgraded connection, such as a WebSocket.")


class RouteLimits(Part):
    """What a request on this route may cost."""

    request_body: SizeOrUnlimited = Field(REQUEST_BODY_BYTES_MAX, description="Bytes of a request's body.")


class Retries(Part):
    """When a request that failed is sent again; [more](retries.md)."""

    attempts: Attempts = Field(RETRY_ATTEMPTS, description="How often a request is tried in all at one pool; 1 is no retry.")
    on: Annotated[tuple[Outcome, ...], OneOrMany()] = Field(
        ("connect",),
        description="After what: `connect`, no connection came about, so nothing was sent; `reset`, it broke before the answer "
        "began; `timeout`, the answer did not begin in time; and statuses of the answer.",
    )
    per_try: Timeout | None = Field(
        None,
        description="How long a try may take until its answer begins, where a retry may follow; left out it is "
        "`timeouts.first_byte`. Needs `timeout` in `on`.",
    )
    backoff: Duration = Field(
        RETRY_BACKOFF_S, description="The longest pause before the first retry; it doubles each time, and is drawn by lot."
    )
    backoff_max: Duration = Field(
        RETRY_BACKOFF_MAX_S, description="The longest pause at all. An endpoint that asks for more gets no retry."
    )
    budget: Percent = Field(
        RETRY_BUDGET_PERCENT,
        description=f"Retries in percent of the route's requests; {RETRY_RATE_MIN} a second are always free, unless this is 0.",
    )
    non_idempotent: Flag = Field(
        False, description="Send also POST and the like again once they were sent: the endpoint may have acted on the first."
    )


class Mirror(Part):
    """Copies of requests to a shadow lane, beside the originals; [more](mirroring.md)."""

    lane: Name = Field(description="The lane that gets the copies, typically one of weight 0.")
    percent: Percent = Field(
        100.0,
        description="This share of session keys, each of them wholly; raising it only adds sessions, and never swaps them.",
    )
    compare: Flag = Field(
        False, description="Hold status, latency and tokens of the answers against the originals'; else they are thrown away."
    )
    timeout: Timeout = Field(MIRROR_S, description="How long a copy may take to the end of its answer.")


class Lane(Part):
    """One version of a route's backend."""

    name: Name = Field(description="Unique within the route.")
    pool: Name = Field(description="Where the lane's requests go: a key of `pools`.")
    colors: tuple[Color, ...] = Field((), description="Colours that this lane serves; each on one lane of a route at most.")
    weight: Weight = Field(
        # Pydantic hands over the fields before this one; it has no more to give when one of them was wrong.
        default_factory=lambda before: 0.0 if before.get("colors") else 1.0,
        description="Share of the sessions without colour, relative to the other lanes. "
        "Left out it is 1, but 0 for a lane that lists `colors`: such a lane takes only these unless told otherwise.",
    )
    color: Color | None = Field(None, description="Painted on sessions without colour that land here.")
    unhealthy: Unhealthy = Field(
        "baseline",
        description="When no endpoint of the pool, and of those in its `failover`, can be had: "
        "`baseline` sends the request to the baseline lane, `fail` answers with the error.",
    )
    drain: Drain = Field(
        "none",
        description="When the weight becomes 0: `sessions` finishes those that the lane has served, `none` moves all at once.",
    )
    drain_limit: DrainLimit = Field(LANE_DRAIN_S, description="How long sessions may stay then.")
    baseline: Flag = Field(
        False, description="Serves colours that no lane serves. At most one lane; the first unless one is marked."
    )


class SessionCookie(Part):
    """A cookie for clients that have no session of their own."""

    name: CookieName = Field("tracer-proxy-session", description="What it is called.")
    max_age: Timeout | None = Field(None, description="How long it is kept; left out, until the browser closes.")


class Route(Part):
    """What to do with the requests that match. The first route that matches wins."""

    name: Name = Field(description="Unique; in logs and metrics.")
    match: Match = Field(default_factory=Match, description="Which requests; left out, every one.")
    sticky: tuple[StickyRung, ...] = Field(
        DEFAULT_STICKY,
        description="Where to look for the [session key](sessions.md), first hit wins: `header:NAME`, `harness`, `body`, "
        "`body:/JSON/POINTER`, `a2a`, `query:NAME`, `cookie:NAME`, `baggage:KEY`, `answer` or `trace`.",
    )
    session_cookie: SessionCookie | None = Field(
        None, description="Gives browsers that bring no session a cookie with one; `{}` does so with defaults."
    )
    rewrite: Rewrite | None = Field(None, description="Changes the path; needs `match.path`.")
    llm: Llm | None = Field(None, description="For routes to a model provider.")
    mcp: Rpc | None = Field(None, description="For routes to MCP servers. At most one of `llm`, `mcp` and `a2a`.")
    a2a: Rpc | None = Field(None, description="For routes to A2A agents.")
    tracing: RouteTracing = Field(default_factory=RouteTracing, description="What differs from `tracing` on this route.")
    egress: Egress | None = Field(
        None,
        description="What of ours the endpoint sees: `full`, the trace headers, baggage, colour and forwarding headers; "
        "`trace`, the trace headers; `none`, nothing. "
        "Left out it is `none` for a route with `llm` in mode `remote`, else `full`.",
    )
    timeouts: RouteTimeouts = Field(default_factory=RouteTimeouts, description="How long to wait for an endpoint.")
    retries: Retries = Field(default_factory=Retries, description="When a request that failed is sent again.")
    limits: RouteLimits = Field(default_factory=RouteLimits, description="What a request may cost.")
    mirror: Mirror | None = Field(None, description="Copies a share of the sessions to a shadow lane.")
    lanes: tuple[Lane, ...] = Field(min_length=1, description="The versions to choose from; one has a weight above 0.")
