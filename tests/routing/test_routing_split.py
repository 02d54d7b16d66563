"""The weighted split: who owns which buckets, and who moves when a weight changes."""

from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from routing_cases import split

from tracer_proxy.routing.bucket import BUCKETS
from tracer_proxy.routing.lane import Split

WEIGHTS = st.lists(
    st.one_of(st.integers(0, 100).map(float), st.floats(0, 1e6, allow_subnormal=False)), min_size=1, max_size=9
).filter(any)


LANES = WEIGHTS.flatmap(lambda weights: st.tuples(st.just(weights), st.integers(0, len(weights) - 1)))
"""Weights, and which lane is the baseline."""


def moves(before: Split, after: Split) -> set[tuple[str, str]]:
    """From which lane to which sessions move. Owners change only where a range starts, so these buckets tell everything."""
    starts = {start for of in (before, after) for start, _, _ in of.ranges()}
    pairs = {(before.owner(start).name, after.owner(start).name) for start in starts}
    return {(old, new) for old, new in pairs if old != new}


@given(LANES)
@settings(deadline=None)
def test_every_bucket_has_one_owner_and_every_lane_one_range(lanes: tuple[list[float], int]) -> None:
    of = split(*lanes[0], baseline=lanes[1])
    ranges = of.ranges()
    assert ranges[0][0] == 0
    assert ranges[-1][1] == BUCKETS
    assert all(start < end for start, end, _ in ranges)
    assert [end for _, end, _ in ranges[:-1]] == [start for start, _, _ in ranges[1:]]
    assert len({lane.name for _, _, lane in ranges}) == len(ranges)
    for start, end, lane in ranges:
        assert (of.owner(start), of.owner(end - 1)) == (lane, lane)


@given(LANES)
@example(([0.0, 6.9, 2.7], 0))
@example(([0.0, 6.9, 2.7, 0.0, 0.0], 0))
@settings(deadline=None)
def test_shares_follow_the_weights_and_no_weight_means_no_session(lanes: tuple[list[float], int]) -> None:
    weights, baseline = lanes
    owned = {lane.name: end - start for start, end, lane in split(*weights, baseline=baseline).ranges()}
    for index, weight in enumerate(weights):
        share = owned.get(str(index), 0)
        assert abs(share - weight * BUCKETS / sum(weights)) < 2
        assert weight or not share, f"lane {index} has no weight and owns {share} buckets"


@given(st.integers(1, 1000), st.integers(0, 1000), st.integers(1, 1000))
@settings(deadline=None)
def test_raising_the_one_canary_moves_sessions_only_to_it(stable: int, canary: int, more: int) -> None:
    """Whether the stable lane's weight is lowered for it or not."""
    before = split(stable, canary)
    assert moves(before, split(stable, canary + more)) <= {("0", "1")}
    taken = min(more, stable)
    assert moves(before, split(stable - taken, canary + taken)) <= {("0", "1")}


@given(st.integers(1, 1000), st.integers(0, 1000), st.integers(0, 1000), st.sampled_from([1, 2]), st.data())
@settings(deadline=None)
def test_raising_one_of_two_canaries_moves_sessions_only_from_the_baseline_to_it(
    stable: int, one: int, two: int, raised: int, data: st.DataObject
) -> None:
    """Both ways: what a lower weight gives back goes to the baseline, and the other canary never notices."""
    taken = data.draw(st.integers(0, stable))
    before = split(stable, one, two)
    weights = [one, two]
    weights[raised - 1] += taken
    after = split(stable - taken, *weights)
    assert moves(before, after) <= {("0", str(raised))}
    assert moves(after, before) <= {(str(raised), "0")}


@pytest.mark.parametrize("baseline", [0, 1, 2])
def test_it_does_not_matter_where_the_baseline_stands(baseline: int) -> None:
    """Lanes other than the baseline keep their buckets when the file is reordered around it."""
    weights = [5.0, 15.0]
    of = split(*weights[:baseline], 80.0, *weights[baseline:], baseline=baseline)
    assert [(start, end, lane.weight) for start, end, lane in of.ranges()] == [
        (0, 500, 5.0),
        (500, 8500, 80.0),
        (8500, BUCKETS, 15.0),
    ]


def test_5_to_20_to_60_only_adds() -> None:
    splits = [split(100 - weight, weight) for weight in (5, 20, 60)]
    assert [of.ranges()[0][:2] for of in splits] == [(0, 500), (0, 2000), (0, 6000)]
    assert [moves(before, after) for before, after in pairwise(splits)] == [{("0", "1")}] * 2
