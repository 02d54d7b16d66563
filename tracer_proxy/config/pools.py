"""The section of pools: endpoints, how they are balanced, watched and limited."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from tracer_proxy.config.addresses import EndpointUrl
from tracer_proxy.config.conditions import Percent
from tracer_proxy.config.endpoint_headers import PoolHeaderName, PoolHeaderValue
from tracer_proxy.config.matchers import Path
from tracer_proxy.config.part import Part
from tracer_proxy.config.routes import Count, Name
from tracer_proxy.config.tls import PoolTls
from tracer_proxy.config.values import Duration, OneOrMany, Statuses, StatusRange, Timeout, choice_form, number_form
from tracer_proxy.limits import (
    EJECTION_COOLDOWN_MAX_S,
    EJECTION_COOLDOWN_S,
    EJECTION_EXCHANGES_MIN,
    EJECTION_FAILURES,
    EJECTION_WINDOW_S,
    FAILOVER_POOLS_MAX,
    POOL_CONNECTIONS_MAX,
    POOL_PENDING_MAX,
    POOL_REQUESTS_MAX,
    PROBE_FALL,
    PROBE_INTERVAL_S,
    PROBE_RISE,
    PROBE_TIMEOUT_S,
    UPSTREAM_IDLE_S,
)

_BALANCES = ("least_pending", "round_robin", "random", "p2c", "consistent_hash")
Balance = Annotated[Literal["least_pending", "round_robin", "random", "p2c", "consistent_hash"], choice_form(*_BALANCES)]
HostSeen = Annotated[Literal["endpoint", "client"], choice_form("endpoint", "client")]
InARow = Annotated[int, number_form(1, 1000, whole=True)]


class PoolHealth(Part):
    """Probes of each endpoint, made by each worker; [more](health.md)."""

    path: Path | None = Field(None, description="Asked for with GET; left out, it is enough that a connection is accepted.")
    interval: Timeout = Field(PROBE_INTERVAL_S, description="Between two probes of an endpoint.")
    timeout: Timeout = Field(PROBE_TIMEOUT_S, description="For the connection and the head of the answer.")
    statuses: Annotated[tuple[Statuses, ...], OneOrMany()] = Field(
        (StatusRange(200, 399),), description="Of answers that pass: `200`, or a range such as `200-399`."
    )
    rise: InARow = Field(PROBE_RISE, description="So many probes in a row must pass until the endpoint is used again.")
    fall: InARow = Field(PROBE_FALL, description="So many probes in a row must fail until it is left out.")


class Ejection(Part):
    """When an endpoint is left out for a while because of what came of exchanges; [more](health.md)."""

    failures: Annotated[int, number_form(0, 1_000_000, whole=True)] = Field(
        EJECTION_FAILURES, description="So many failures in a row eject; 0 is never."
    )
    success_rate: Percent = Field(0, description="Fewer percent of exchanges that succeed eject; 0 is never.")
    min_exchanges: Annotated[int, number_form(1, 1_000_000, whole=True)] = Field(
        EJECTION_EXCHANGES_MIN, description="In a window, before its success rate counts."
    )
    window: Timeout = Field(EJECTION_WINDOW_S, description="For the success rate.")
    statuses: Annotated[tuple[Statuses, ...], OneOrMany()] = Field(
        (StatusRange(502, 504),), description="Of answers that count as failures, as broken connections and timeouts do."
    )
    cooldown: Timeout = Field(
        EJECTION_COOLDOWN_S, description="How long the first ejection lasts; each further one is twice as long."
    )
    cooldown_max: Timeout = Field(
        EJECTION_COOLDOWN_MAX_S,
        description="The longest ejection; and an endpoint that stayed in use for as long begins anew.",
    )
    max_ejected: Percent = Field(50, description="Not more percent of the pool are ejected, but one may always be; 0 is none.")


class PoolLimits(Part):
    """How much of a pool one worker may use at once; what is over it gets 503, or goes to the next pool of `failover`."""

    connections: Count = Field(POOL_CONNECTIONS_MAX, description="Connections, idle ones among them.")
    pending: Count = Field(POOL_PENDING_MAX, description="Requests that wait for a new connection.")
    requests: Count = Field(POOL_REQUESTS_MAX, description="Requests and upgraded connections under way.")


class Pool(Part):
    """Endpoints that are as good as each other."""

    endpoints: tuple[EndpointUrl, ...] = Field(
        min_length=1,
        description="`http://host:port`, `https://host:port` or `unix:/path`; the port may be left out. "
        "`{url: http://host:port, weight: 3}` gets three times the share of one without a weight.",
    )
    balance: Balance = Field("least_pending", description="Which endpoint gets the next request.")
    headers: Mapping[PoolHeaderName, PoolHeaderValue] = Field(
        {}, repr=False, description="Set on every request to this pool, in place of the caller's. Never shown in errors."
    )
    host: HostSeen = Field("endpoint", description="The `Host` that the endpoint sees: its own, or the caller's.")
    idle: Duration = Field(UPSTREAM_IDLE_S, description="How long a connection is kept that no request uses.")
    limits: PoolLimits = Field(default_factory=PoolLimits, description="How much of it may be in use at once.")
    failover: Annotated[tuple[Name, ...], OneOrMany()] = Field(
        (),
        max_length=FAILOVER_POOLS_MAX,
        description="Pools that stand in, in this order, when this one is full, has nobody available or does not connect. "
        "Only the list of the lane's own pool counts.",
    )
    health: PoolHealth | None = Field(None, description="Probes of the endpoints; left out, only exchanges tell.")
    ejection: Ejection = Field(default_factory=Ejection, description="When an endpoint is left out for its failures.")
    panic: Percent = Field(
        50, description="When fewer percent of the endpoints than this are usable, all are used; 0 rather answers with 503."
    )
    slow_start: Duration = Field(0.0, description="In how long the share of an endpoint that is back grows to the full one.")
    tls: PoolTls | None = Field(
        None, description="For `https://` endpoints; left out, the system's CAs, the endpoint's host, and no certificate."
    )
