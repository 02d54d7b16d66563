"""What must hold between keys: names that refer to others, names that must differ, keys that need or exclude each other."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tracer_proxy.config.addresses import ListenAddress, split_listen
from tracer_proxy.config.choices import hint
from tracer_proxy.config.conditions import When
from tracer_proxy.config.nodes import Location, path_text
from tracer_proxy.config.part import keys_of
from tracer_proxy.config.pools import Pool
from tracer_proxy.config.routes import NAME_EXPECTED, NAME_PATTERN, Lane, Match, Mirror, Retries, Route
from tracer_proxy.config.schema import MOCK_LLM_POOL, Config
from tracer_proxy.config.tls import PoolTls
from tracer_proxy.config.values import show_duration


@dataclass(frozen=True, slots=True)
class Complaint:
    location: Location
    message: str
    rests_on: tuple[Location, ...] = ()
    """Other places that the complaint draws on: if these are not what the file meant, there is nothing to complain about."""


def complaints(config: Config) -> list[Complaint]:
    """Everything that does not fit together, in no particular order."""
    found = [*_listeners(config), *_admin(config), *_pools(config), *_tls(config), *_tracing(config)]
    for index, rule in enumerate(config.coloring):
        found += _when(rule.when, ("coloring", index, "when"))
    found += _repeated((route.name, ("routes", index, "name")) for index, route in enumerate(config.routes))
    for index, route in enumerate(config.routes):
        found += _route(route, config, ("routes", index))
    return found


def _listeners(config: Config) -> Iterator[Complaint]:
    used: list[tuple[str, Location]] = [
        (address, ("proxy", "listen", index)) for index, address in enumerate(config.proxy.listen)
    ]
    if config.admin:
        used.append((config.admin.listen, ("admin", "listen")))
    if config.mocks.llm:
        used.append((config.mocks.llm.listen, ("mocks", "llm", "listen")))
    first: dict[object, str] = {}
    for written, location in used:
        address = split_listen(written)
        if (address.port or address.path) and (earlier := first.setdefault(address, path_text(location))) != path_text(
            location
        ):
            yield Complaint(location, f"found {written!r}: {earlier} listens there already; give each its own address")


def _admin(config: Config) -> Iterator[Complaint]:
    admin = config.admin
    if admin and admin.token is None and not split_listen(admin.listen).is_local:
        message = f"found {admin.listen!r}: anybody there could change the proxy; add admin.token, or listen on 127.0.0.1"
        yield Complaint(("admin", "listen"), message, (("admin", "token"),))


def _pools(config: Config) -> Iterator[Complaint]:
    for name, pool in config.pools.items():
        if not re.fullmatch(NAME_PATTERN, name):
            yield Complaint(("pools", name), f"expected {NAME_EXPECTED}")
        if name == MOCK_LLM_POOL:
            yield Complaint(("pools", name), "the bundled mock LLM is shown under this name; choose another one")
        yield from _endpoints(pool, config, ("pools", name, "endpoints"))
        yield from _failover(name, pool, config, ("pools", name, "failover"))


def _failover(name: str, pool: Pool, config: Config, location: Location) -> Iterator[Complaint]:
    """Only the list of the lane's own pool counts, so that two pools may well stand in for each other."""
    yield from _repeated((other, (*location, index)) for index, other in enumerate(pool.failover))
    for index, other in enumerate(pool.failover):
        if other == name:
            yield Complaint((*location, index), f"found {other!r}: that is this pool itself; name another one")
        elif other not in config.pools:
            message = f"found {other!r}: there is no such pool{hint(other, config.pools, 'pools')}"
            yield Complaint((*location, index), message, (("pools",),))


def _endpoints(pool: Pool, config: Config, location: Location) -> Iterator[Complaint]:
    yield from _repeated((str(endpoint), (*location, index)) for index, endpoint in enumerate(pool.endpoints))
    own = {split_listen(written): path_text(("proxy", "listen", index)) for index, written in enumerate(config.proxy.listen)}
    for index, endpoint in enumerate(pool.endpoints):
        itself = own.get(ListenAddress(endpoint.host, endpoint.port, endpoint.path))
        if itself is not None:
            message = (
                f"found '{endpoint}': that is this proxy itself ({itself}), which would call itself for ever; name the agent"
            )
            yield Complaint((*location, index), message)


def _tls(config: Config) -> Iterator[Complaint]:
    if config.proxy.tls and all(split_listen(written).path for written in config.proxy.listen):
        message = "TLS is for TCP, and proxy.listen names only Unix sockets; remove tls or listen on an address as well"
        yield Complaint(("proxy", "tls"), message, (("proxy", "listen"),))
    for name, pool in config.pools.items():
        if pool.tls:
            yield from _pool_tls(pool, pool.tls, ("pools", name))


def _pool_tls(pool: Pool, tls: PoolTls, location: Location) -> Iterator[Complaint]:
    inner = (*location, "tls")
    for index, endpoint in enumerate(pool.endpoints):
        if endpoint.scheme != "https":
            message = f"found '{endpoint}': this pool has tls, which is for https:// endpoints only; write https or remove tls"
            yield Complaint((*location, "endpoints", index), message, (inner,))
    for given, missing in (("cert", "key"), ("key", "cert")):
        if getattr(tls, given) and not getattr(tls, missing):
            message = f"{given} needs {missing} beside it; one file may hold both, and is then named twice"
            yield Complaint((*inner, given), message, ((*inner, missing),))
    if tls.ca and not tls.verify:
        message = "ca says whom to trust, and verify: false trusts everybody; keep one of the two"
        yield Complaint((*inner, "verify"), message, ((*inner, "ca"),))


def _tracing(config: Config) -> Iterator[Complaint]:
    tracing = config.tracing
    if tracing.protocol == "thrift" and tracing.exporter != "jaeger":
        message = f"found 'thrift' for exporter {tracing.exporter!r}: only jaeger knows it; remove protocol"
        yield Complaint(("tracing", "protocol"), message, (("tracing", "exporter"),))
    if tracing.endpoint and tracing.endpoint.startswith("udp:") and tracing.protocol != "thrift":
        message = f"found {tracing.endpoint!r}: spans go over UDP only to a thrift agent; add protocol: thrift, or use http"
        yield Complaint(("tracing", "endpoint"), message, (("tracing", "protocol"),))
    for given, missing in (("cert", "key"), ("key", "cert")):
        if getattr(tracing.tls, given) and not getattr(tracing.tls, missing):
            message = f"{given} needs {missing} beside it; one file may hold both, and is then named twice"
            yield Complaint(("tracing", "tls", given), message, (("tracing", "tls", missing),))


def _when(when: When, location: Location) -> Iterator[Complaint]:
    if when.is_empty:
        keys = ", ".join(keys_of(When))
        yield Complaint(location, f"found no condition: expected at least one of {keys}; every trace: percent: 100")
    if when.experiment is not None and when.percent is None:
        message = "an experiment says which sessions percent draws, and there is no percent beside it; add it, or remove this"
        yield Complaint((*location, "experiment"), message, ((*location, "percent"),))
    for key in ("all", "any"):
        for index, inner in enumerate(getattr(when, key)):
            yield from _when(inner, (*location, key, index))
    if when.not_ is not None:
        yield from _when(when.not_, (*location, "not"))


def _route(route: Route, config: Config, location: Location) -> Iterator[Complaint]:
    yield from _match(route.match, (*location, "match"))
    if route.rewrite and route.match.path is None:
        message = "rewrite changes the prefix that match.path took, and this route has no match.path; add one"
        yield Complaint((*location, "rewrite"), message, ((*location, "match"), (*location, "match", "path")))
    if route.llm and route.llm.mode == "local" and config.mocks.llm is None:
        message = "found 'local': it needs the bundled mock, and there is none; add mocks: {llm: {}}"
        yield Complaint((*location, "llm", "mode"), message, (("mocks", "llm"),))
    kinds = [kind for kind in ("llm", "mcp", "a2a") if getattr(route, kind) is not None]
    for kind in kinds[1:]:
        yield Complaint(
            (*location, kind), f"this route has {kinds[0]} already; keep one of llm, mcp and a2a", ((*location, kinds[0]),)
        )
    yield from _retries(route.retries, (*location, "retries"))
    yield from _lanes(route.lanes, config, (*location, "lanes"))
    if route.mirror:
        yield from _mirror(route.mirror, route.lanes, location)


def _retries(retries: Retries, location: Location) -> Iterator[Complaint]:
    if retries.per_try is not None and "timeout" not in retries.on:
        message = "a try that takes longer would not be followed by another; add timeout to on"
        yield Complaint((*location, "per_try"), message, ((*location, "on"),))
    if retries.backoff > retries.backoff_max:
        message = f"found {show_duration(retries.backoff)}: longer than backoff_max; make it shorter, or that one longer"
        yield Complaint((*location, "backoff"), message, ((*location, "backoff_max"),))


def _match(match: Match, location: Location) -> Iterator[Complaint]:
    given = [key for key in ("path", "exact", "regex") if getattr(match, key) is not None]
    for key in given[1:]:
        yield Complaint((*location, key), f"the path is matched by {given[0]!r} already; keep one of path, exact, regex")


def _lanes(lanes: tuple[Lane, ...], config: Config, location: Location) -> Iterator[Complaint]:
    yield from _repeated((lane.name, (*location, index, "name")) for index, lane in enumerate(lanes))
    yield from _colors(lanes, location)
    for index, lane in enumerate(lanes):
        if lane.pool not in config.pools:
            message = f"found {lane.pool!r}: there is no such pool{hint(lane.pool, config.pools, 'pools')}"
            yield Complaint((*location, index, "pool"), message, (("pools",),))
    marked = [index for index, lane in enumerate(lanes) if lane.baseline]
    for index in marked[1:]:
        message = f"found true: the lane {lanes[marked[0]].name!r} is the baseline already; keep one"
        yield Complaint((*location, index, "baseline"), message)
    if not any(lane.weight for lane in lanes):
        message = "no lane has a weight above 0, so nobody serves sessions without colour; give one lane a weight"
        if any(lane.colors for lane in lanes):
            message += " (a lane that lists colors has weight 0 unless told otherwise)"
        yield Complaint(location, message)


def _mirror(mirror: Mirror, lanes: tuple[Lane, ...], location: Location) -> Iterator[Complaint]:
    place, named = (*location, "mirror", "lane"), [lane.name for lane in lanes]
    if mirror.lane not in named:
        message = f"found {mirror.lane!r}: this route has no such lane{hint(mirror.lane, named, 'lanes')}"
        yield Complaint(place, message, ((*location, "lanes"),))
    elif len(lanes) == 1:
        message = f"found {mirror.lane!r}: the only lane has no other to copy from; add a lane of weight 0 and name that one"
        yield Complaint(place, message, ((*location, "lanes"),))


def _colors(lanes: tuple[Lane, ...], location: Location) -> Iterator[Complaint]:
    serving: dict[str, int] = {}
    for index, lane in enumerate(lanes):
        for position, color in enumerate(lane.colors):
            first = serving.setdefault(color, index)
            if first != index or color in lane.colors[:position]:
                message = f"found {color!r}: the lane {lanes[first].name!r} serves this colour already; keep one"
                yield Complaint((*location, index, "colors", position), message)
    for index, lane in enumerate(lanes):
        if lane.color and serving.get(lane.color, index) != index:
            message = f"found {lane.color!r}: painted here, but served by the lane {lanes[serving[lane.color]].name!r}, "
            yield Complaint((*location, index, "color"), message + "so that sessions would change lanes")


def _repeated(named: Iterable[tuple[str, Location]]) -> Iterator[Complaint]:
    first: dict[str, Location] = {}
    for name, location in named:
        if (earlier := first.setdefault(name, location)) != location:
            yield Complaint(location, f"found {name!r}: {path_text(earlier)} is the same; each must be different")
