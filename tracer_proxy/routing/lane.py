"""Lanes of a route, and the weighted split between them.

A lane other than the baseline owns a contiguous range of buckets, and the baseline owns what is left. The first such lane grows
up from bucket 0, the second down from the top, further ones are stacked on these. So with one or two canaries, raising a
weight at the baseline's cost moves sessions only from the baseline to that canary, and lowering it moves only the newest ones
back: nobody switches twice, and no replica has to ask another.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from tracer_proxy.routing.bucket import BUCKETS, bucket
from tracer_proxy.routing.pool import Pool
from tracer_proxy.telemetry.meters import LaneMeter


class Lane:
    """One version of a route's backend.

    ``paints`` is the colour for what lands here without one, or ``b""``; ``removed`` are lower-case names of headers that
    do not leave by this lane: those the pool sets itself, and ours where the route's egress holds them back.
    ``failover`` are the same lane by other pools, in the order in which they stand in. ``falls_back`` says whether the baseline
    does after them. ``drain_s`` is how long sessions that it has served may stay once its weight is 0.
    """

    __slots__ = (
        "colors",
        "drain_s",
        "failover",
        "falls_back",
        "meter",
        "name",
        "paints",
        "pool",
        "removed",
        "stand_ins",
        "weight",
    )

    def __init__(
        self,
        name: str,
        pool: Pool,
        weight: float,
        *,
        colors: Sequence[str] = (),
        paints: str = "",
        removed: Iterable[bytes] = (),
        failover: Sequence["Lane"] = (),
        falls_back: bool = True,
        drain_s: float = 0.0,
    ) -> None:
        self.name = name
        self.pool = pool
        self.weight = weight
        self.colors = tuple(color.encode() for color in colors)
        self.paints = paints.encode()
        self.removed = frozenset(removed)
        self.failover = tuple(failover)
        self.falls_back = falls_back
        self.drain_s = drain_s
        self.stand_ins = self.failover
        """Who takes over where nobody of the pool can, in this order; the split adds the baseline."""
        self.meter: LaneMeter
        """Given by whoever counts; stand-ins count at the lane they stand in for."""


class Split:
    """Which lane serves a colour, and which one owns a bucket. ``baseline`` serves colours that nobody else serves."""

    __slots__ = ("_owners", "_starts", "baseline", "by_color", "draining", "drains", "lanes", "notes_sessions", "paints")

    def __init__(self, lanes: Sequence[Lane], baseline: Lane) -> None:
        self.lanes = tuple(lanes)
        self.baseline = baseline
        self.by_color = {color: lane for lane in lanes for color in lane.colors}
        self.draining = tuple(lane for lane in lanes if lane.drain_s and not lane.weight)
        """They get no new sessions and finish those that they have."""
        self.paints = any(lane.paints and (lane.weight or lane.drain_s) for lane in lanes)
        self.drains = any(lane.drain_s for lane in lanes)
        self.notes_sessions = self.paints or self.drains
        for lane in lanes:
            if lane.falls_back and lane is not baseline:
                lane.stand_ins = (*lane.failover, baseline, *baseline.failover)
        ranges = list(_ranges(lanes, baseline))
        self._starts = [start for start, _, _ in ranges]
        self._owners = [lane for _, _, lane in ranges]

    def owner(self, bucket: int) -> Lane:
        return self._owners[bisect_right(self._starts, bucket) - 1]

    def lane_of(self, key: bytes, seed: int) -> Lane:
        """The lane of a session; ``seed`` is the route's."""
        owners = self._owners
        return owners[0] if len(owners) == 1 else owners[bisect_right(self._starts, bucket(key, seed)) - 1]

    def ranges(self) -> list[tuple[int, int, Lane]]:
        """First bucket, one past the last, and owner; in order, without gaps."""
        return list(zip(self._starts, [*self._starts[1:], BUCKETS], self._owners, strict=True))


def _ranges(lanes: Sequence[Lane], baseline: Lane) -> list[tuple[int, int, Lane]]:
    total = sum(lane.weight for lane in lanes)
    others = [lane for lane in lanes if lane is not baseline]
    below, below_end = _stacked(others[0::2], total)
    above, above_size = _stacked(others[1::2], total)
    if above and not baseline.weight:
        # Rounding may leave a bucket between the two stacks: it must not go to a lane that is to get none.
        start, _, lane = above[-1]
        above_size = BUCKETS - below_end
        above[-1] = (start, above_size, lane)
    from_top = [(BUCKETS - end, BUCKETS - start, lane) for start, end, lane in reversed(above)]
    # Rounding may make two neighbours overlap by a bucket; the lower one keeps it.
    middle_end = max(below_end, BUCKETS - above_size)
    ranges = [*below, (below_end, middle_end, baseline), *((max(start, below_end), end, lane) for start, end, lane in from_top)]
    return [(start, end, lane) for start, end, lane in ranges if start < end]


def _stacked(lanes: Sequence[Lane], total: float) -> tuple[list[tuple[int, int, Lane]], int]:
    weight, start, ranges = 0.0, 0, []
    for lane in lanes:
        weight += lane.weight
        end = round(weight * BUCKETS / total)
        if start < end:
            ranges.append((start, end, lane))
        start = end
    return ranges, start
