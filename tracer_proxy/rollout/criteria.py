"""Each bound of a plan, held against what lanes have to show."""

from collections.abc import Iterator
from typing import NamedTuple

from tracer_proxy.limits import JUDGE_VALUES_MIN
from tracer_proxy.rollout.plan import ConfidenceLimit, QuantileLimit, RateLimit, Rules
from tracer_proxy.rollout.spread import count_above, rank_of, sample_of, value_at
from tracer_proxy.rollout.statistics import (
    Sample,
    mean_below,
    means_apart,
    rate_above,
    rates_apart,
    shared_information,
)
from tracer_proxy.telemetry.evidence import Evidence, Spread

RATE_TEST = "likelihood ratio test"
MEAN_TEST = "t-test"
_BUCKET_ERROR = 0.006
"""Standard error of a value that is read back from its bucket."""
_SUM_ERROR = 1e-6
"""Far more than what sums of floats lose."""


class Measured(NamedTuple):
    """A bound that has not been judged yet."""

    criterion: str
    bound: str
    limit: float
    test: str
    seen: str
    """The numbers, for people."""
    within: str = ""
    """What holds of them if they are good."""
    beyond: str = ""
    """What holds if not."""
    value: float | None = None
    baseline: float | None = None
    p_value: float | None = None
    """``None`` where there is nothing to test."""
    information: float = 0.0
    missing: str = ""
    """Why the lane cannot be healthy yet."""


def measured(rules: Rules, lane: Evidence, baseline: Evidence, recent: Evidence | None, *, alone: bool) -> Iterator[Measured]:
    if rules.error_rate:
        yield from _errors(rules.error_rate, lane, baseline, alone)
    if rules.latency:
        yield from _times("max_latency", "Latency", rules.latency, lane.latency, baseline.latency, alone)
    if rules.first_token:
        yield from _times("max_first_token", "First token", rules.first_token, lane.first_token, baseline.first_token, alone)
    if rules.confidence:
        yield _confidence(rules.confidence, lane, recent)
    if rules.tokens_per_turn is not None and not alone:
        yield _tokens(rules.tokens_per_turn, lane.tokens, baseline.tokens)


def _errors(limit: RateLimit, lane: Evidence, baseline: Evidence, alone: bool) -> Iterator[Measured]:
    if limit.absolute is not None:
        yield _error_rate(limit.absolute, lane)
    if limit.worse_than_baseline is not None and not alone:
        yield _errors_compared(limit.worse_than_baseline, lane, baseline)


def _error_rate(limit: float, lane: Evidence) -> Measured:
    missing = "" if lane.exchanges else "1 exchange of the lane is needed"
    bound = Measured("max_error_rate", "absolute", limit, RATE_TEST, "Errors: no exchanges yet", missing=missing)
    if missing:
        return bound
    return bound._replace(
        seen=f"Errors: {_share(lane.errors, lane.exchanges)}",
        within=f"not above {100 * limit:g} %",
        beyond=f"above {100 * limit:g} %",
        value=lane.errors / lane.exchanges,
        p_value=rate_above(lane.errors, lane.exchanges, limit),
        information=lane.exchanges,
    )


def _errors_compared(margin: float, lane: Evidence, baseline: Evidence) -> Measured:
    seen = (
        f"Errors: {_share(lane.errors, lane.exchanges)} against {_share(baseline.errors, baseline.exchanges)} of the baseline"
    )
    missing = _too_few("exchange", baseline.exchanges, of="the baseline")
    bound = Measured("max_error_rate", "worse_than_baseline", margin, RATE_TEST, seen, missing=missing)
    if not lane.exchanges or not baseline.exchanges:
        return bound
    return bound._replace(
        within=f"at most {_points(margin)} above it",
        beyond=f"more than {_points(margin)} above it",
        value=lane.errors / lane.exchanges,
        baseline=baseline.errors / baseline.exchanges,
        p_value=rates_apart(lane.errors, lane.exchanges, baseline.errors, baseline.exchanges, margin),
        information=shared_information(lane.exchanges, baseline.exchanges),
    )


def _times(key: str, name: str, limit: QuantileLimit, lane: Spread, baseline: Spread, alone: bool) -> Iterator[Measured]:
    if limit.absolute is not None:
        yield _quantile(key, name, limit.quantile, limit.absolute, lane)
    if limit.worse_than_baseline is not None and not alone:
        yield _quantiles_compared(key, name, limit.quantile, limit.worse_than_baseline, lane, baseline)


def _quantile(key: str, name: str, quantile: float, limit: float, lane: Spread) -> Measured:
    """If ``limit`` is kept, at most ``1 - quantile`` of the lane's values lie above it."""
    count = sum(lane.values())
    missing = _too_few("value", count, quantile)
    bound = Measured(key, "absolute", limit, RATE_TEST, f"{name}: no values yet", missing=missing)
    if not count:
        return bound
    return bound._replace(
        seen=f"{name}: {_quantile_of(quantile, lane, count)}",
        within=f"not above {limit:g} s",
        beyond=f"above {limit:g} s",
        value=value_at(lane, rank_of(quantile, count)),
        p_value=rate_above(count_above(lane, limit), count, 1 - quantile),
        information=count,
    )


def _quantiles_compared(key: str, name: str, quantile: float, ratio: float, lane: Spread, baseline: Spread) -> Measured:
    """If the limit is kept, as few of the lane's values lie above ``ratio`` times the baseline's quantile as of its own.

    The quantile is one of the baseline's values, and is counted as above itself: so the baseline's own doubt is in the test.
    """
    count, other = sum(lane.values()), sum(baseline.values())
    missing = _too_few("value", count, quantile) or _too_few("value", other, quantile, of="the baseline")
    seen = f"{name}: {count} values, and {other} of the baseline"
    bound = Measured(key, "worse_than_baseline", ratio, RATE_TEST, seen, missing=missing)
    if not count or not other:
        return bound
    rank = rank_of(quantile, other)
    usual = value_at(baseline, rank)
    above = count_above(lane, ratio * usual)
    return bound._replace(
        seen=f"{name}: {_quantile_of(quantile, lane, count)} against {usual:.3g} s ({other}) of the baseline",
        within=f"at most {ratio:g} times that",
        beyond=f"more than {ratio:g} times that",
        value=value_at(lane, rank_of(quantile, count)),
        baseline=usual,
        p_value=rates_apart(above, count, other - rank + 1, other, 0.0),
        information=shared_information(count, other),
    )


def _tokens(ratio: float, lane: Spread, baseline: Spread) -> Measured:
    count, other = sum(lane.values()), sum(baseline.values())
    missing = _too_few("turn", count) or _too_few("turn", other, of="the baseline")
    bound = Measured("max_tokens_per_turn", "worse_than_baseline", ratio, MEAN_TEST, "", missing=missing)
    if missing:
        return bound._replace(seen=f"Tokens: of {count} turns, and {other} of the baseline")
    one, base = sample_of(lane), sample_of(baseline)
    return bound._replace(
        seen=f"Tokens: {one.mean:.0f} a turn ({count} turns) against {base.mean:.0f} ({other}) of the baseline",
        within=f"at most {ratio:g} times that",
        beyond=f"more than {ratio:g} times that",
        value=one.mean,
        baseline=base.mean,
        p_value=means_apart(one, base, ratio, _BUCKET_ERROR),
        information=shared_information(count, other),
    )


def _confidence(limit: ConfidenceLimit, lane: Evidence, recent: Evidence | None) -> Measured:
    """What has not been watched for long enough cannot fail, but is not healthy either while it is below."""
    evidence = lane if recent is None else recent
    count = evidence.confidences
    window = f"{limit.hold_s:g} s"
    seen = f"Confidence: {count} values" + ("" if recent is None else f" in the last {window}")
    bound = Measured("min_confidence", "", limit.mean, MEAN_TEST, seen, missing=_too_few("value", count))
    if bound.missing:
        return bound
    mean = evidence.confidence_sum / count
    variance = max(0.0, evidence.confidence_squares - count * mean**2) / (count - 1)
    p_value = mean_below(Sample(count, mean, variance), limit.mean, _SUM_ERROR)
    return bound._replace(
        seen=f"Confidence: {mean:.3g} on average of {count} values" + ("" if recent is None else f" in the last {window}"),
        within=f"not below {limit.mean:g}",
        beyond=f"below {limit.mean:g}",
        value=mean,
        p_value=None if recent is None else p_value,
        information=count,
        missing=f"below {limit.mean:g}, but not for {window} yet" if recent is None and p_value < 0.5 else "",
    )


def _too_few(what: str, count: int, quantile: float = 0.0, of: str = "the lane") -> str:
    """Empty if there are enough. No fewer values have one beyond the quantile."""
    needed = max(JUDGE_VALUES_MIN, round(1 / (1 - quantile)))
    return f"{needed} {what}s of {of} are needed" if count < needed else ""


def _quantile_of(quantile: float, spread: Spread, count: int) -> str:
    return f"{100 * quantile:g} % within {value_at(spread, rank_of(quantile, count)):.3g} s ({count} values)"


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({100 * part / whole:.1f} %)" if whole else "no exchanges"


def _points(share: float) -> str:
    return f"{100 * share:g} point" + ("" if share == 0.01 else "s")
