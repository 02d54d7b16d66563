"""From a checked config to the frozen table of a worker. The same config and TLS files give the same table."""

from collections.abc import Iterator, Sequence
from math import inf
from typing import TypeVar

from tracer_proxy.config import tls
from tracer_proxy.config.addresses import Endpoint as EndpointConfig
from tracer_proxy.config.addresses import split_listen
from tracer_proxy.config.ladder import ladder
from tracer_proxy.config.pools import Pool as PoolConfig
from tracer_proxy.config.pools import PoolHealth
from tracer_proxy.config.routes import Lane as LaneConfig
from tracer_proxy.config.routes import Match as MatchConfig
from tracer_proxy.config.routes import Mirror as MirrorConfig
from tracer_proxy.config.routes import Retries as RetriesConfig
from tracer_proxy.config.routes import Route as RouteConfig
from tracer_proxy.config.routes import SessionCookie as SessionCookieConfig
from tracer_proxy.config.rules import color_rule, headers_looked_at, matcher
from tracer_proxy.config.schema import MOCK_LLM_POOL, Config, MockLlm
from tracer_proxy.config.schema import Proxy as ProxyConfig
from tracer_proxy.config.values import StatusRange
from tracer_proxy.context.inject import Injector
from tracer_proxy.context.trace import ratio_threshold
from tracer_proxy.context.trust import Trust
from tracer_proxy.dataplane.settings import Settings
from tracer_proxy.limits import UPSTREAM_IDLE_S
from tracer_proxy.routing import condition as conditions
from tracer_proxy.routing import matcher as matchers
from tracer_proxy.routing.balance import BALANCES
from tracer_proxy.routing.circuit import CircuitLimits
from tracer_proxy.routing.condition import AGENT_ID
from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.health import HealthRules, ProbeRules
from tracer_proxy.routing.judged import Judged
from tracer_proxy.routing.lane import Lane, Split
from tracer_proxy.routing.matcher import Matcher
from tracer_proxy.routing.mirror import Mirror
from tracer_proxy.routing.pool import Pool
from tracer_proxy.routing.retry import OUTCOMES, RetryPolicy
from tracer_proxy.routing.route import Egress, Match, Route, SessionCookie, Timeouts
from tracer_proxy.routing.table import Inbound, Table
from tracer_proxy.routing.tls import ClientTls
from tracer_proxy.telemetry.wanted import Wanted

T = TypeVar("T")

DEFAULT_MOCK_LLM: str = MockLlm.model_fields["listen"].default


def compile_table(config: Config, mock_llm: str) -> Table:
    """``mock_llm`` is where the bundled mock listens; routes in local mode go there, whatever pools their lanes name."""
    pools = {name: _pool(name, pool) for name, pool in config.pools.items()}
    failover = {name: [pools[other] for other in pool.failover] for name, pool in config.pools.items()}
    mock = Pool(MOCK_LLM_POOL, [_listener(mock_llm)], BALANCES["round_robin"](), idle_s=UPSTREAM_IDLE_S)
    return Table(
        [_route(route, config, pools, failover, mock) for route in config.routes],
        color_rules=[color_rule(rule) for rule in config.coloring],
        watched=set(_watched(config)),
        ruled=set(_ruled(config)),
        injector=Injector(config.tracing.inject),
        sample_threshold=ratio_threshold(config.tracing.sample),
        wanted=_wanted(config),
        inbound=Inbound(config.tracing.inbound),
        believe_sampled=config.tracing.believe_sampled,
        trust=Trust(config.trust),
        fields_max=config.proxy.limits.headers,
    )


def _wanted(config: Config) -> Wanted:
    exports = config.tracing.exporter != "none"
    return Wanted(
        sampled=exports,
        all=config.log.exchanges != "none",
        errors=exports and config.tracing.always.errors,
        slower_s=config.tracing.always.slower if exports and config.tracing.always.slower is not None else inf,
        recent=config.admin is not None,
    )


def compile_settings(proxy: ProxyConfig) -> Settings:
    return Settings(
        head_s=proxy.timeouts.head,
        keep_alive_s=proxy.timeouts.keep_alive,
        head_bytes_max=proxy.limits.head,
        connections_max=proxy.limits.connections,
        drain_s=proxy.drain,
        exchanges_max=proxy.limits.exchanges,
        tls=tls.of_listener(proxy.tls) if proxy.tls else None,
        dns_ttl_s=proxy.dns_ttl,
    )


def _ruled(config: Config) -> Iterator[bytes]:
    """Names of the headers that some rule or match looks at."""
    for rule in config.coloring:
        yield from headers_looked_at(rule.when)
    for route in config.routes:
        yield from (name.lower().encode() for name in route.match.header)


def _watched(config: Config) -> Iterator[bytes]:
    """These, and those that some ladder looks at."""
    yield from _ruled(config)
    for route in config.routes:
        if route.session_cookie:
            yield b"cookie"
        for rung in route.sticky:
            if rung.kind == "header":
                yield rung.name.lower().encode()
            elif rung.kind == "cookie":
                yield b"cookie"


def _judged(route: RouteConfig, config: Config) -> Judged | None:
    """By the one rollout of the route, if it has one."""
    judge = next((rollout.judge for rollout in config.rollouts.values() if rollout.route == route.name), None)
    if judge is None:
        return None
    confidence = judge.min_confidence
    return Judged(
        confidence_header=confidence.header.lower().encode() if confidence and confidence.header else b"",
        confidence_pointer=confidence.pointer if confidence and confidence.pointer else (),
        by_turns=judge.max_tokens_per_turn is not None,
        errors=_statuses(judge.max_error_rate.count) if judge.max_error_rate else frozenset(),
    )


def _route(route: RouteConfig, config: Config, pools: dict[str, Pool], failover: dict[str, list[Pool]], mock: Pool) -> Route:
    tracing = config.tracing
    local = route.llm is not None and route.llm.mode == "local"
    egress = Egress(route.egress or ("full" if local or route.llm is None else "none"))
    lanes = [
        _lane(lane, mock, [], egress) if local else _lane(lane, pools[lane.pool], failover[lane.pool], egress)
        for lane in route.lanes
    ]
    marked = [lane for lane, settings in zip(lanes, route.lanes, strict=True) if settings.baseline]
    stitch = _or(route.tracing.stitch, tracing.stitch)
    return Route(
        name=route.name,
        match=_match(route.match),
        split=Split(lanes, marked[0] if marked else lanes[0]),
        ladder=ladder(route, reads_answers=stitch and route.llm is not None),
        needs_session=_needs_session(route, config),
        rewrite=route.rewrite.prefix.rstrip("/").encode() if route.rewrite else None,
        egress=egress,
        llm_api=route.llm.api if route.llm else "",
        http_route=route.match.path or route.match.exact or route.match.regex or route.name,
        sample_threshold=ratio_threshold(_or(route.tracing.sample, tracing.sample)),
        stitch=stitch,
        capture_chars=tracing.capture_limit if _or(route.tracing.capture, tracing.capture) == "content" else 0,
        rpc="mcp" if route.mcp else "a2a" if route.a2a else "",
        rpc_meta=any(rpc is not None and rpc.meta for rpc in (route.mcp, route.a2a)),
        timeouts=Timeouts(**route.timeouts.model_dump()),
        request_body_max=route.limits.request_body,
        retries=_retries(route.retries),
        session_cookie=_cookie(route.session_cookie) if route.session_cookie else None,
        mirror=_mirror(route.name, route.mirror, lanes) if route.mirror else None,
        judged=_judged(route, config),
    )


def _mirror(route: str, config: MirrorConfig, lanes: Sequence[Lane]) -> Mirror:
    lane = next(lane for lane in lanes if lane.name == config.lane)
    return Mirror.of(route, lane, config.percent, compare=config.compare, timeout=config.timeout)


def _needs_session(route: RouteConfig, config: Config) -> bool:
    pools = [config.pools[lane.pool] for lane in route.lanes]
    colors = config.coloring or any(lane.colors or lane.color for each in config.routes for lane in each.lanes)
    return bool(len(route.lanes) > 1 or colors or any(pool.balance == "consistent_hash" for pool in pools))


def _cookie(config: SessionCookieConfig) -> SessionCookie:
    """``Lax``, so that a link from another site goes on with the session."""
    lasts = f"; Max-Age={config.max_age:.0f}" if config.max_age is not None else ""
    return SessionCookie(config.name.encode(), f"; Path=/; HttpOnly; SameSite=Lax{lasts}".encode())


def _or(own: T | None, general: T) -> T:
    return general if own is None else own


def _retries(config: RetriesConfig) -> RetryPolicy:
    codes = {int(outcome) for outcome in config.on if outcome.isdigit()}
    return RetryPolicy(
        attempts=config.attempts,
        outcomes=frozenset(config.on).intersection(OUTCOMES.values()),
        statuses=frozenset(codes.union(range(500, 600)) if "5xx" in config.on else codes),
        per_try=config.per_try,
        backoff=config.backoff,
        backoff_max=config.backoff_max,
        budget=config.budget,
        non_idempotent=config.non_idempotent,
    )


def _lane(config: LaneConfig, pool: Pool, failover: Sequence[Pool], egress: Egress) -> Lane:
    """Each pool that stands in is a lane of its own, so that one pool's headers never go to another."""
    held_back = () if egress is Egress.FULL else (AGENT_ID,)
    return Lane(
        config.name,
        pool,
        config.weight,
        colors=config.colors,
        paints=config.color or "",
        removed={*pool.header_names, *held_back},
        failover=[_lane(config, other, (), egress) for other in failover],
        falls_back=config.unhealthy == "baseline",
        drain_s=config.drain_limit if config.drain == "sessions" else 0.0,
    )


def _match(config: MatchConfig) -> Match:
    return Match(
        prefix=config.path.encode() if config.path is not None else None,
        exact=config.exact.encode() if config.exact is not None else None,
        regex=matchers.regex(config.regex) if config.regex is not None else None,
        host=_host(config.host) if config.host is not None else None,
        methods=frozenset(method.encode() for method in config.method),
        conditions=tuple(conditions.header(name, matcher(each)) for name, each in config.header.items()),
    )


def _host(pattern: str) -> Matcher:
    return matchers.suffix(pattern.removeprefix("*")) if pattern.startswith("*.") else matchers.exact(pattern)


def _pool(name: str, config: PoolConfig) -> Pool:
    client_tls = tls.of_pool(config.tls)
    return Pool(
        name,
        [_endpoint(endpoint, client_tls) for endpoint in config.endpoints],
        BALANCES[config.balance](),
        headers=list(config.headers.items()),
        keeps_host=config.host == "client",
        idle_s=config.idle,
        limits=CircuitLimits(**config.limits.model_dump()),
        rules=_health(config),
    )


def _health(config: PoolConfig) -> HealthRules:
    ejection, probe = config.ejection, config.health
    return HealthRules(
        failures=ejection.failures,
        success_rate=ejection.success_rate / 100,
        exchanges_min=ejection.min_exchanges,
        window=ejection.window,
        cooldown=ejection.cooldown,
        cooldown_max=max(ejection.cooldown, ejection.cooldown_max),
        ejected_max=ejection.max_ejected / 100,
        panic=config.panic / 100,
        slow_start=config.slow_start,
        probe=_probe(probe) if probe else None,
        statuses=_statuses(ejection.statuses),
    )


def _probe(config: PoolHealth) -> ProbeRules:
    return ProbeRules(
        path=config.path or "",
        interval=config.interval,
        timeout=config.timeout,
        statuses=_statuses(config.statuses),
        rise=config.rise,
        fall=config.fall,
    )


def _statuses(ranges: Sequence[StatusRange]) -> frozenset[int]:
    return frozenset(status for each in ranges for status in range(each.first, each.last + 1))


def _endpoint(config: EndpointConfig, client_tls: ClientTls) -> Endpoint:
    tls = client_tls if config.scheme == "https" else None
    return Endpoint(config.host, config.port, tls, config.path, config.weight)


def _listener(address: str) -> Endpoint:
    listen = split_listen(address)
    return Endpoint(listen.host, listen.port, path=listen.path)
