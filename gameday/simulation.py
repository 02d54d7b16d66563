"""Simulated rollouts: the real course and the real judge, two lanes made of dice, and a clock that is turned by hand.

``python -m gameday.simulation --rollouts 1000`` prints what docs/judging.md tells.
"""

import argparse
import random
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from statistics import median
from typing import NamedTuple

from gameday.lanes import BASELINE, KINDS, Lane, arrivals
from tracer_proxy.rollout import course as courses
from tracer_proxy.rollout.course import Course, Said, Status
from tracer_proxy.rollout.judge import judge
from tracer_proxy.rollout.plan import ConfidenceLimit, Plan, QuantileLimit, RateLimit, Rules
from tracer_proxy.rollout.verdict import Outcome, Verdict

STEPS = (1.0, 5.0, 25.0, 50.0, 100.0)
EXCHANGES = 500
"""Of each lane, in the time that a step is held."""
HOLDS_MAX = 4
"""A step that is not healthy when its time is over gets so many times as long at most."""
TICK_S = 5.0
"""By so much the clock is turned. As often the judge looks where a step is held for minutes."""


def rules_of(hold_s: float) -> Rules:
    return Rules(
        min_exchanges=50,
        error_rate=RateLimit(absolute=0.05, worse_than_baseline=0.01),
        latency=QuantileLimit(quantile=0.95, worse_than_baseline=1.3),
        first_token=QuantileLimit(quantile=0.95, worse_than_baseline=1.5),
        confidence=ConfidenceLimit(mean=0.65, hold_s=hold_s / 5),
        tokens_per_turn=1.5,
    )


class Setting(NamedTuple):
    hold_s: float = 300.0
    share: float = 0.5
    """Of the traffic that the canary gets: it decides how many exchanges the baseline has."""
    holds_max: int = HOLDS_MAX


class Ended(NamedTuple):
    status: Status
    """``running`` if it was still held at a step when it was given no more time."""
    step: int
    """From 0."""
    exchanges: int
    """Of the canary, in all."""
    why: tuple[str, ...]
    """The bounds that failed it."""


def run_rollout(canary: Lane, seed: int, setting: Setting) -> Ended:
    dice = random.Random(seed)
    plan = Plan("simulated", "agents", "canary", "stable", STEPS, setting.hold_s, rules_of(setting.hold_s))
    course = Course()
    courses.start(course, plan, Said("simulation", ""))
    exchanges = 0
    while course.status is Status.RUNNING and course.held_s < setting.holds_max * setting.hold_s:
        # What comes just after a change of weights does not count, so none is made then: it is EXCHANGES that count.
        lane = arrivals(canary, _arriving(EXCHANGES, course.held_s, setting.hold_s), dice)
        others = 0 if course.percent == 100 else EXCHANGES * (1 - setting.share) / setting.share
        baseline = arrivals(BASELINE, _arriving(others, course.held_s, setting.hold_s), dice)
        exchanges += lane.exchanges
        courses.observe(course, plan, "canary", lane)
        courses.observe(course, plan, "stable", baseline)
        courses.advance(course, plan, TICK_S, "", judge)
    return Ended(course.status, course.step, exchanges, _failed(course.verdict))


def _arriving(within_hold: float, held_s: float, hold_s: float) -> int:
    """Within the tick that ends now."""
    per_s = within_hold / (hold_s - TICK_S)
    return round(per_s * held_s) - round(per_s * max(held_s - TICK_S, 0.0))


def _failed(verdict: Verdict | None) -> tuple[str, ...]:
    findings = verdict.findings if verdict else []
    return tuple(f"{found.criterion} {found.bound}".strip() for found in findings if found.outcome is Outcome.FAILING)


def simulate(canary: Lane, rollouts: int, setting: Setting, seed: int = 0) -> Iterator[Ended]:
    """On all cores; each as soon as it is there."""
    with ProcessPoolExecutor() as pool:
        yield from pool.map(partial(run_rollout, canary, setting=setting), range(seed, seed + rollouts), chunksize=5)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m gameday.simulation", description="How often healthy canaries are rolled back, and bad ones caught."
    )
    parser.add_argument("--rollouts", type=int, default=1000, help="of each kind (1000)")
    parser.add_argument(
        "--hold", type=float, default=300.0, help="seconds of a step, of which the judge looks at every fifth (300)"
    )
    parser.add_argument("--share", type=float, default=0.5, help="of the traffic that the canary gets (0.5)")
    parser.add_argument("--holds", type=int, default=HOLDS_MAX, help=f"how many times as long a step may last ({HOLDS_MAX})")
    parser.add_argument("--only", default="", metavar="KIND", help=f"one of: {', '.join(KINDS)}")
    asked = parser.parse_args()
    for kind, canary in KINDS.items():
        if asked.only in kind:
            tell(kind, list(simulate(canary, asked.rollouts, Setting(asked.hold, asked.share, asked.holds))))


def tell(kind: str, ended: list[Ended]) -> None:
    statuses = Counter(str(each.status) for each in ended)
    caught = sorted(each.exchanges for each in ended if each.status is Status.ROLLED_BACK)
    within = sum(exchanges <= EXCHANGES for exchanges in caught)
    typical = f", after {median(caught):.0f} exchanges in the median and {caught[-1]} at most" if caught else ""
    why = Counter(reason for each in ended for reason in each.why)
    print(f"{kind}: {dict(statuses)}; caught within {EXCHANGES} exchanges {within}{typical}; by {dict(why)}", flush=True)


if __name__ == "__main__":
    main()
