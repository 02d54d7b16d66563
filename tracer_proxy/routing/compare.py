"""Two tables held against each other: which sessions change their lane from the one to the other, and how many would.

``shares`` needs no record: sessions fall into buckets evenly, so what changes hands is exact. ``Comparison`` decides requests
of the past by both tables.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise

from tracer_proxy.context.session_name import is_session_digest
from tracer_proxy.routing.bucket import BUCKETS
from tracer_proxy.routing.decision import Decision
from tracer_proxy.routing.lane import Lane
from tracer_proxy.routing.past import Line, NotRecorded, Past, bare, past_of
from tracer_proxy.routing.pool import Pool
from tracer_proxy.routing.replay import Replay, learn
from tracer_proxy.routing.route import Route
from tracer_proxy.routing.table import Table
from tracer_proxy.telemetry.spans import names


@dataclass(frozen=True)
class Share:
    """Of the sessions without colour of a route."""

    route: str
    before: str
    after: str
    buckets: int

    @property
    def percent(self) -> float:
        return 100 * self.buckets / BUCKETS


@dataclass(frozen=True)
class Shares:
    """What changes for sessions that nobody has seen."""

    moves: Sequence[Share]
    """From lane to lane."""
    pools: Sequence[tuple[str, str, str, str]]
    """Route, lane that stays, its pool before and after."""
    colors: Sequence[tuple[str, str, str, str]]
    """Route, colour, the lane that serves it before and after."""
    routes: Sequence[tuple[str, str]]
    """Routes that are ``added`` or ``removed``, or whose ``ladder`` or ``match`` is another."""
    rules: bool
    """Some colour rule is another, or stands elsewhere."""

    @property
    def is_empty(self) -> bool:
        return not (self.moves or self.pools or self.colors or self.routes or self.rules)


def shares(before: Table, after: Table) -> Shares:
    old, new = ({route.name: route for route in table.routes} for table in (before, after))
    both = [(old[name], route) for name, route in new.items() if name in old]
    return Shares(
        moves=[share for pair in both for share in _moves(*pair)],
        pools=[pool for pair in both for pool in _pools(*pair)],
        colors=[color for pair in both for color in _colors(*pair)],
        routes=[
            *((name, "removed") for name in old if name not in new),
            *((name, "added") for name in new if name not in old),
            *((new.name, "match") for old, new in both if _match(old) != _match(new)),
            *((new.name, "ladder") for old, new in both if _ladder(old) != _ladder(new)),
        ],
        rules=_rules(before) != _rules(after),
    )


def _moves(before: Route, after: Route) -> list[Share]:
    counts: Counter[tuple[str, str]] = Counter()
    borders = sorted({start for split in (before.split, after.split) for start, _, _ in split.ranges()} | {BUCKETS})
    for start, end in pairwise(borders):
        counts[before.split.owner(start).name, after.split.owner(start).name] += end - start
    return [Share(after.name, *lanes, buckets) for lanes, buckets in counts.items() if lanes[0] != lanes[1]]


def _pools(before: Route, after: Route) -> list[tuple[str, str, str, str]]:
    pools = {lane.name: lane.pool for lane in before.split.lanes}
    stay = [lane for lane in after.split.lanes if lane.name in pools and shown(lane.pool) != shown(pools[lane.name])]
    return [(after.name, lane.name, shown(pools[lane.name]), shown(lane.pool)) for lane in stay]


def _colors(before: Route, after: Route) -> list[tuple[str, str, str, str]]:
    old, new = before.split, after.split
    served = [(color, _server(before, color), _server(after, color)) for color in {**old.by_color, **new.by_color}]
    return [(after.name, color.decode(), one.name, other.name) for color, one, other in served if one.name != other.name]


def _server(route: Route, color: bytes) -> Lane:
    return route.split.by_color.get(color, route.split.baseline)


def _match(route: Route) -> tuple[object, ...]:
    match = route.match
    conditions = tuple(map(str, match.conditions))
    return match.prefix, match.exact, str(match.regex), str(match.host), match.methods, conditions


def _ladder(route: Route) -> list[str]:
    return [rung.source for rung in route.ladder]


def _rules(table: Table) -> list[tuple[bytes, str]]:
    return [(rule.color, str(rule)) for rule in table.color_rules]


def shown(pool: Pool) -> str:
    return f"{pool.name} ({', '.join(map(str, pool.endpoints))})"


class Kind(IntEnum):
    """What becomes of a session; of several things the greatest counts."""

    SAME = 0
    UNTOLD = 1
    COLOR = 2
    POOL = 3
    MOVES = 4


@dataclass(frozen=True)
class Place:
    """Where a request goes; all empty where no route matches."""

    route: str = ""
    lane: str = ""
    pool: str = ""
    color: str = ""
    color_source: str = ""

    @classmethod
    def of(cls, decision: Decision) -> "Place":
        lane = decision.lane
        return cls(decision.route.name, lane.name, shown(lane.pool), decision.color.decode(), decision.color_source)


@dataclass(frozen=True)
class Told:
    kind: Kind
    before: Place
    after: Place
    reason: str = ""
    """Why nothing can be told."""


@dataclass
class Comparison:
    before: Table
    after: Table
    sessions: dict[tuple[str, str], Told] = field(default_factory=dict)
    """By route before and session key."""
    exchanges: int = 0
    elsewhere: int = 0
    """Exchanges that did not go where ``before`` sends them: another config was in force, or a lane was down."""
    unusable: Counter[str] = field(default_factory=Counter)
    """Exchanges that cannot be decided again whatever the config, by the reason."""

    def __post_init__(self) -> None:
        self._old, self._new = Replay(self.before), Replay(self.after)

    def take(self, line: Line) -> None:
        """One exchange of the log. What was done for a copy's sake is left out."""
        if line.get(names.SHADOW):
            return
        self.exchanges += 1
        try:
            past = past_of(line)
        except NotRecorded as error:
            self.unusable[str(error)] += 1
            return
        if past.route and past.route not in self._old.routes:
            self.unusable[f"its route {past.route} is not in the config before"] += 1
            return
        learn(past, self.before)
        before = _decided(self._old, past, self._old.routes.get(past.route))
        after = _decided(self._new, past, self._new.find)
        if isinstance(before, Place) and before.lane and before.lane not in past.lanes:
            self.elsewhere += 1
        self._note(past.route, past.key, before, after)

    def take_key(self, key: str) -> None:
        """A session of which nothing else is known: asked of every route that is split, in a request that says only that."""
        for name, old in self._old.routes.items():
            new = self._new.routes.get(name)
            if new is None or max(len(old.split.lanes), len(new.split.lanes)) < 2:
                continue
            self.exchanges += 1
            past = bare(key, old.match.exact or old.match.prefix or b"/")
            self._note(name, key, _decided(self._old, past, old), _decided(self._new, past, new))

    def _note(self, route: str, key: str, before: Place | str, after: Place | str) -> None:
        if isinstance(before, str) or isinstance(after, str):
            reason = before if isinstance(before, str) else str(after)
            told = Told(Kind.UNTOLD, Place(), Place(), reason)
        else:
            told = Told(_kind(before, after), before, after)
        known = self.sessions.get((route, key))
        if known is None or known.kind < told.kind:
            self.sessions[route, key] = told

    def of(self, kind: Kind) -> "list[tuple[tuple[str, str], Told]]":
        return [each for each in self.sessions.items() if each[1].kind is kind]

    @property
    def is_same(self) -> bool:
        return not any(told.kind >= Kind.COLOR for told in self.sessions.values())


def _decided(replay: Replay, past: Past, route: Route | Callable[[Past], Route | None] | None) -> Place | str:
    """``route``, or who finds it. A clause that says why, where it cannot be told."""
    if is_session_digest(past.key):
        return "its session key may be a credential: only a digest of it is recorded"
    try:
        found = route(past) if callable(route) else route
        return Place() if found is None else Place.of(replay.decide(found, past))
    except NotRecorded as error:
        return str(error)


def _kind(before: Place, after: Place) -> Kind:
    if (before.route, before.lane) != (after.route, after.lane):
        return Kind.MOVES
    if before.pool != after.pool:
        return Kind.POOL
    return Kind.COLOR if before.color != after.color else Kind.SAME
