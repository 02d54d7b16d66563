"""The judge's tests against published tables, closed forms and exact enumeration."""

import random
from bisect import bisect_left
from math import comb, exp, lgamma, log, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy.rollout.spread import count_above, rank_of, sample_of, value_at
from tracer_proxy.rollout.statistics import (
    Sample,
    level_at,
    mean_below,
    means_apart,
    rate_above,
    rates_apart,
    shared_information,
    upper_tail,
)
from tracer_proxy.telemetry.evidence import Spread, count_in


@pytest.mark.parametrize(("z", "p"), [(0.0, 0.5), (1.6449, 0.05), (2.3263, 0.01), (3.0902, 0.001), (4.2649, 1e-5)])
def test_upper_tail_is_that_of_the_table(z: float, p: float) -> None:
    assert upper_tail(z) == pytest.approx(p, rel=1e-3)
    assert upper_tail(-z) == pytest.approx(1 - p, rel=1e-3)


@pytest.mark.parametrize(
    ("freedom", "t", "p"),
    [(4, 2.776, 0.025), (9, 3.250, 0.005), (19, 2.861, 0.005), (19, 3.883, 0.0005), (29, 3.659, 0.0005), (120, 3.373, 0.0005)],
)
def test_mean_below_has_the_tail_of_students_table(freedom: int, t: float, p: float) -> None:
    size = freedom + 1
    sample = Sample(size, 0.65 - t * 0.1 / sqrt(size), 0.01)
    assert mean_below(sample, 0.65, 1e-9) == pytest.approx(p, rel=0.03)
    above = Sample(size, 0.65 + t * 0.1 / sqrt(size), 0.01)
    assert mean_below(above, 0.65, 1e-9) == pytest.approx(1 - p, rel=0.03)


def test_means_apart_is_welchs_test() -> None:
    """An example that is often printed: t = 2.46 with 25.0 degrees of freedom, p = 0.021 for both sides."""
    one = [27.5, 21.0, 19.0, 23.6, 17.0, 17.9, 16.9, 20.1, 21.9, 22.6, 23.1, 19.6, 19.0, 21.7, 21.4]
    other = [27.1, 22.0, 20.8, 23.4, 23.4, 23.5, 25.8, 22.0, 24.8, 20.2, 21.9, 22.1, 22.9, 20.5, 24.4]
    p_value = means_apart(_sample(other), _sample(one), 1.0, 0.0)
    assert 2 * p_value == pytest.approx(0.021, abs=0.001)


def test_means_apart_holds_the_ratio_against_the_other_mean() -> None:
    one, other = Sample(400, 300.0, 100.0**2), Sample(400, 200.0, 100.0**2)
    assert means_apart(one, other, 1.5, 0.0) == 0.5
    z = (300 - 1.2 * 200) / sqrt(100**2 / 400 + 1.2**2 * 100**2 / 400)
    assert means_apart(one, other, 1.2, 0.0) == pytest.approx(upper_tail(z), rel=0.15)
    assert means_apart(one, other, 1.6, 0.0) > 0.5


def test_equal_values_fail_nobody_for_the_sake_of_rounding() -> None:
    assert means_apart(Sample(500, 101.0, 0.0), Sample(500, 100.0, 0.0), 1.0, 0.006) > 0.05
    assert means_apart(Sample(500, 110.0, 0.0), Sample(500, 100.0, 0.0), 1.0, 0.006) < 1e-9


def test_rate_above_is_the_root_of_the_likelihood_ratio() -> None:
    assert rate_above(10, 10, 0.05) == pytest.approx(upper_tail(sqrt(20 * log(20))))
    assert rate_above(5, 100, 0.05) == 0.5
    assert rate_above(0, 100, 0.05) == pytest.approx(1 - upper_tail(sqrt(-200 * log(0.95))))
    assert rate_above(1, 100, 0.0) == 0.0
    assert rate_above(0, 100, 0.0) == 0.5
    assert rate_above(99, 100, 1.0) == 1.0


def test_rates_apart_without_a_margin_is_the_g_test() -> None:
    """Of a table of two by two: G is twice the sum of seen * log(seen / expected)."""
    table = [(30, 70), (15, 85)]
    expected = (22.5, 77.5)
    g = 2 * sum(seen * log(seen / due) for row in table for seen, due in zip(row, expected, strict=True))
    assert rates_apart(30, 100, 15, 100, 0.0) == pytest.approx(upper_tail(sqrt(g)))
    assert rates_apart(15, 100, 30, 100, 0.0) == pytest.approx(1 - upper_tail(sqrt(g)))


@pytest.mark.parametrize("counts", [(31, 502, 5, 498), (4, 20, 10, 2000), (7, 7, 0, 30), (0, 40, 3, 40)])
def test_rates_apart_holds_the_likeliest_pair_with_the_margin_between(counts: tuple[int, int, int, int]) -> None:
    hits, tries, other_hits, other_tries = counts

    def likelihood(one: float, other: float) -> float:
        parts = ((hits, one), (tries - hits, 1 - one), (other_hits, other), (other_tries - other_hits, 1 - other))
        return sum(count * log(rate) for count, rate in parts if count)

    best = max(likelihood(step / 1e5 + 0.01, step / 1e5) for step in range(1, 99_000))
    surplus = likelihood(hits / tries, other_hits / other_tries) - best
    sign = 1 if hits / tries - other_hits / other_tries > 0.01 else -1
    assert rates_apart(*counts, 0.01) == pytest.approx(upper_tail(sign * sqrt(2 * surplus)), rel=1e-2)


@pytest.mark.parametrize(
    ("tries", "other_tries", "rate"), [(20, 20, 0.2), (20, 500, 0.01), (50, 50, 0.05), (50, 500, 0.01), (100, 100, 0.05)]
)
@pytest.mark.parametrize("level", [1e-3, 1e-4])
def test_rates_apart_fails_a_lane_at_the_margin_hardly_more_often_than_it_says(
    tries: int, other_tries: int, rate: float, level: float
) -> None:
    """By enumeration of everything that can be seen. The score test fails it up to a hundred times as often."""
    chance = 0.0
    for other_hits in range(other_tries + 1):
        weight = _binomial(other_hits, other_tries, rate)
        if weight > 1e-9:
            fewest = _fewest(tries, other_hits, other_tries, 0.01, level)
            chance += weight * sum(_binomial(hits, tries, rate + 0.01) for hits in range(fewest, tries + 1))
    assert chance < 2.5 * level


@pytest.mark.parametrize("quantile", [0.9, 0.95, 0.99])
@pytest.mark.parametrize(("count", "other"), [(20, 20), (20, 500), (500, 50), (500, 500)])
def test_exceedances_of_the_baselines_quantile_are_as_rare_as_said(quantile: float, count: int, other: int) -> None:
    """Exactly, they follow a beta-binomial distribution, whatever the values' own is."""
    rank = rank_of(quantile, other)
    beyond = other - rank + 1
    for level in (1e-3, 1e-4):
        fewest = _fewest(count, beyond, other, 0.0, level)
        assert sum(_beta_binomial(above, count, beyond, rank) for above in range(fewest, count + 1)) < 1.6 * level


def test_a_random_walk_hardly_ever_crosses_the_level() -> None:
    """Looked at after each of a thousand steps; one look at the plain level would be crossed by most of them."""
    dice = random.Random(5)
    walks, crossed, naive = 400, 0, 0
    levels = [level_at(step, 0.05) for step in range(1, 1001)]
    for _ in range(walks):
        place, tails = 0.0, []
        for step in range(1, 1001):
            place += dice.gauss()
            tails.append(upper_tail(place / sqrt(step)))
        crossed += any(tail < level for tail, level in zip(tails, levels, strict=True))
        naive += any(tail < 0.05 for tail in tails)
    assert crossed <= 0.05 * walks + 3 * sqrt(0.05 * 0.95 * walks)
    assert crossed > 0.005 * walks
    assert naive > 0.25 * walks


def test_the_level_is_strict_with_little_and_keen_with_more() -> None:
    levels = [level_at(information, 0.01) for information in (0.5, 1, 5, 25, 100)]
    assert levels == sorted(levels)
    assert levels[0] < 1e-12
    assert 1e-4 < level_at(250, 0.01) < 1e-3
    assert level_at(10**6, 0.01) < level_at(250, 0.01)


def test_a_large_baseline_is_as_good_as_known() -> None:
    assert shared_information(50, 50) == 25
    assert shared_information(50, 10**9) == pytest.approx(50)


RATES = st.integers(1, 300).flatmap(lambda tries: st.tuples(st.integers(0, tries), st.just(tries)))


@given(RATES, RATES, st.floats(0, 0.5))
def test_more_hits_are_never_better(one: tuple[int, int], other: tuple[int, int], margin: float) -> None:
    (hits, tries), (other_hits, other_tries) = one, other
    p_value = rates_apart(hits, tries, other_hits, other_tries, margin)
    assert 0 <= p_value <= 1
    assert (p_value < 0.5) <= (hits / tries - other_hits / other_tries > margin)
    if hits < tries:
        assert rates_apart(hits + 1, tries, other_hits, other_tries, margin) <= p_value + 1e-9
        assert rate_above(hits + 1, tries, 0.1) <= rate_above(hits, tries, 0.1)
    if other_hits < other_tries:
        assert rates_apart(hits, tries, other_hits + 1, other_tries, margin) >= p_value - 1e-9
    assert rates_apart(hits, tries, other_hits, other_tries, margin + 0.1) >= p_value - 1e-9


@given(st.lists(st.floats(1e-3, 1e4), min_size=2, max_size=60), st.floats(0.01, 0.999))
def test_a_spread_says_what_its_values_do(values: list[float], quantile: float) -> None:
    spread = _spread(values)
    rank = rank_of(quantile, len(values))
    assert value_at(spread, rank) == pytest.approx(sorted(values)[rank - 1], rel=0.0101)
    assert sample_of(spread).mean == pytest.approx(sum(values) / len(values), rel=0.0101)
    limit = sorted(values)[rank - 1]
    assert count_above(spread, limit) <= sum(value > limit for value in values) <= len(values) - rank
    assert count_above(spread, limit) >= sum(value > 1.0201 * limit for value in values)


def _sample(values: list[float]) -> Sample:
    mean = sum(values) / len(values)
    return Sample(len(values), mean, sum((value - mean) ** 2 for value in values) / (len(values) - 1))


def _spread(values: list[float]) -> Spread:
    spread: Spread = {}
    for value in values:
        count_in(spread, value)
    return spread


def _fewest(tries: int, other_hits: int, other_tries: int, margin: float, level: float) -> int:
    """Hits that fail; one more than there are tries if not even all of them do."""

    def fails(hits: int) -> bool:
        return rates_apart(hits, tries, other_hits, other_tries, margin) < level

    return bisect_left(range(tries + 1), True, key=fails)


def _binomial(hits: int, tries: int, rate: float) -> float:
    return comb(tries, hits) * rate**hits * (1 - rate) ** (tries - hits)


def _beta_binomial(hits: int, tries: int, a: int, b: int) -> float:
    def log_beta(one: int, other: int) -> float:
        return lgamma(one) + lgamma(other) - lgamma(one + other)

    return comb(tries, hits) * exp(log_beta(hits + a, tries - hits + b) - log_beta(a, b))
