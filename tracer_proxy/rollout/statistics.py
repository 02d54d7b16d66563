"""The tests that a lane is judged by: each gives the chance (p) of what was seen, or worse, if the lane were just at its limit.

Rates are compared by the signed root of the likelihood ratio, not by the usual score test: between a lane of 20 exchanges and a
baseline of 2000 the score test's small p-values are wrong by a factor of a hundred, those of this test by less than two.
"""

from math import erfc, inf, log, log1p, sqrt
from typing import NamedTuple

from tracer_proxy.limits import JUDGE_KEEN_AT_EXCHANGES

_BISECTIONS = 60


class Sample(NamedTuple):
    size: int
    mean: float
    variance: float
    """Of single values."""


def upper_tail(z: float) -> float:
    """Of the standard normal distribution."""
    return erfc(z / sqrt(2)) / 2


def level_at(information: float, alpha: float) -> float:
    """What p has to be below so that the lane is wrongly failed with a chance of ``alpha``, however often one looks.

    ``information`` is the number of values so far, of two lanes ``shared_information``. The line is that of a one-sided normal
    mixture (Robbins 1970; Howard, Ramdas, McAuliffe and Sekhon 2021): a random walk crosses it with that chance
    at any time at all. It is strict while there is little to go by.
    """
    growth = 1 + information / JUDGE_KEEN_AT_EXCHANGES
    z_squared = 2 * growth / (growth - 1) * log1p(sqrt(growth) / (2 * alpha))
    return upper_tail(sqrt(z_squared))


def shared_information(one: int, other: int) -> float:
    """As many values would tell as much about one lane if all were known of the other."""
    return one * other / (one + other)


def rate_above(hits: int, tries: int, rate: float) -> float:
    """p of ``hits`` in ``tries`` if they came at ``rate``: likelihood ratio test. Below a half if more came."""
    return _p_of(hits / tries - rate, _surplus(hits, tries, rate))


def rates_apart(hits: int, tries: int, other_hits: int, other_tries: int, margin: float) -> float:
    """p if the rate lay ``margin`` above the other: likelihood ratio test for a difference of two rates."""
    if margin >= 1:
        return 1.0
    apart = hits / tries - other_hits / other_tries - margin
    # Both rates as they are most likely with just that difference: the likelihood has one peak, and is climbed by halves.
    low, high = 0.0, 1.0 - margin
    for _ in range(_BISECTIONS):
        rate = (low + high) / 2
        if _slope(hits, tries, rate + margin) + _slope(other_hits, other_tries, rate) > 0:
            low = rate
        else:
            high = rate
    rate = (low + high) / 2
    return _p_of(apart, _surplus(hits, tries, rate + margin) + _surplus(other_hits, other_tries, rate))


def means_apart(one: Sample, other: Sample, ratio: float, rounding: float) -> float:
    """p if the mean were ``ratio`` times the other: Welch's t-test of ``one - ratio * other`` (Fieller).

    ``rounding`` is the standard error of a value, relative to it, that more values do not make smaller.
    """
    first = one.variance / one.size
    second = ratio**2 * other.variance / other.size
    doubt = rounding**2 * (one.mean**2 + (ratio * other.mean) ** 2)
    freedom = first + second and (first + second) ** 2 / (first**2 / (one.size - 1) + second**2 / (other.size - 1))
    return _t_tail((one.mean - ratio * other.mean) / sqrt(first + second + doubt), freedom or inf)


def mean_below(sample: Sample, bound: float, rounding: float) -> float:
    """p if the mean were ``bound``: t-test. ``rounding`` is above 0, and as above."""
    doubt = rounding * (abs(sample.mean) + abs(bound))
    if not doubt:
        return 0.5
    error = sqrt(sample.variance / sample.size + doubt**2)
    return _t_tail((bound - sample.mean) / error, sample.size - 1)


def _p_of(apart: float, surplus: float) -> float:
    root = sqrt(2 * max(surplus, 0.0))
    return upper_tail(root if apart > 0 else -root)


def _surplus(hits: int, tries: int, rate: float) -> float:
    """How much likelier, as a logarithm, the rate that was seen makes it than ``rate`` does."""
    misses = tries - hits
    if (hits and rate <= 0) or (misses and rate >= 1):
        return inf
    return (hits and hits * log(hits / tries / rate)) + (misses and misses * log(misses / tries / (1 - rate)))


def _slope(hits: int, tries: int, rate: float) -> float:
    """Of the log likelihood."""
    return (hits and hits / rate) - (tries - hits and (tries - hits) / (1 - rate))


def _t_tail(t: float, freedom: float) -> float:
    """Of Student's distribution, by Wallace's normal approximation (1959): right to 0.01 in z from 10 degrees of freedom on."""
    if freedom == inf:
        return upper_tail(t)
    z = sqrt(freedom * log1p(t * t / freedom)) * (8 * freedom + 1) / (8 * freedom + 3)
    return upper_tail(z if t > 0 else -z)
