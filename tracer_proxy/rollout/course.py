"""How a rollout goes: a pure state machine.

``advance`` is told how much time has passed and what to judge with; people's wishes are ``start``, ``pause``, ``resume``,
``promote`` and ``abort``. Each returns what has changed. Time counts only while the rollout runs: a proxy that was off for an
hour has not held a step for an hour. A course fits into JSON, so that it goes on where it was.
"""

from enum import StrEnum
from typing import Protocol

from msgspec import Struct, field

from tracer_proxy.limits import (
    ROLLOUT_HISTORY_MAX,
    ROLLOUT_LOOK_S_MAX,
    ROLLOUT_LOOK_S_MIN,
    ROLLOUT_LOOKS_PER_HOLD,
    ROLLOUT_SETTLE_RATIO,
    ROLLOUT_SETTLE_S_MAX,
)
from tracer_proxy.rollout.plan import OnFailure, Plan, Rules
from tracer_proxy.rollout.recent import Recent
from tracer_proxy.rollout.verdict import Outcome, Verdict
from tracer_proxy.telemetry.evidence import Evidence

BY_JUDGE = "judge"
BY_CONFIG = "config"


class Status(StrEnum):
    WAITING = "waiting"
    """For somebody to start it: the weights are the file's."""
    RUNNING = "running"
    PAUSED = "paused"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    SWITCHED = "switched"
    ABORTED = "aborted"


class Kind(StrEnum):
    STARTED = "started"
    STEP = "step"
    HELD = "held"
    PAUSED = "paused"
    RESUMED = "resumed"
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    SWITCHED = "switched"
    ABORTED = "aborted"
    WEIGHTS = "weights"
    """Somebody has set weights; a rollout that runs is paused by that."""


class Change(Struct, frozen=True):
    """One line of a rollout's history."""

    kind: Kind
    at: str
    """UTC."""
    by: str
    """``judge``, ``config``, or who asked for it."""
    before: Status = field(name="from")
    after: Status = field(name="to")
    step: int
    """From 1."""
    percent: float
    """Of the lane, from now on."""
    reason: str
    verdict: Verdict | None = None
    """What it was decided by."""
    window_s: float = 0.0
    """Of the verdict: so much time had the step run."""


class Unfit(ValueError):
    """What was asked for does not fit the state that the rollout is in. One sentence."""


class Judge(Protocol):
    def __call__(
        self, rules: Rules, lane: Evidence, baseline: Evidence, *, look: int, recent: Evidence | None, alone: bool
    ) -> Verdict: ...


class Said(Struct, frozen=True):
    """Who wants something, when, and why."""

    by: str
    at: str
    reason: str = ""


class Course(Struct):
    """Everything about a rollout that has to be remembered."""

    status: Status = Status.WAITING
    step: int = 0
    percent: float = 0.0
    """What the lane gets; its step's, but after a promotion by hand."""
    since: str = ""
    """UTC: when the status, or the step, came about."""
    held_s: float = 0.0
    """How long the step has run."""
    lane: Evidence = field(default_factory=Evidence)
    baseline: Evidence = field(default_factory=Evidence)
    recent: Recent = field(default_factory=Recent)
    """Of the lane, over the steps."""
    looks: int = 0
    look_at_s: float = 0.0
    """When to look next, in seconds of the step."""
    seen: tuple[int, int, int] = (0, 0, 0)
    """At the last look: exchanges of the lane and of the baseline, and turns of the lane, which end after their exchanges."""
    verdict: Verdict | None = None
    held: bool = False
    """The time is over, and there is too little to go by."""
    by_hand: dict[str, float] | None = None
    """Weights that somebody has set meanwhile, in place of the rollout's."""
    history: list[Change] = field(default_factory=list)


def observe(course: Course, plan: Plan, lane: str, evidence: Evidence) -> None:
    """Just after a change of weights nothing counts: what comes then has been served by the weights before.

    An exchange that began before and ends later does count. It is the lane's, whatever its share was.
    """
    if course.status is not Status.RUNNING or course.held_s < settle_s(plan):
        return
    if lane == plan.lane:
        course.lane.add(evidence)
        if plan.rules.confidence is not None:
            course.recent.add(evidence, plan.rules.confidence.hold_s)
    elif lane == plan.baseline:
        course.baseline.add(evidence)


def settle_s(plan: Plan) -> float:
    return min(ROLLOUT_SETTLE_S_MAX, plan.hold_s * ROLLOUT_SETTLE_RATIO)


def advance(course: Course, plan: Plan, passed_s: float, at: str, judge: Judge) -> list[Change]:
    """``passed_s`` is how much time went by since the last call, as far as the proxy was there."""
    if course.status is not Status.RUNNING:
        return []
    course.held_s += passed_s
    course.recent.ran_s += passed_s
    if course.held_s < course.look_at_s:
        return []
    verdict = _look(course, plan, judge)
    if verdict.outcome is Outcome.FAILING:
        return [_fail(course, plan, at, verdict)]
    if course.held_s < plan.hold_s:
        return []
    if verdict.outcome is Outcome.HEALTHY:
        return _pass(course, plan, at, verdict)
    if course.held:
        return []
    course.held = True
    return [_note(course, Kind.HELD, course.status, Said(BY_JUDGE, at, verdict.message), verdict, course.held_s)]


def _look(course: Course, plan: Plan, judge: Judge) -> Verdict:
    """The judge allows for any number of looks; one at what was looked at already would only cost time."""
    pause_s = min(max(ROLLOUT_LOOK_S_MIN, plan.hold_s / ROLLOUT_LOOKS_PER_HOLD), ROLLOUT_LOOK_S_MAX)
    course.look_at_s = course.held_s + pause_s
    if course.held_s < plan.hold_s:
        course.look_at_s = min(course.look_at_s, plan.hold_s)
    seen = (course.lane.exchanges, course.baseline.exchanges, sum(course.lane.tokens.values()))
    confidence = plan.rules.confidence
    if course.verdict is not None and seen == course.seen and confidence is None:
        return course.verdict
    recent = course.recent.of_last(confidence.hold_s, confidence.mean) if confidence is not None else None
    alone = course.percent >= 100 or plan.lane == plan.baseline
    course.verdict = judge(plan.rules, course.lane, course.baseline, look=course.looks, recent=recent, alone=alone)
    course.seen = seen
    course.looks += 1
    return course.verdict


def _pass(course: Course, plan: Plan, at: str, verdict: Verdict) -> list[Change]:
    before, said, window_s = course.status, Said(BY_JUDGE, at), course.held_s
    if plan.lane == plan.baseline:
        # It is guarded for ever: only what is looked at begins anew.
        _open_window(course)
        return []
    if course.step + 1 < len(plan.steps):
        _begin_step(course, plan, course.step + 1, at)
        return [_note(course, Kind.STEP, before, said, verdict, window_s)]
    course.status, course.since = Status.PROMOTED, at
    return [_note(course, Kind.PROMOTED, before, said, verdict, window_s)]


def _fail(course: Course, plan: Plan, at: str, verdict: Verdict) -> Change:
    before, said = course.status, Said(BY_JUDGE, at, verdict.message)
    course.since = at
    if plan.on_failure is OnFailure.PAUSE:
        course.status, kind = Status.PAUSED, Kind.PAUSED
    elif plan.on_failure is OnFailure.SWITCH:
        course.status, course.percent, kind = Status.SWITCHED, 0.0, Kind.SWITCHED
    else:
        course.status, course.percent, kind = Status.ROLLED_BACK, 0.0, Kind.ROLLED_BACK
    return _note(course, kind, before, said, verdict, course.held_s)


def _begin_step(course: Course, plan: Plan, step: int, at: str) -> None:
    course.status, course.since = Status.RUNNING, at
    course.step, course.percent, course.by_hand = step, plan.steps[step], None
    _open_window(course)


def _open_window(course: Course) -> None:
    course.lane, course.baseline = Evidence(), Evidence()
    course.held_s = course.look_at_s = 0.0
    course.looks, course.seen = 0, (0, 0, 0)
    course.verdict, course.held = None, False


def _note(
    course: Course, kind: Kind, before: Status, said: Said, verdict: Verdict | None = None, window_s: float = 0.0
) -> Change:
    now = (course.status, course.step + 1, course.percent)
    change = Change(kind, said.at, said.by, before, *now, said.reason, verdict, window_s)
    course.history = [*course.history, change][-ROLLOUT_HISTORY_MAX:]
    return change


# What people want.


def start(course: Course, plan: Plan, said: Said) -> Change:
    if course.status in (Status.RUNNING, Status.PAUSED):
        how = "it goes on by resume" if course.status is Status.PAUSED else "it can be paused, promoted or aborted"
        raise Unfit(f"The rollout {plan.name!r} is {course.status} already; {how}.")
    before = course.status
    course.recent = Recent()
    _begin_step(course, plan, 0, said.at)
    return _note(course, Kind.STARTED, before, said)


def pause(course: Course, plan: Plan, said: Said, by_hand: dict[str, float] | None = None) -> Change:
    """``by_hand`` are weights that somebody has set, and that now hold."""
    if course.status is not Status.RUNNING:
        raise Unfit(f"The rollout {plan.name!r} is {course.status}; only one that runs can be paused.")
    course.status, course.since, course.by_hand = Status.PAUSED, said.at, by_hand
    return _note(course, Kind.PAUSED, Status.RUNNING, said)


def set_weights(course: Course, said: Said, by_hand: dict[str, float]) -> Change:
    """Of one that does not run: its status stays, and these weights hold."""
    course.by_hand = by_hand
    return _note(course, Kind.WEIGHTS, course.status, said)


def resume(course: Course, plan: Plan, said: Said) -> Change:
    """Its step begins anew."""
    if course.status is not Status.PAUSED:
        raise Unfit(f"The rollout {plan.name!r} is {course.status}; only one that is paused can be resumed.")
    course.recent = Recent()
    _begin_step(course, plan, course.step, said.at)
    return _note(course, Kind.RESUMED, Status.PAUSED, said)


def promote(course: Course, plan: Plan, said: Said) -> Change:
    if plan.lane == plan.baseline:
        raise Unfit(
            f"The rollout {plan.name!r} guards the baseline, so there is nothing to promote; it can be paused or aborted."
        )
    if course.status in (Status.ROLLED_BACK, Status.SWITCHED, Status.ABORTED):
        raise Unfit(f"The rollout {plan.name!r} is {course.status}; start it before you promote it.")
    if course.status is Status.PROMOTED and course.percent == 100 and course.by_hand is None:
        raise Unfit(f"The rollout {plan.name!r} is promoted already, and its lane has everything.")
    before = course.status
    course.status, course.since, course.percent, course.by_hand = Status.PROMOTED, said.at, 100.0, None
    return _note(course, Kind.PROMOTED, before, said)


def abort(course: Course, plan: Plan, said: Said) -> Change:
    if course.status in (Status.ROLLED_BACK, Status.SWITCHED, Status.ABORTED):
        raise Unfit(f"The rollout {plan.name!r} is {course.status} already.")
    before = course.status
    course.status, course.since, course.percent, course.by_hand = Status.ABORTED, said.at, 0.0, None
    return _note(course, Kind.ABORTED, before, said)
