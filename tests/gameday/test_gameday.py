"""The game day in small, and the parts of it that say whether something ended as it should."""

from collections import Counter
from dataclasses import replace

import pytest

from gameday.__main__ import arguments, caught, false_alarms, play_live
from gameday.ending import Ending, complaints
from gameday.ledger import BROKEN, FAILED, OK, Ledger
from gameday.report import Report
from gameday.scenarios import HELD, SCENARIOS, Behaviour, Scenario, config_of
from gameday.simulation import Ended
from tracer_proxy.config.load import load_text
from tracer_proxy.config.rollouts import plan_of
from tracer_proxy.rollout.course import Status
from tracer_proxy.rollout.plan import OnFailure

BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
ERRORS, IDLE = BY_NAME["errors"], BY_NAME["idle"]


def ledger(**lanes: int) -> Ledger:
    return Ledger(Counter({(lane, OK): count for lane, count in lanes.items()}))


def rolled_back(**different: object) -> Ending:
    findings = [
        {"criterion": "min_exchanges", "outcome": "healthy"},
        {"criterion": "max_error_rate", "outcome": "failing"},
    ]
    shown = {"step": 1, "verdict": {"outcome": "failing", "findings": findings}}
    ending = Ending(Status.ROLLED_BACK, 8.0, shown, ledger(stable=90, canary=10), ledger(stable=300), ledger(stable=50))
    return replace(ending, **different)  # type: ignore[arg-type]


def test_an_ending_as_expected_leaves_nothing_to_complain_of() -> None:
    assert list(complaints(ERRORS, rolled_back())) == []


@pytest.mark.parametrize(
    ("scenario", "ending", "complaint"),
    [
        (ERRORS, rolled_back(status=Status.PROMOTED), "It should have ended as rolled back, and is promoted."),
        (ERRORS, rolled_back(status=HELD), "It should have ended as rolled back, and is held."),
        (ERRORS, rolled_back(status=Status.RUNNING), "It should have ended as rolled back, and is running."),
        (ERRORS, rolled_back(after_s=61.0), "That took 61 s, more than the 60 s it may take."),
        (BY_NAME["slow"], rolled_back(), "It should have been decided by max_first_token, and was by max_error_rate."),
        (
            ERRORS,
            rolled_back(after=ledger(stable=299, canary=1)),
            "Afterwards 1 of 300 requests were not answered by the lane stable.",
        ),
        (
            ERRORS,
            rolled_back(colored=ledger(stable=20, canary=30)),
            "Afterwards 30 of 50 requests with a colour were not answered by the lane stable.",
        ),
        (ERRORS, rolled_back(after=Ledger()), "No request was sent afterwards."),
        (ERRORS, rolled_back(colored=Ledger()), "No request with a colour was sent afterwards."),
    ],
)
def test_another_ending_is_complained_of(scenario: Scenario, ending: Ending, complaint: str) -> None:
    assert list(complaints(scenario, ending)) == [complaint]


def test_one_that_is_held_stays_at_its_first_step() -> None:
    verdict = {"outcome": "undecided", "findings": [{"criterion": "min_exchanges", "outcome": "undecided"}]}
    for step, expected in ((1, []), (2, ["It should have stayed at step 1, and is at step 2."])):
        ending = Ending(HELD, 25.0, {"step": step, "verdict": verdict}, ledger(stable=90, canary=10))
        assert list(complaints(IDLE, ending)) == expected


def test_a_ledger_counts_by_lane() -> None:
    seen = Ledger()
    for lane, became in (("a", OK), ("a", FAILED), ("b", BROKEN), ("", FAILED)):
        seen.add(lane, became)
    assert (seen.requests, seen.by_lane(), seen.not_from("a")) == (4, {"a": 2, "b": 1, "": 1}, 2)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_its_config_is_the_plan_that_it_tells(scenario: Scenario) -> None:
    config = load_text(config_of(scenario, dict.fromkeys(scenario.lanes, "http://127.0.0.1:1")), scenario.name, {})
    plan = plan_of(scenario.name, config.rollouts[scenario.name], config.routes[0].lanes)
    assert (plan.lane, plan.baseline, plan.hold_s) == (scenario.judged, next(iter(scenario.lanes)), scenario.hold_s)
    assert (plan.on_failure is OnFailure.SWITCH) is (scenario.expected == Status.SWITCHED)
    assert {scenario.judged, scenario.afterwards} - {""} <= set(scenario.lanes)


def test_there_is_a_scenario_for_each_ending() -> None:
    assert {scenario.name: str(scenario.expected) for scenario in SCENARIOS} == {
        "good": "promoted",
        "errors": "rolled_back",
        "slow": "rolled_back",
        "broken": "rolled_back",
        "unsure": "switched",
        "idle": "held",
    }


async def test_a_bad_canary_is_played_from_start_to_end(capsys: pytest.CaptureFixture[str]) -> None:
    lanes = {"stable": Behaviour(errors=0.0), "canary": Behaviour(errors=0.6)}
    quick = replace(ERRORS, lanes=lanes, steps=(50, 100), hold_s=5.0, rate=40.0)
    ((good, *told),) = await play_live([quick], 1, Report())
    printed = capsys.readouterr().out
    assert good, printed
    assert told[1:3] == ["rolled back", "rolled back"]
    assert "✗  max_error_rate" in printed
    assert "these asked for canary by its colour" in printed


async def test_a_good_canary_that_was_to_fail_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    good = Behaviour(errors=0.0)
    quick = replace(
        ERRORS,
        lanes={"stable": good, "canary": good},
        steps=(50,),
        hold_s=2.0,
        rate=60.0,
        judge=" {max_error_rate: {absolute: 0.5}}",
    )
    ((is_good, *_),) = await play_live([quick], 1, Report())
    assert not is_good
    assert "It should have ended as rolled back, and is promoted." in capsys.readouterr().out


def ended(status: Status, times: int, exchanges: int = 400) -> list[Ended]:
    return [Ended(status, 0, exchanges, ())] * times


def test_two_false_alarms_are_allowed() -> None:
    for back, expected in ((2, True), (3, False)):
        good, told, note = false_alarms(
            [*ended(Status.ROLLED_BACK, back), *ended(Status.PROMOTED, 190), *ended(Status.RUNNING, 5)]
        )
        assert (good, told, note) == (expected, f"{back} rolled back", "190 promoted, 5 held")


def test_195_have_to_be_caught_in_time_and_none_promoted() -> None:
    late = ended(Status.ROLLED_BACK, 5, exchanges=2501)
    assert caught([*ended(Status.ROLLED_BACK, 195), *late])[:2] == (True, "195 caught")
    assert caught([*ended(Status.ROLLED_BACK, 194), *late])[:2] == (False, "194 caught")
    assert not caught([*ended(Status.ROLLED_BACK, 199), *ended(Status.PROMOTED, 1)])[0]
    assert caught(ended(Status.RUNNING, 200)) == (False, "0 caught", "0 promoted")


def test_what_is_asked_for() -> None:
    assert arguments(["--only", "good", "--only", "idle"]).live_only
    for wrong in (["--only", "nobody"], ["--simulation-only", "--live-only"], ["--simulation-only", "--only", "good"]):
        with pytest.raises(SystemExit):
            arguments(wrong)
