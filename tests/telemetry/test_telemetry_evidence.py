"""Evidence on its way from a worker to control, and the tokens of turns that control puts together."""

import json
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telemetry_cases import AT, TRACE_ID, meters, over_the_wire

from tracer_proxy.limits import (
    EVIDENCE_VALUE_MAX,
    EVIDENCE_VALUE_MIN,
    TRACE_AGE_S_MAX,
    TURN_CLOSE_S,
    TURN_QUIET_S,
    TURNS_OPEN_MAX,
)
from tracer_proxy.telemetry.deltas import Delta, Meters
from tracer_proxy.telemetry.evidence import Evidence, Spread, bucket_of, count_in, from_plain, to_plain
from tracer_proxy.telemetry.gathered import Gathered
from tracer_proxy.telemetry.totals import Totals
from tracer_proxy.telemetry.turns import Leg, Turns, TurnTokens

AGENT = Leg("t1", 0, "planner", "canary")


@given(st.lists(st.floats()))
def test_a_spread_is_bounded_whatever_is_counted(values: list[float]) -> None:
    spread: Spread = {}
    for value in values:
        count_in(spread, value)
    assert sum(spread.values()) == sum(value > 0 for value in values)
    assert all(bucket_of(EVIDENCE_VALUE_MIN) <= bucket <= bucket_of(EVIDENCE_VALUE_MAX) for bucket in spread)


def test_the_bound_of_a_spread_is_what_limits_say() -> None:
    assert bucket_of(EVIDENCE_VALUE_MAX) - bucket_of(EVIDENCE_VALUE_MIN) + 1 == 1745


@given(st.dictionaries(st.integers(-700, 1100), st.integers(1, 2**53)), st.floats(-1e6, 1e6))
def test_evidence_survives_the_way(spread: Spread, confidence: float) -> None:
    sent = Evidence(3, 1, spread, {}, spread, 2, confidence, confidence**2, ["a"], ["b", "c"])
    assert from_plain(json.loads(json.dumps(to_plain(sent)))) == sent


def served(source: Meters, exchanges: int) -> None:
    for _ in range(exchanges):
        source.lane("planner", "canary").evidence.note((200, 0.1, None, None, TRACE_ID))


def shown(delta: Delta) -> list[tuple[str, str, int]]:
    return [(route, lane, evidence.exchanges) for route, lane, evidence in Gathered().add(delta, 0.0)]


def test_only_lanes_that_have_something_new_are_told_of() -> None:
    source = meters()
    served(source, 2)
    delta = over_the_wire(source.take(AT))
    assert shown(delta) == [("planner", "canary", 2)]
    source.confirm(delta["run"], delta["number"])
    assert shown(over_the_wire(source.take(AT))) == []


def test_a_delta_that_comes_again_counts_once() -> None:
    """As control does it: the totals know it, also those of a successor."""
    source, totals, gathered = meters(), Totals(), Gathered()
    served(source, 2)
    source.turns += [("t1", 0, "planner", "canary", False), ("t1", 42, "", "", False)]
    seen: list[tuple[str, str, Evidence]] = []
    for now in (0.0, 1.0, 2.0 + TURN_CLOSE_S):
        delta = over_the_wire(source.take(AT))
        if totals.add("1", delta):
            seen += gathered.add(delta, now)
        totals = Totals.load(json.loads(json.dumps(totals.dump())))
    source.confirm("run-1", 1)
    seen += gathered.add(over_the_wire(source.take(AT)), 2.0 + TURN_CLOSE_S)
    assert [(route, lane, evidence.exchanges, sum(evidence.tokens.values())) for route, lane, evidence in seen] == [
        ("planner", "canary", 2, 0),
        ("planner", "canary", 0, 1),
    ]


def test_a_lane_that_has_gone_still_tells_what_it_had() -> None:
    source = meters()
    served(source, 1)
    source.load([("planner", "stable")], [], [])
    assert shown(over_the_wire(source.take(AT))) == [("planner", "canary", 1)]


def test_what_is_no_delta_is_refused() -> None:
    with pytest.raises(ValueError):
        from_plain(["many"])


def over(turns: Turns, now: float, *legs: Leg) -> list[TurnTokens]:
    return turns.add(legs, now)


@given(st.permutations([AGENT, Leg("t1", 30), Leg("t1", 12), Leg("t2", 99)]))
def test_legs_of_a_turn_may_come_in_any_order(legs: Iterable[Leg]) -> None:
    turns = Turns()
    assert turns.add(legs, 0.0) == []
    assert over(turns, TURN_CLOSE_S) == [TurnTokens("planner", "canary", 42)]
    assert over(turns, TRACE_AGE_S_MAX) == []


def test_a_turn_waits_from_its_last_leg() -> None:
    turns = Turns()
    for now in (0.0, 0.9 * TURN_CLOSE_S, 1.8 * TURN_CLOSE_S):
        assert over(turns, now, AGENT._replace(tokens=10)) == []
    assert over(turns, 2.8 * TURN_CLOSE_S) == [TurnTokens("planner", "canary", 30)]


def test_an_agent_is_waited_for_as_long_as_a_trace_may_last() -> None:
    turns = Turns()
    assert over(turns, 0.0, Leg("t1", 10), Leg("t2", 10)) == []
    assert over(turns, TRACE_AGE_S_MAX, AGENT) == []
    assert over(turns, TRACE_AGE_S_MAX + 1.0) == [TurnTokens("planner", "canary", 10)]
    assert over(turns, 2 * TRACE_AGE_S_MAX, AGENT._replace(trace_id="t2")) == [], "what it had cost is forgotten"
    assert over(turns, 3 * TRACE_AGE_S_MAX) == []


def test_a_turn_of_calls_alone_is_over_when_none_has_come_for_a_while() -> None:
    turns, call = Turns(), Leg("t1", 10, "openai", "canary", True)
    assert over(turns, 0.0, call) == []
    assert over(turns, 0.9 * TURN_QUIET_S, call) == []
    assert over(turns, 1.9 * TURN_QUIET_S) == [TurnTokens("openai", "canary", 20)]


def test_lanes_of_several_routes_each_get_the_turn_and_two_of_one_route_do_not() -> None:
    turns = Turns()
    tool = Leg("t1", 5, "tool", "only")
    assert over(turns, 0.0, AGENT, AGENT._replace(lane="stable"), tool) == []
    assert over(turns, TURN_CLOSE_S) == [TurnTokens("tool", "only", 5)]


def test_a_turn_that_cost_nothing_says_nothing() -> None:
    """Its calls did not pass here."""
    turns = Turns()
    assert over(turns, 0.0, AGENT) == []
    assert over(turns, TURN_CLOSE_S) == []


def test_of_too_many_turns_the_oldest_go() -> None:
    turns = Turns()
    turns.add((Leg(f"t{number}", 10) for number in range(TURNS_OPEN_MAX + 1)), 0.0)
    first, second, last = (AGENT._replace(trace_id=f"t{number}") for number in (0, 1, TURNS_OPEN_MAX))
    assert over(turns, 1.0, second, last) == []
    assert over(turns, 1.0 + TURN_CLOSE_S, first) == [TurnTokens("planner", "canary", 10)] * 2
    assert over(turns, 1.0 + 2 * TURN_CLOSE_S) == []
