"""What a spread says: values that are kept in the buckets of a logarithmic scale, right to 1 %."""

from math import ceil

from tracer_proxy.rollout.statistics import Sample
from tracer_proxy.telemetry.evidence import Spread, bucket_of, middle_of


def rank_of(quantile: float, count: int) -> int:
    """The quantile is the value of that rank, from 1."""
    return max(1, ceil(quantile * count - 1e-9))


def value_at(spread: Spread, rank: int) -> float:
    """``spread`` has at least ``rank`` values, and ``rank`` is at least 1."""
    bucket = left = 0
    for bucket in sorted(spread):
        left += spread[bucket]
        if left >= rank:
            break
    return middle_of(bucket)


def count_above(spread: Spread, value: float) -> int:
    """Those in the value's own bucket do not count."""
    border = bucket_of(value)
    return sum(count for bucket, count in spread.items() if bucket > border)


def sample_of(spread: Spread) -> Sample:
    """``spread`` has at least 2 values."""
    count = sum(spread.values())
    mean = sum(middle_of(bucket) * times for bucket, times in spread.items()) / count
    squares = sum((middle_of(bucket) - mean) ** 2 * times for bucket, times in spread.items())
    return Sample(count, mean, squares / (count - 1))
