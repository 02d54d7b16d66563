"""Requests of the past, decided again by a table: with the code of the hot path, fed with what a record holds.

What the record does not hold may follow from what became of the request: a rule that coloured it did hold, those before it did
not, and rungs of the ladder above the one that had the key were empty. So an unchanged rule never needs its header recorded.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace

from tracer_proxy.context.trace import new_trace
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.color import ColorRule
from tracer_proxy.routing.condition import Condition, Joins, every
from tracer_proxy.routing.decision import Decision, decide
from tracer_proxy.routing.past import NotRecorded, Past
from tracer_proxy.routing.route import Match, Route
from tracer_proxy.routing.session import BodyRung, CookieRung, HarnessRung, HeaderRung, QueryRung, Rung, TraceRung
from tracer_proxy.routing.table import Table


class Replay:
    """Decides by ``table``."""

    def __init__(self, table: Table) -> None:
        self.table = table
        self.routes = {route.name: replace(route, ladder=tuple(map(_Rung, route.ladder))) for route in table.routes}
        self._replayed = copy(table)
        self._replayed.color_rules = tuple(_Rule(rule, number) for number, rule in enumerate(table.color_rules, 1))

    def find(self, past: Past) -> Route | None:
        """As ``Table.find``. Raises ``NotRecorded``."""
        for route in self.table.candidates(past.head.path):
            if _matches(route.match, past):
                return self.routes[route.name]
        return None

    def decide(self, route: Route, past: Past) -> Decision:
        """``route`` is one of ``routes``. Raises ``NotRecorded``."""
        inbound = past.color if past.color_source == "inbound" else b""
        remembered = past.color if past.color_source == "remembered" else b""
        context = new_trace(past.trace_id)
        return decide(
            self._replayed,
            route,
            past,
            context,
            inbound,
            lambda _: (remembered, False),
            lambda lane, _: lane.name in past.lanes,
        )


def learn(past: Past, table: Table) -> None:
    """What became of it under ``table``, which it was decided by, tells what stood in it."""
    candidates = table.candidates(past.head.path)
    if past.route and past.route not in {route.name for route in candidates}:
        # It was decided by another config.
        return
    try:
        for route in candidates:
            matched = route.name == past.route
            if route.match.conditions and (matched or not _bare(route.match).rejects(past)):
                _learn(every(route.match.conditions), matched, past)
            if matched:
                past.rungs = _rungs(route.ladder, past)
                break
        _learn_rules(past, table.color_rules)
    except NotRecorded:
        # Of the query, and then no more follows.
        return


def _learn_rules(past: Past, rules: Sequence[ColorRule]) -> None:
    kind, _, number = past.color_source.partition(" ")
    if kind == "inbound":
        return
    held = int(number) if kind == "rule" and number.isdigit() else len(rules) + 1
    key = past.key.encode()
    for index, rule in enumerate(rules[:held], 1):
        if index < held or rule.color == past.color:
            _learn(rule.condition, index == held, past, key)


def _learn(condition: Condition, outcome: bool, past: Past, key: bytes = b"") -> None:
    # The text of a share does not say which sessions it takes.
    if not condition.is_share:
        past.facts[condition.text] = outcome
    if condition.joins is Joins.NONE:
        _learn(condition.parts[0], not outcome, past, key)
    elif outcome is (condition.joins is Joins.EVERY):
        for part in condition.parts:
            _learn(part, outcome, past, key)
    else:
        # Some part made it so: if it can be one only, it was that one.
        possible = [part for part in condition.parts if _told(part, past, key) is not (not outcome)]
        if len(possible) == 1:
            _learn(possible[0], outcome, past, key)


def _told(condition: Condition, past: Past, key: bytes) -> bool | None:
    try:
        return _holds(condition, past, key)
    except NotRecorded:
        return None


def _holds(condition: Condition, past: Past, key: bytes) -> bool:
    """As ``Condition.holds``, but a part that is not recorded is no matter where another one decides."""
    if condition.text in past.facts:
        return past.facts[condition.text]
    if not condition.parts:
        return condition.holds(past, key)
    if condition.joins is Joins.NONE:
        return not _holds(condition.parts[0], past, key)
    decisive = condition.joins is Joins.SOME
    missing: NotRecorded | None = None
    for part in condition.parts:
        try:
            if _holds(part, past, key) is decisive:
                return decisive
        except NotRecorded as error:
            missing = missing or error
    if missing is not None:
        raise missing
    return not decisive


def _bare(match: Match) -> Match:
    return replace(match, conditions=())


def _matches(match: Match, past: Past) -> bool:
    return match.is_only_path or (
        not _bare(match).rejects(past) and (not match.conditions or _holds(every(match.conditions), past, b""))
    )


def _rungs(ladder: Sequence[Rung], past: Past) -> dict[str, bytes | None]:
    known: dict[str, bytes | None] = {}
    for rung in ladder:
        if rung.source == past.source or _looks_at(rung, past.source):
            return known | {rung.source: past.key.encode()}
        known[rung.source] = None
    # Found on a ladder that is another by now.
    return {past.source: past.key.encode()}


def _looks_at(rung: Rung, place: str) -> bool:
    if isinstance(rung, HarnessRung):
        return place.startswith("header:")
    return isinstance(rung, BodyRung) and place in {"body:/" + "/".join(pointer) for pointer in rung.pointers}


class _Rule(ColorRule):
    __slots__ = ("_number",)

    def __init__(self, rule: ColorRule, number: int) -> None:
        super().__init__(rule.color.decode(), rule.condition)
        self._number = number

    def may_hold(self, asking: Asking) -> bool:
        """Not asked before it is its turn: what is not recorded is no matter where an earlier rule holds."""
        return True

    def holds(self, asking: Asking, session_key: bytes) -> bool:
        assert isinstance(asking, Past)
        try:
            return _holds(self.condition, asking, session_key)
        except NotRecorded as error:
            raise NotRecorded(f"{error}: rule {self._number} ({self.color.decode()} when {self.condition})") from None


class _Rung(Rung):
    """``rung``, with what is known in its place."""

    __slots__ = ("_rung",)

    def __init__(self, rung: Rung) -> None:
        super().__init__(rung.source)
        self._rung = rung

    def find(self, asking: Asking, trace_id: bytes) -> bytes | None:
        assert isinstance(asking, Past)
        rung = self._rung
        if isinstance(rung, TraceRung):
            return rung.find(asking, trace_id)
        if asking.is_bare or rung.source in asking.rungs:
            return asking.rungs.get(rung.source)
        if not isinstance(rung, HeaderRung | QueryRung | CookieRung):
            raise NotRecorded(f"{rung.source} of the ladder is not recorded")
        return rung.find(asking, trace_id)
