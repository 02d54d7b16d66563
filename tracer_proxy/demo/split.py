"""How the sessions were split between the lanes, beside what the weights ask for."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracer_proxy.demo.evidence import Turn


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane of the agents' route, as the proxy lists it; ``version`` is that of the agent in its pool."""

    name: str
    version: str
    weight: float


@dataclass(frozen=True, slots=True)
class LaneShare:
    """What one lane got. ``drawn`` sessions came by weight, ``asked`` ones because they asked for it."""

    lane: Lane
    weight_share: float
    """From 0 to 1."""
    drawn: int
    drawn_of: int
    """Sessions of all lanes that came by weight."""
    asked: int
    turns: int

    @property
    def expected(self) -> float:
        return self.weight_share * self.drawn_of

    @property
    def deviation(self) -> float:
        """One standard deviation of ``drawn``: each session is drawn for itself."""
        return math.sqrt(self.expected * (1 - self.weight_share))

    @property
    def is_plausible(self) -> bool:
        """Four deviations: one honest run in some ten thousand is beyond. A lane of few sessions gets two more."""
        return abs(self.drawn - self.expected) <= 4 * self.deviation + 2


def read_lanes(routes: Iterable[Mapping[str, Any]], route: str, versions: Mapping[str, str]) -> list[Lane]:
    """From ``/api/routes``; ``versions`` maps the URLs of endpoints to the agents that answer there."""
    found = next(each for each in routes if each["name"] == route)
    return [Lane(lane["name"], versions[lane["endpoints"][0]["address"]], lane["weight"]) for lane in found["lanes"]]


def shares(lanes: Sequence[Lane], turns: Sequence[Turn]) -> list[LaneShare]:
    """One for each lane. A session counts where its first turn went."""
    first: dict[str, Turn] = {}
    for turn in turns:
        if turn.version:
            first.setdefault(turn.session, turn)
    drawn = [turn.version for turn in first.values() if not turn.asked_for_canary]
    asked = [turn.version for turn in first.values() if turn.asked_for_canary]
    weights = sum(lane.weight for lane in lanes)
    return [
        LaneShare(
            lane=lane,
            weight_share=lane.weight / weights,
            drawn=drawn.count(lane.version),
            drawn_of=len(drawn),
            asked=asked.count(lane.version),
            turns=sum(turn.version == lane.version for turn in turns),
        )
        for lane in lanes
    ]
