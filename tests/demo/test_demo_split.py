"""The demo's split table: sessions by weight apart from those that asked, each where its first turn went."""

from typing import Any

import pytest
from demo_cases import LANES, Notes, good_run

from tracer_proxy.demo.split import Lane, LaneShare, read_lanes, shares


def test_sessions_are_counted_and_not_their_turns() -> None:
    """Those that asked stand in a column of their own."""
    stable, canary = shares(LANES, good_run().turns)
    assert (stable.drawn, stable.drawn_of, stable.asked, stable.turns) == (9, 10, 0, 18)
    assert (canary.drawn, canary.drawn_of, canary.asked, canary.turns) == (1, 10, 1, 4)
    assert (stable.weight_share, stable.expected) == (0.9, 9)


def test_session_counts_where_its_first_turn_went() -> None:
    """Turns that failed went nowhere."""
    notes = Notes()
    notes.add("s-1", 1, "")
    notes.add("s-1", 2, "v2")
    notes.add("s-1", 3, "v1")
    stable, canary = shares(LANES, notes.turns)
    assert (stable.drawn, canary.drawn) == (0, 1)


def test_no_session_at_all() -> None:
    """Nothing is divided by zero."""
    assert [share.drawn_of for share in shares(LANES, [])] == [0, 0]


@pytest.mark.parametrize(
    ("drawn", "drawn_of", "plausible"),
    [(20, 200, True), (0, 200, False), (36, 200, True), (45, 200, False), (0, 1, True), (2, 2, True), (10, 10, False)],
)
def test_plausible(drawn: int, drawn_of: int, plausible: bool) -> None:
    """Chance is allowed for, in small runs as well; a lane that gets nothing or twice its weight is not chance."""
    share = LaneShare(LANES[1], 0.1, drawn, drawn_of, asked=0, turns=0)
    assert share.is_plausible is plausible


def test_lanes_as_the_proxy_lists_them() -> None:
    """A lane's version is that of the agent in its pool."""
    routes: list[dict[str, Any]] = [
        {"name": "other", "lanes": []},
        {
            "name": "planner",
            "lanes": [
                {"name": "stable", "weight": 90.0, "endpoints": [{"address": "http://127.0.0.1:7001", "pending": 0}]},
                {"name": "canary", "weight": 10.0, "endpoints": [{"address": "http://127.0.0.1:7002", "pending": 0}]},
            ],
        },
    ]
    versions = {"http://127.0.0.1:7001": "v1", "http://127.0.0.1:7002": "v2"}
    assert read_lanes(routes, "planner", versions) == [Lane("stable", "v1", 90), Lane("canary", "v2", 10)]
