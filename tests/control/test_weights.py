"""Weights in place of the file's: what a rollout makes of lanes, colours and baseline, down to the table of a worker."""

from itertools import pairwise

import pytest

from tracer_proxy.config.compile import compile_table
from tracer_proxy.config.load import load_text
from tracer_proxy.config.rollouts import plan_of
from tracer_proxy.control.weights import with_weights
from tracer_proxy.rollout.course import Course, Status
from tracer_proxy.rollout.traffic import Traffic, traffic
from tracer_proxy.routing.bucket import BUCKETS
from tracer_proxy.routing.lane import Split

CONFIG = load_text(
    """
version: 1
routes:
  - name: planner
    lanes:
      - {name: stable, pool: p, weight: 1, colors: [blue]}
      - {name: canary, pool: p, colors: [canary, dev], color: canary}
      - {name: rules, pool: p, weight: 0}
pools: {p: {endpoints: [http://h]}}
rollouts: {v2: {route: planner, lane: canary, judge: {max_error_rate: {absolute: 0.1}}}}
""",
    "f.yaml",
    {},
)
LANES = {"stable": 1.0, "canary": 0.0, "rules": 0.0}


def split(traffic: Traffic) -> Split:
    config = with_weights(CONFIG, {}, {"planner": traffic})
    return compile_table(config, "127.0.0.1:1").routes[0].split


def colors(found: Split) -> dict[str, str]:
    return {color.decode(): lane.name for color, lane in found.by_color.items()}


def test_nothing_laid_over_is_the_file() -> None:
    assert with_weights(CONFIG, {}, {}) is CONFIG


def test_a_closed_lane_loses_its_colours_to_the_baseline() -> None:
    found = split(Traffic({"stable": 100, "canary": 0, "rules": 0}, frozenset({"canary"})))
    assert colors(found) == {"blue": "stable"}
    assert found.baseline.name == "stable"
    assert {lane.name for _, _, lane in found.ranges()} == {"stable"}
    assert not any(lane.paints for lane in found.lanes)


def test_an_heir_gets_the_colours() -> None:
    found = split(Traffic({"stable": 75, "canary": 0, "rules": 25}, frozenset({"canary"}), "rules"))
    assert colors(found) == {"blue": "stable", "canary": "rules", "dev": "rules"}
    assert found.baseline.name == "stable"


def test_the_heir_of_a_baseline_is_the_baseline() -> None:
    found = split(Traffic({"stable": 0, "canary": 0, "rules": 100}, frozenset({"stable"}), "rules"))
    assert found.baseline.name == "rules"
    assert colors(found)["blue"] == "rules"
    assert {lane.name for _, _, lane in found.ranges()} == {"rules"}


def test_a_rollout_counts_more_than_what_was_set_before() -> None:
    laid = with_weights(CONFIG, {"planner": {"stable": 5, "canary": 5}}, {"planner": Traffic({"stable": 99, "canary": 1})})
    assert [lane.weight for lane in laid.routes[0].lanes] == [99, 1, 0]


@pytest.mark.parametrize("steps", [(1, 5, 25, 50, 100), (0.01, 0.5, 33.3, 99.99)])
def test_each_step_moves_sessions_only_to_the_lane(steps: tuple[float, ...]) -> None:
    plan = plan_of("v2", CONFIG.rollouts["v2"], CONFIG.routes[0].lanes)
    splits = []
    for percent in steps:
        found = traffic(Course(status=Status.RUNNING, percent=percent), plan, LANES)
        assert found is not None
        splits.append(split(found))
    for before, after in pairwise(splits):
        moved = {
            (before.owner(bucket).name, after.owner(bucket).name)
            for bucket in range(BUCKETS)
            if before.owner(bucket).name != after.owner(bucket).name
        }
        assert moved == {("stable", "canary")}
    for percent, found_split in zip(steps, splits, strict=True):
        share = sum(end - start for start, end, lane in found_split.ranges() if lane.name == "canary")
        assert share == pytest.approx(BUCKETS * percent / 100, abs=1)
