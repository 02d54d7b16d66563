"""The course of a rollout, with a clock turned by hand and a judge who says what he is told to."""

from collections.abc import Mapping
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy import limits
from tracer_proxy.rollout import course as courses
from tracer_proxy.rollout.course import Change, Course, Said, Status, Unfit
from tracer_proxy.rollout.plan import ConfidenceLimit, OnFailure, Plan, Rules
from tracer_proxy.rollout.traffic import Traffic, traffic
from tracer_proxy.rollout.verdict import Finding, Outcome, Verdict
from tracer_proxy.telemetry.evidence import Evidence

LANES = {"stable": 1.0, "canary": 0.0, "rules": 0.0}
PLAN = Plan("v2", "planner", "canary", "stable", steps=(1, 25, 100), hold_s=300, rules=Rules())
GUARD = replace(PLAN, lane="stable", steps=(100,), on_failure=OnFailure.SWITCH, switch_to="rules")
LI = Said("li", "T", "because")


class Judge:
    """Remembers what he was asked."""

    def __init__(self, outcome: Outcome = Outcome.HEALTHY) -> None:
        self.outcome = outcome
        self.looks: list[int] = []
        self.alone: list[bool] = []
        self.recent: list[Evidence | None] = []
        self.exchanges: list[tuple[int, int]] = []

    def __call__(
        self, rules: Rules, lane: Evidence, baseline: Evidence, *, look: int, recent: Evidence | None, alone: bool
    ) -> Verdict:
        self.looks.append(look)
        self.alone.append(alone)
        self.recent.append(recent)
        self.exchanges.append((lane.exchanges, baseline.exchanges))
        finding = Finding("max_error_rate", self.outcome, 0.1, 0.0, 0.05, "", None, None, f"it is {self.outcome}.")
        return Verdict(self.outcome, [finding], lane.exchanges, baseline.exchanges, ["abc"])


class Ride:
    """A course that is under way."""

    def __init__(self, plan: Plan = PLAN, judge: Judge | None = None) -> None:
        self.plan, self.judge, self.course = plan, judge or Judge(), Course()
        courses.start(self.course, plan, LI)

    def runs(self, seconds: float, every: float = 1.0, lane: int = 1, baseline: int = 1) -> list[str]:
        """What has changed; each second both lanes serve some."""
        changes: list[Change] = []
        for _ in range(round(seconds / every)):
            if lane:
                courses.observe(self.course, self.plan, self.plan.lane, Evidence(exchanges=lane))
            if baseline:
                courses.observe(self.course, self.plan, "stable", Evidence(exchanges=baseline))
            changes += courses.advance(self.course, self.plan, every, "T", self.judge)
        return [str(change.kind) for change in changes]

    @property
    def traffic(self) -> Traffic | None:
        return traffic(self.course, self.plan, LANES)

    @property
    def weights(self) -> Mapping[str, float]:
        assert self.traffic is not None
        return self.traffic.weights


def test_a_good_lane_gets_everything_step_by_step() -> None:
    ride = Ride()
    assert ride.weights == {"stable": 99, "canary": 1, "rules": 0}
    assert ride.runs(299) == []
    assert ride.runs(1) == ["step"]
    assert ride.weights == {"stable": 75, "canary": 25, "rules": 0}
    assert ride.runs(300) == ["step"]
    assert ride.weights == {"stable": 0, "canary": 100, "rules": 0}
    assert ride.course.status is Status.RUNNING
    assert ride.runs(300) == ["promoted"]
    assert ride.runs(3000) == []
    assert ride.traffic == Traffic({"stable": 0, "canary": 100, "rules": 0})


def test_alone_it_is_judged_without_the_baseline() -> None:
    ride = Ride()
    ride.runs(600)
    assert True not in ride.judge.alone
    ride.judge.alone.clear()
    ride.runs(10)
    assert set(ride.judge.alone) == {True}


def test_a_last_step_below_100_is_where_it_stays() -> None:
    ride = Ride(replace(PLAN, steps=(5, 30)))
    assert ride.runs(600) == ["step", "promoted"]
    assert ride.weights == {"stable": 70, "canary": 30, "rules": 0}


def test_a_bad_lane_fails_at_once_and_is_closed() -> None:
    ride = Ride()
    ride.runs(320)
    ride.judge.outcome = Outcome.FAILING
    assert ride.runs(11) == ["rolled_back"]
    assert ride.traffic == Traffic({"stable": 100, "canary": 0, "rules": 0}, frozenset({"canary"}))
    last = ride.course.history[-1]
    assert (last.before, last.after, last.by, last.step) == ("running", "rolled_back", "judge", 2)
    assert last.reason == "it is failing."
    assert last.verdict is not None
    assert last.verdict.traces == ["abc"]
    assert 20 <= last.window_s <= 20 + limits.ROLLOUT_LOOK_S_MAX


def test_too_little_to_go_by_never_promotes_and_is_told_once() -> None:
    ride = Ride(judge=Judge(Outcome.UNDECIDED))
    assert ride.runs(20_000) == ["held"]
    assert ride.weights["canary"] == 1
    ride.judge.outcome = Outcome.HEALTHY
    assert ride.runs(limits.ROLLOUT_LOOK_S_MAX + 1) == ["step"]
    assert not ride.course.held


def test_a_held_lane_that_turns_bad_fails() -> None:
    ride = Ride(judge=Judge(Outcome.UNDECIDED))
    ride.runs(400)
    ride.judge.outcome = Outcome.FAILING
    assert ride.runs(20) == ["rolled_back"]


def test_pause_on_failure_keeps_the_weight() -> None:
    ride = Ride(replace(PLAN, on_failure=OnFailure.PAUSE), Judge(Outcome.FAILING))
    assert ride.runs(10) == ["paused"]
    assert ride.weights == {"stable": 99, "canary": 1, "rules": 0}
    assert ride.runs(1000) == []
    ride.judge.outcome = Outcome.HEALTHY
    courses.resume(ride.course, ride.plan, LI)
    assert ride.runs(300) == ["step"]


def test_switching_gives_the_share_and_the_colours_to_another_lane() -> None:
    ride = Ride(replace(PLAN, on_failure=OnFailure.SWITCH, switch_to="rules"))
    ride.runs(301)
    ride.judge.outcome = Outcome.FAILING
    assert ride.runs(30) == ["switched"]
    assert ride.traffic == Traffic({"stable": 75, "canary": 0, "rules": 25}, frozenset({"canary"}), "rules")
    assert (ride.course.percent, ride.course.history[-1].percent) == (0, 0)


def test_a_guard_watches_for_ever_and_switches() -> None:
    ride = Ride(GUARD)
    assert ride.weights == {"stable": 100, "canary": 0, "rules": 0}
    assert ride.runs(10_000, baseline=0) == []
    assert ride.course.status is Status.RUNNING
    assert set(ride.judge.alone) == {True}
    ride.judge.outcome = Outcome.FAILING
    assert ride.runs(30) == ["switched"]
    assert ride.traffic == Traffic({"stable": 0, "canary": 0, "rules": 100}, frozenset({"stable"}), "rules")


def test_a_guard_cannot_be_promoted_and_gives_the_weights_back() -> None:
    ride = Ride(GUARD)
    with pytest.raises(Unfit, match="nothing to promote"):
        courses.promote(ride.course, ride.plan, LI)
    courses.abort(ride.course, ride.plan, LI)
    assert ride.traffic is None


@pytest.mark.parametrize(("hold_s", "looks"), [(3, 3), (90, 30), (3600, 720)])
def test_looks_are_few_and_numbered_anew_at_each_step(hold_s: float, looks: int) -> None:
    ride = Ride(replace(PLAN, hold_s=hold_s))
    assert ride.runs(hold_s, every=0.25) == ["step"]
    assert ride.judge.looks == list(range(len(ride.judge.looks)))
    assert looks - 1 <= len(ride.judge.looks) <= looks + 1
    ride.runs(1)
    assert ride.judge.looks[-1] == 0


def test_after_days_without_traffic_a_bad_lane_is_seen_at_once() -> None:
    ride = Ride(judge=Judge(Outcome.UNDECIDED))
    ride.runs(300_000, every=10, lane=0, baseline=0)
    ride.judge.outcome = Outcome.FAILING
    assert ride.runs(limits.ROLLOUT_LOOK_S_MAX + 1) == ["rolled_back"]


def test_nothing_new_is_no_look() -> None:
    ride = Ride(judge=Judge(Outcome.UNDECIDED))
    ride.runs(300, lane=0, baseline=0)
    assert ride.judge.looks == [0]


def test_nothing_counts_just_after_a_change_of_weights() -> None:
    ride = Ride()
    ride.runs(limits.ROLLOUT_SETTLE_S_MAX)
    assert (ride.course.lane.exchanges, ride.course.baseline.exchanges) == (0, 0)
    ride.runs(10)
    assert (ride.course.lane.exchanges, ride.course.baseline.exchanges) == (10, 10)
    assert courses.settle_s(replace(PLAN, hold_s=1)) == pytest.approx(0.1)


def test_other_lanes_are_not_looked_at() -> None:
    ride = Ride()
    ride.runs(10, lane=0, baseline=0)
    courses.observe(ride.course, ride.plan, "rules", Evidence(exchanges=7))
    assert (ride.course.lane.exchanges, ride.course.baseline.exchanges) == (0, 0)


def test_confidence_looks_back_over_the_steps() -> None:
    """Else a hold shorter than ``for`` would never see it."""
    rules = Rules(confidence=ConfidenceLimit(0.65, 600))
    ride = Ride(replace(PLAN, rules=rules, steps=(1, 2, 3, 4)))
    ride.runs(590)
    assert set(ride.judge.recent) == {None}
    ride.judge.recent.clear()
    ride.runs(610)
    recent = [each.exchanges for each in ride.judge.recent if each is not None]
    slice_s = 600 / limits.ROLLOUT_SLICES
    settled = 3 * limits.ROLLOUT_SETTLE_S_MAX
    assert recent
    assert all(600 - settled - slice_s <= exchanges <= 600 + slice_s for exchanges in recent[1:])
    assert len(ride.course.recent.slices) <= limits.ROLLOUT_SLICES + 2


# What people want.


def test_waiting_leaves_the_weights_to_the_file() -> None:
    course = Course()
    assert traffic(course, PLAN, LANES) is None
    assert courses.advance(course, PLAN, 1000, "T", Judge()) == []
    assert courses.start(course, PLAN, LI).by == "li"
    assert course.status is Status.RUNNING


def test_pause_and_resume_begin_the_step_anew() -> None:
    ride = Ride()
    ride.runs(310)
    change = courses.pause(ride.course, ride.plan, LI)
    assert (change.before, change.after, change.by, change.reason) == ("running", "paused", "li", "because")
    assert ride.runs(1000) == []
    assert ride.weights["canary"] == 25
    courses.resume(ride.course, ride.plan, LI)
    assert ride.course.step == 1
    assert ride.course.lane.exchanges == 0
    assert ride.runs(299) == []
    assert ride.runs(1) == ["step"]


def test_promote_gives_everything_now_and_abort_takes_it() -> None:
    ride = Ride()
    courses.promote(ride.course, ride.plan, LI)
    assert ride.weights == {"stable": 0, "canary": 100, "rules": 0}
    courses.abort(ride.course, ride.plan, LI)
    assert ride.traffic == Traffic({"stable": 100, "canary": 0, "rules": 0}, frozenset({"canary"}))
    courses.start(ride.course, ride.plan, LI)
    assert ride.traffic == Traffic({"stable": 99, "canary": 1, "rules": 0})


def test_weights_set_by_hand_hold_until_it_goes_on() -> None:
    ride = Ride()
    courses.pause(ride.course, ride.plan, LI, {"stable": 3, "canary": 1, "rules": 0})
    assert ride.traffic == Traffic({"stable": 3, "canary": 1, "rules": 0})
    courses.resume(ride.course, ride.plan, LI)
    assert ride.weights["canary"] == 1
    assert sum(ride.weights.values()) == 100


def set_by_hand(course: Course, weights: dict[str, float]) -> Change:
    return courses.set_weights(course, Said("api", "T", "weights were set by hand"), weights)


@pytest.mark.parametrize("status", [Status.ROLLED_BACK, Status.ABORTED, Status.SWITCHED])
def test_a_closed_lane_stays_closed_until_it_gets_a_weight(status: Status) -> None:
    plan = replace(PLAN, on_failure=OnFailure.SWITCH, switch_to="rules")
    heir = "rules" if status is Status.SWITCHED else ""
    course = Course(status)
    before, after = {"stable": 1.0, "canary": 0.0, "rules": 1.0}, {"stable": 1.0, "canary": 1.0, "rules": 0.0}
    change = set_by_hand(course, before)
    assert traffic(course, plan, LANES) == Traffic(before, frozenset({"canary"}), heir)
    assert (change.kind, change.by, change.before, change.after) == ("weights", "api", status, status)
    set_by_hand(course, after)
    assert traffic(course, plan, LANES) == Traffic(after)
    assert [each.kind for each in course.history] == ["weights", "weights"]


@pytest.mark.parametrize("status", [Status.PAUSED, Status.PROMOTED])
def test_weights_by_hand_close_no_lane_that_is_open(status: Status) -> None:
    course = Course(status, percent=100.0)
    set_by_hand(course, {"stable": 1.0, "canary": 0.0, "rules": 0.0})
    assert traffic(course, PLAN, LANES) == Traffic({"stable": 1.0, "canary": 0.0, "rules": 0.0})


FITS = {
    Status.WAITING: {"start", "promote", "abort"},
    Status.RUNNING: {"pause", "promote", "abort"},
    Status.PAUSED: {"resume", "promote", "abort"},
    Status.PROMOTED: {"start", "abort"},
    Status.ROLLED_BACK: {"start"},
    Status.SWITCHED: {"start"},
    Status.ABORTED: {"start"},
}


@pytest.mark.parametrize("status", Status)
@pytest.mark.parametrize("action", ["start", "pause", "resume", "promote", "abort"])
def test_what_fits_which_state(status: Status, action: str) -> None:
    course = Course(status=status, percent=100.0)
    act = getattr(courses, action)
    if action in FITS[status]:
        assert act(course, PLAN, LI).before is status
    else:
        with pytest.raises(Unfit, match=rf"'v2' is {status}"):
            act(course, PLAN, LI)
        assert course.status is status
        assert course.history == []


# What holds always.


def test_history_is_bounded() -> None:
    ride = Ride()
    for _ in range(limits.ROLLOUT_HISTORY_MAX):
        courses.pause(ride.course, ride.plan, LI)
        courses.resume(ride.course, ride.plan, LI)
    assert len(ride.course.history) == limits.ROLLOUT_HISTORY_MAX


def test_a_course_goes_on_after_a_way_through_json() -> None:
    ride = Ride(replace(PLAN, rules=Rules(confidence=ConfidenceLimit(0.5, 10))))
    ride.runs(350)
    ride.course.lane.latency[-7] = 3
    again = msgspec.json.decode(msgspec.json.encode(ride.course), type=Course)
    assert again == ride.course
    ride.course = again
    assert ride.runs(250) == ["step"]


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.floats(0, 1e6), min_size=1),
    st.floats(0.01, 100),
    st.sampled_from([Status.RUNNING, Status.PAUSED, Status.PROMOTED, Status.ROLLED_BACK, Status.SWITCHED, Status.ABORTED]),
)
def test_weights_add_up_to_100_and_none_is_negative(others: dict[str, float], percent: float, status: Status) -> None:
    baseline, heir = min(others), max(others)
    plan = Plan("v2", "r", "x", baseline, (percent,), 1, Rules(), OnFailure.SWITCH, heir)
    gone = status in (Status.ROLLED_BACK, Status.ABORTED)
    found = traffic(
        Course(status=status, percent=0.0 if gone or status is Status.SWITCHED else percent), plan, {**others, "x": 5.0}
    )
    assert found is not None
    assert sum(found.weights.values()) == pytest.approx(100)
    assert min(found.weights.values()) >= 0
    assert found.weights["x"] == (0 if gone or status is Status.SWITCHED else percent)
    assert (found.closed == {"x"}) is (gone or status is Status.SWITCHED)


def test_other_lanes_keep_their_share_while_the_baseline_has_something_to_give() -> None:
    lanes = {"stable": 80.0, "canary": 0.0, "next": 15.0, "beta": 5.0}
    plan = Plan("v2", "r", "canary", "stable", (10,), 1, Rules())

    def at(percent: float) -> dict[str, float]:
        found = traffic(Course(status=Status.RUNNING, percent=percent), plan, lanes)
        assert found is not None
        return dict(found.weights)

    assert at(10) == {"stable": 70, "canary": 10, "next": 15, "beta": 5}
    assert at(80) == {"stable": 0, "canary": 80, "next": 15, "beta": 5}
    assert at(90) == {"stable": 0, "canary": 90, "next": 7.5, "beta": 2.5}
    assert at(100) == {"stable": 0, "canary": 100, "next": 0, "beta": 0}


@given(st.lists(st.sampled_from([*Outcome]), max_size=200), st.floats(0.5, 40))
def test_without_a_healthy_verdict_nobody_gets_more(outcomes: list[Outcome], every: float) -> None:
    ride = Ride()
    before = ride.weights["canary"]
    for outcome in outcomes:
        ride.judge.outcome = outcome
        ride.runs(every, every)
        now = ride.weights["canary"]
        assert now <= before or outcome is Outcome.HEALTHY
        before = now
