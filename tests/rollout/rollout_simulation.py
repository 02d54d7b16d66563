"""Simulated rollouts: two lanes, five steps, a clock that is turned by hand, and a judge who looks again and again.

``python tests/rollout/rollout_simulation.py --rollouts 5000`` prints what docs/judging.md tells.
"""

import argparse
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from itertools import accumulate
from math import erf, exp, log, sqrt
from typing import NamedTuple

from tracer_proxy.rollout.judge import judge
from tracer_proxy.rollout.plan import ConfidenceLimit, QuantileLimit, RateLimit, Rules
from tracer_proxy.rollout.verdict import Outcome, Verdict
from tracer_proxy.telemetry.evidence import Evidence, Spread, bucket_of, middle_of

STEPS = 5
HOLD_S = 300.0
EXCHANGES = 500
"""Of each lane, within a step."""
CONFIDENCE_HOLD_S = 60.0

RULES = Rules(
    min_exchanges=50,
    error_rate=RateLimit(absolute=0.05, worse_than_baseline=0.01),
    latency=QuantileLimit(quantile=0.95, worse_than_baseline=1.3),
    first_token=QuantileLimit(quantile=0.95, worse_than_baseline=1.5),
    confidence=ConfidenceLimit(mean=0.65, hold_s=CONFIDENCE_HOLD_S),
    tokens_per_turn=1.5,
)


@dataclass(frozen=True)
class Lane:
    """Medians of lognormal distributions, and how wide these are."""

    errors: float = 0.01
    latency: float = 2.0
    latency_width: float = 0.4
    first_token: float = 0.4
    first_token_width: float = 0.5
    tokens: float = 1500.0
    tokens_width: float = 0.8
    confidence: float = 0.8


class Ended(NamedTuple):
    outcome: str
    """``rolled back``, ``promoted``, or ``held``: not healthy at the end of a step, and given no more time."""
    step: int = STEPS
    look: int = 0
    why: tuple[str, ...] = ()


class Setting(NamedTuple):
    looks: int = 40
    """Within a step."""
    share: float = 0.5
    """Of the traffic that the canary gets: it decides how many exchanges the baseline has."""
    patience: int = 1
    """A step lasts up to so many times as long, until the lane is healthy."""


def run_rollout(canary: Lane, seed: int, setting: Setting) -> Ended:
    """The canary has ``EXCHANGES`` within a step; a step that ends undecided is followed by the next all the same."""
    dice = random.Random(seed)
    held = False
    for step in range(STEPS):
        for look, verdict in enumerate(looks_at_step(canary, setting, dice)):
            if verdict.outcome is Outcome.FAILING:
                return Ended("rolled back", step, look, failed(verdict))
            healthy = verdict.outcome is Outcome.HEALTHY
            if healthy and look + 1 >= setting.looks:
                break
        else:
            held = True
    return Ended("held" if held else "promoted")


def looks_at_step(canary: Lane, setting: Setting, dice: random.Random) -> Iterator[Verdict]:
    lane, baseline = Evidence(), Evidence()
    batches: list[Evidence] = []
    every_s = HOLD_S / setting.looks
    for look in range(setting.looks * setting.patience):
        batches.append(arrivals(canary, arriving(EXCHANGES, look, setting.looks), dice))
        lane.add(batches[-1])
        others = EXCHANGES * (1 - setting.share) / setting.share
        baseline.add(arrivals(BASELINE, arriving(others, look, setting.looks), dice))
        yield judge(RULES, lane, baseline, look=look, recent=recent(batches, (look + 1) * every_s, every_s))


def arriving(in_all: float, look: int, looks: int) -> int:
    return round(in_all * (look + 1) / looks) - round(in_all * look / looks)


def failed(verdict: Verdict) -> tuple[str, ...]:
    return tuple(
        f"{finding.criterion} {finding.bound}".strip() for finding in verdict.findings if finding.outcome is Outcome.FAILING
    )


def recent(batches: Sequence[Evidence], now: float, every_s: float) -> Evidence | None:
    if now < CONFIDENCE_HOLD_S:
        return None
    window = Evidence()
    for batch in batches[-round(CONFIDENCE_HOLD_S / every_s) :]:
        window.add(batch)
    return window


def arrivals(lane: Lane, exchanges: int, dice: random.Random) -> Evidence:
    """Half of the exchanges end a turn, and half bring a confidence."""
    errors = sum(dice.random() < lane.errors for _ in range(exchanges))
    went_well = exchanges - errors
    confidences = [min(1.0, max(0.0, dice.gauss(lane.confidence, 0.15))) for _ in range((went_well + 1) // 2)]
    return Evidence(
        exchanges=exchanges,
        errors=errors,
        latency=draw(lane.latency, lane.latency_width, went_well, dice),
        first_token=draw(lane.first_token, lane.first_token_width, went_well, dice),
        tokens=draw(lane.tokens, lane.tokens_width, (went_well + 1) // 2, dice),
        confidences=len(confidences),
        confidence_sum=sum(confidences),
        confidence_squares=sum(value * value for value in confidences),
    )


def draw(median: float, width: float, times: int, dice: random.Random) -> Spread:
    buckets, weights = lognormal(median, width)
    return Counter(dice.choices(buckets, cum_weights=weights, k=times))


@cache
def lognormal(median: float, width: float) -> tuple[Sequence[int], Sequence[float]]:
    """Buckets out to five standard deviations, and how often a value is in one of them or below."""
    low, high = (bucket_of(median * exp(5 * sign * width)) for sign in (-1, 1))
    buckets = range(low, high + 1)
    shares = [
        _below(log(middle_of(bucket + 1) * middle_of(bucket) / median**2) / 2 / width)
        - _below(log(middle_of(bucket) * middle_of(bucket - 1) / median**2) / 2 / width)
        for bucket in buckets
    ]
    return buckets, list(accumulate(shares))


def _below(z: float) -> float:
    return (1 + erf(z / sqrt(2))) / 2


BASELINE = Lane()
AT_LIMITS = Lane(errors=0.02, latency=2.0 * 1.3, first_token=0.4 * 1.5, tokens=1500.0 * 1.5, confidence=0.65)
BAD: Mapping[str, Lane] = {
    "errors 1 % to 6 %": Lane(errors=0.06),
    "errors 100 %": Lane(errors=1.0),
    "latency 1.5 times": Lane(latency=2.0 * 1.5),
    "first token 2 times": Lane(first_token=0.4 * 2),
    "confidence 0.5": Lane(confidence=0.5),
    "tokens 2 times": Lane(tokens=1500.0 * 2),
}
KINDS: Mapping[str, Lane] = {"healthy": BASELINE, "at every limit": AT_LIMITS, **BAD}


def main() -> None:
    parser = argparse.ArgumentParser(description="How often healthy canaries are rolled back, and bad ones caught.")
    parser.add_argument("--rollouts", type=int, default=1000, help="of each kind (1000)")
    parser.add_argument("--looks", type=int, default=40, help="within a step (40)")
    parser.add_argument("--share", type=float, default=0.5, help="of the traffic that the canary gets (0.5)")
    parser.add_argument("--patience", type=int, default=1, help="how many times as long a step may last (1)")
    parser.add_argument("--only", default="", metavar="KIND", help=f"one of: {', '.join(KINDS)}")
    asked = parser.parse_args()
    setting = Setting(asked.looks, asked.share, asked.patience)
    for kind, canary in KINDS.items():
        if asked.only in kind:
            report(kind, canary, setting, asked.rollouts)


def report(kind: str, canary: Lane, setting: Setting, rollouts: int) -> None:
    with ProcessPoolExecutor() as pool:
        ended = list(pool.map(partial(run_rollout, canary, setting=setting), range(rollouts), chunksize=10))
    outcomes = Counter(end.outcome for end in ended)
    steps = Counter(end.step + 1 for end in ended if end.outcome == "rolled back")
    why = Counter(reason for end in ended for reason in end.why)
    print(f"{kind}: {dict(outcomes)}; in step {dict(sorted(steps.items()))}; by {dict(why)}", flush=True)


if __name__ == "__main__":
    main()
