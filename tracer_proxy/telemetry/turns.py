"""Tokens of whole turns, put together from exchanges that may have passed different routes and different workers.

A turn is a trace. Its calls of models say how many tokens, and the exchange of a judged lane says whose they are: the agent's,
within which the calls were made, or each of the calls themselves, where the route to the model is judged.
"""

from collections.abc import Iterable
from math import inf
from typing import NamedTuple

from tracer_proxy.limits import TRACE_AGE_S_MAX, TURN_CLOSE_S, TURN_QUIET_S, TURNS_OPEN_MAX


class Leg(NamedTuple):
    """An exchange that has ended and belongs to a turn."""

    trace_id: str
    tokens: int
    """Those of a call of a model; 0 of a leg that says whose they are."""
    route: str = ""
    lane: str = ""
    """The judged lane that served it; else empty, as the route is."""
    may_go_on: bool = False
    """A call of a model: the next one of its turn may come after a while."""


PlainLeg = tuple[str, int, str, str, bool]
"""As the hot path makes it, for which a named tuple costs too much, and as it comes to control."""


class TurnTokens(NamedTuple):
    """A turn that is over."""

    route: str
    lane: str
    tokens: int


class Turns:
    """Those under way. Times are any clock's that runs evenly."""

    def __init__(self) -> None:
        self._open: dict[str, _Turn] = {}
        """By trace id, the oldest first."""

    def add(self, legs: Iterable[Leg], now: float) -> list[TurnTokens]:
        """The turns that are over by now. One that several lanes of a route have served says nothing of any of them."""
        for leg in legs:
            turn = self._open.get(leg.trace_id)
            if turn is None:
                turn = self._open[leg.trace_id] = _Turn(now)
            turn.add(leg, now)
        over = [trace_id for trace_id, turn in self._open.items() if turn.is_over(now)]
        found = [tokens for trace_id in over for tokens in self._open.pop(trace_id).tokens_by_lane()]
        while len(self._open) > TURNS_OPEN_MAX:
            del self._open[next(iter(self._open))]
        return found


class _Turn:
    __slots__ = ("_began", "_closes", "_lanes", "_quiet_s", "_tokens")

    def __init__(self, began: float) -> None:
        self._began = began
        self._closes = inf
        self._quiet_s = 0.0
        self._tokens = 0
        self._lanes: dict[str, set[str]] = {}
        """By route, those that served it."""

    def add(self, leg: Leg, now: float) -> None:
        self._tokens += leg.tokens
        if leg.route:
            self._lanes.setdefault(leg.route, set()).add(leg.lane)
            self._quiet_s = max(self._quiet_s, TURN_QUIET_S if leg.may_go_on else TURN_CLOSE_S)
        if self._lanes:
            self._closes = now + self._quiet_s

    def is_over(self, now: float) -> bool:
        return now >= self._closes or now - self._began > TRACE_AGE_S_MAX

    def tokens_by_lane(self) -> Iterable[TurnTokens]:
        if self._tokens > 0:
            for route, lanes in self._lanes.items():
                if len(lanes) == 1:
                    yield TurnTokens(route, next(iter(lanes)), self._tokens)
