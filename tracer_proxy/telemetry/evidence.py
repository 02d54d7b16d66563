"""What a lane has to show for itself while a rollout judges it: counts that add up, over workers and over time.

Times and tokens are kept in buckets of a logarithmic scale, so that quantiles and rank tests can be had of sums; its ends are
fixed, so that it does not grow with what is counted. Left out is what says nothing of a lane: what its baseline served in its
place, mirrored copies, and what failed by the caller's fault.
"""

from collections.abc import Iterable
from math import exp, floor, log
from typing import Any

import msgspec
from msgspec import Struct, field

from tracer_proxy.limits import EVIDENCE_TRACES_MAX, EVIDENCE_VALUE_MAX, EVIDENCE_VALUE_MIN

_STEP = log(1.02)
"""Between two borders of the scale: a value read back from its bucket is off by 1 % at most."""


def bucket_of(value: float) -> int:
    """``value`` is above 0."""
    return floor(log(value) / _STEP)


def middle_of(bucket: int) -> float:
    return exp((bucket + 0.5) * _STEP)


Spread = dict[int, int]
"""How many values fell into each bucket."""


class Evidence(Struct, array_like=True):
    exchanges: int = 0
    errors: int = 0
    """5xx, a failed or broken off answer, an error in the midst of a stream."""
    latency: Spread = field(default_factory=dict)
    """Seconds from the request's head to the last byte, of exchanges that went well."""
    first_token: Spread = field(default_factory=dict)
    """Seconds from the request's head to the first content of a stream."""
    tokens: Spread = field(default_factory=dict)
    """Of whole turns: all calls of models in a trace."""
    confidences: int = 0
    confidence_sum: float = 0.0
    confidence_squares: float = 0.0
    failed: list[str] = field(default_factory=list)
    """Trace ids of a few exchanges that failed."""
    sample: list[str] = field(default_factory=list)
    """Trace ids of a few others."""

    def add(self, other: "Evidence") -> None:
        self.exchanges += other.exchanges
        self.errors += other.errors
        for mine, theirs in (
            (self.latency, other.latency),
            (self.first_token, other.first_token),
            (self.tokens, other.tokens),
        ):
            for bucket, count in theirs.items():
                mine[bucket] = mine.get(bucket, 0) + count
        self.confidences += other.confidences
        self.confidence_sum += other.confidence_sum
        self.confidence_squares += other.confidence_squares
        self.failed = _few(self.failed, other.failed)
        self.sample = _few(self.sample, other.sample)


def count_in(spread: Spread, value: float) -> None:
    """Of nothing there is nothing to count."""
    if value > 0:
        if not EVIDENCE_VALUE_MIN <= value <= EVIDENCE_VALUE_MAX:
            value = min(max(value, EVIDENCE_VALUE_MIN), EVIDENCE_VALUE_MAX)
        # As ``bucket_of`` has it, without the call.
        bucket = floor(log(value) / _STEP)
        spread[bucket] = spread.get(bucket, 0) + 1


def to_plain(evidence: Evidence) -> Any:
    """Fits into JSON."""
    return msgspec.to_builtins(evidence, str_keys=True)


def from_plain(plain: Any) -> Evidence:
    """Also after a way through JSON. Raises ``ValueError`` for what is none."""
    return msgspec.convert(plain, Evidence, str_keys=True)


def _few(mine: list[str], theirs: Iterable[str]) -> list[str]:
    """The newest."""
    return [*mine, *theirs][-EVIDENCE_TRACES_MAX:]
