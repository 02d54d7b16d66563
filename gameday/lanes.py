"""Simulated lanes: what they show in so many exchanges, by dice."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from math import erf, exp, log, sqrt

from tracer_proxy.telemetry.evidence import Evidence, Spread, bucket_of, middle_of


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


BASELINE = Lane()
AT_LIMITS = Lane(errors=0.02, latency=2.0 * 1.3, first_token=0.4 * 1.5, tokens=1500.0 * 1.5, confidence=0.65)
"""Those of the simulated plan."""
ERRORS_6 = "6 % errors instead of 1 %"
BAD: Mapping[str, Lane] = {
    ERRORS_6: Lane(errors=0.06),
    "100 % errors": Lane(errors=1.0),
    "latency 1.5 times": Lane(latency=2.0 * 1.5),
    "first token 2 times": Lane(first_token=0.4 * 2),
    "confidence 0.5": Lane(confidence=0.5),
    "tokens 2 times": Lane(tokens=1500.0 * 2),
}
KINDS: Mapping[str, Lane] = {"as good as the baseline": BASELINE, "exactly at every bound": AT_LIMITS, **BAD}


def arrivals(lane: Lane, exchanges: int, dice: random.Random) -> Evidence:
    """Half of the exchanges end a turn, and half bring a confidence."""
    errors = sum(dice.random() < lane.errors for _ in range(exchanges))
    went_well = exchanges - errors
    confidences = [min(1.0, max(0.0, dice.gauss(lane.confidence, 0.15))) for _ in range((went_well + 1) // 2)]
    return Evidence(
        exchanges=exchanges,
        errors=errors,
        latency=_draw(lane.latency, lane.latency_width, went_well, dice),
        first_token=_draw(lane.first_token, lane.first_token_width, went_well, dice),
        tokens=_draw(lane.tokens, lane.tokens_width, (went_well + 1) // 2, dice),
        confidences=len(confidences),
        confidence_sum=sum(confidences),
        confidence_squares=sum(value * value for value in confidences),
    )


def _draw(median: float, width: float, times: int, dice: random.Random) -> Spread:
    buckets, weights = _lognormal(median, width)
    return Counter(dice.choices(buckets, cum_weights=weights, k=times))


@cache
def _lognormal(median: float, width: float) -> tuple[Sequence[int], Sequence[float]]:
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
