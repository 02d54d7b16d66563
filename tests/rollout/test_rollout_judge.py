"""What the judge says of a lane: which bounds fail it, which leave it undecided, and in which words."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tracer_proxy.rollout.judge import judge
from tracer_proxy.rollout.plan import ConfidenceLimit, QuantileLimit, RateLimit, Rules
from tracer_proxy.rollout.verdict import Finding, Outcome, Verdict
from tracer_proxy.telemetry.evidence import Evidence, Spread, bucket_of

ERRORS = Rules(error_rate=RateLimit(absolute=0.05, worse_than_baseline=0.01))
LATENCY = Rules(latency=QuantileLimit(quantile=0.95, worse_than_baseline=1.3))
SLOWEST = Rules(latency=QuantileLimit(quantile=0.95, absolute=2.0))
FIRST_TOKEN = Rules(first_token=QuantileLimit(quantile=0.9, worse_than_baseline=1.5))
CONFIDENCE = Rules(confidence=ConfidenceLimit(mean=0.65, hold_s=300))
TOKENS = Rules(tokens_per_turn=1.5)
EVERYTHING = Rules(
    error_rate=ERRORS.error_rate,
    latency=QuantileLimit(quantile=0.95, absolute=60.0, worse_than_baseline=1.3),
    first_token=FIRST_TOKEN.first_token,
    confidence=CONFIDENCE.confidence,
    tokens_per_turn=1.5,
)


def lane(exchanges: int = 500, errors: int = 0, **shown: object) -> Evidence:
    return msgspec.structs.replace(Evidence(exchanges=exchanges, errors=errors), **shown)


def spread(*values: float, times: int = 1) -> Spread:
    return {bucket_of(value): times for value in values}


def around(value: float, times: int = 25) -> Spread:
    """Twenty times that many values, up to 1.6 times ``value``."""
    return {bucket_of(value) + step: times for step in range(20)}


def confident(mean: float, values: int = 100) -> Evidence:
    """Half of the values a tenth above, half a tenth below."""
    return lane(
        confidences=values,
        confidence_sum=mean * values,
        confidence_squares=values * ((mean - 0.1) ** 2 + (mean + 0.1) ** 2) / 2,
    )


def verdict_of(
    rules: Rules, canary: Evidence, baseline: Evidence | None = None, *, recent: Evidence | None = None, alone: bool = False
) -> Verdict:
    return judge(rules, canary, baseline or Evidence(), look=0, recent=recent, alone=alone)


def finding(verdict: Verdict, criterion: str, bound: str = "") -> Finding:
    (found,) = [found for found in verdict.findings if (found.criterion, found.bound) == (criterion, bound)]
    return found


def test_a_lane_that_fails_much_more_often_than_the_baseline_is_failed_with_the_numbers() -> None:
    verdict = verdict_of(ERRORS, lane(502, 38, failed=["f1"], sample=["s1"]), lane(498, 5))
    assert verdict.outcome is Outcome.FAILING
    found = finding(verdict, "max_error_rate", "worse_than_baseline")
    assert found.value == pytest.approx(38 / 502)
    assert found.baseline == pytest.approx(5 / 498)
    assert found.limit == 0.01
    assert found.test == "likelihood ratio test"
    assert found.p_value is not None
    assert found.alpha is not None
    assert found.p_value < found.alpha < 0.001
    told = (
        "Errors: 38 of 502 (7.6 %) against 5 of 498 (1.0 %) of the baseline; "
        f"more than 1 point above it (likelihood ratio test, p = {found.p_value:.2g} < {found.alpha:.2g})."
    )
    assert verdict.message == found.message == told
    assert verdict.traces == ["f1"]
    assert (verdict.exchanges, verdict.baseline_exchanges) == (502, 498)


def test_a_lane_as_good_as_the_baseline_is_healthy() -> None:
    verdict = verdict_of(ERRORS, lane(500, 5, sample=["s1"]), lane(500, 5))
    assert verdict.outcome is Outcome.HEALTHY
    assert finding(verdict, "max_error_rate", "worse_than_baseline").message == (
        "Errors: 5 of 500 (1.0 %) against 5 of 500 (1.0 %) of the baseline; at most 1 point above it."
    )
    assert verdict.traces == ["s1"]


def test_what_may_be_chance_neither_fails_nor_goes_on() -> None:
    verdict = verdict_of(ERRORS, lane(100, 3), lane(100, 1))
    assert verdict.outcome is Outcome.UNDECIDED
    assert "more than 1 point above it, which may be chance" in verdict.message


def test_a_ratio_of_ten_samples_fails_nobody() -> None:
    """Twenty times the baseline's rate."""
    assert verdict_of(ERRORS, lane(10, 2), lane(500, 5)).outcome is Outcome.UNDECIDED


@pytest.mark.parametrize("baseline", [lane(500, 5), lane(50, 0), lane(20, 0)])
def test_a_lane_that_only_fails_is_failed_after_a_handful_of_exchanges(baseline: Evidence) -> None:
    assert ERRORS.min_exchanges > 10
    assert verdict_of(ERRORS, lane(10, 10), baseline).outcome is Outcome.FAILING
    assert verdict_of(ERRORS, lane(2, 2), baseline).outcome is Outcome.UNDECIDED
    compared = Rules(error_rate=RateLimit(worse_than_baseline=0.01))
    assert verdict_of(compared, lane(10, 10), baseline).outcome is Outcome.FAILING


@pytest.mark.parametrize("exchanges", [0, 1, 49])
def test_too_few_exchanges_leave_a_lane_undecided(exchanges: int) -> None:
    verdict = verdict_of(ERRORS, lane(exchanges), lane(500, 5))
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.message.startswith(f"Exchanges: {exchanges}; a step needs 50.")
    assert verdict_of(ERRORS, lane(50), lane(500, 5)).outcome is Outcome.HEALTHY


def test_without_any_bound_only_the_exchanges_count() -> None:
    assert verdict_of(Rules(), lane(50)).outcome is Outcome.HEALTHY
    assert verdict_of(Rules(), lane(49)).outcome is Outcome.UNDECIDED


def test_no_evidence_at_all_is_undecided_in_every_respect() -> None:
    verdict = verdict_of(EVERYTHING, Evidence())
    assert verdict.outcome is Outcome.UNDECIDED
    assert len(verdict.findings) == 8
    assert {found.outcome for found in verdict.findings} == {Outcome.UNDECIDED}
    assert all(found.message.endswith(".") for found in verdict.findings)
    assert verdict.traces == []


@pytest.mark.parametrize(("baseline", "outcome"), [(0, "undecided"), (19, "undecided"), (20, "healthy")])
def test_a_baseline_without_traffic_leaves_what_is_compared_undecided(baseline: int, outcome: str) -> None:
    verdict = verdict_of(ERRORS, lane(), lane(baseline))
    assert verdict.outcome == outcome
    assert finding(verdict, "max_error_rate", "absolute").outcome is Outcome.HEALTHY


def test_a_lane_that_has_all_of_the_traffic_is_judged_by_absolute_bounds_alone() -> None:
    canary = replace(confident(0.8), latency=around(1.0))
    verdict = verdict_of(EVERYTHING, canary, recent=confident(0.8), alone=True)
    assert verdict.outcome is Outcome.HEALTHY
    assert [(found.criterion, found.bound) for found in verdict.findings] == [
        ("min_exchanges", ""),
        ("max_error_rate", "absolute"),
        ("max_latency", "absolute"),
        ("min_confidence", ""),
    ]
    assert verdict_of(EVERYTHING, replace(canary, errors=100), alone=True).outcome is Outcome.FAILING


def test_slow_answers_fail_a_lane_by_the_baselines_quantile() -> None:
    baseline = lane(latency=around(1.0))
    assert verdict_of(LATENCY, lane(latency=around(1.25)), baseline).outcome is Outcome.HEALTHY
    slow = verdict_of(LATENCY, lane(latency=around(1.6)), baseline)
    assert slow.outcome is Outcome.FAILING
    found = finding(slow, "max_latency", "worse_than_baseline")
    assert found.value == pytest.approx(1.6 * 1.44, rel=0.02)
    assert found.baseline == pytest.approx(1.44, rel=0.02)
    assert found.message.startswith("Latency: 95 % within 2.27 s (500 values) against 1.44 s (500) of the baseline; more than")


def test_lanes_whose_values_are_all_alike_are_told_apart() -> None:
    baseline = lane(latency=spread(1.0, times=500))
    assert verdict_of(LATENCY, lane(latency=spread(1.29, times=500)), baseline).outcome is Outcome.HEALTHY
    assert verdict_of(LATENCY, lane(latency=spread(1.35, times=500)), baseline).outcome is Outcome.FAILING


def test_a_slow_tail_beyond_the_quantile_is_allowed() -> None:
    baseline = lane(latency=spread(1.0, times=1000))
    tail = {bucket_of(1.0): 960, bucket_of(9.0): 40}
    assert verdict_of(LATENCY, lane(latency=tail), baseline).outcome is Outcome.HEALTHY
    longer = {bucket_of(1.0): 880, bucket_of(9.0): 120}
    assert verdict_of(LATENCY, lane(latency=longer), baseline).outcome is Outcome.FAILING


def test_an_absolute_quantile_counts_what_lies_above() -> None:
    within = {bucket_of(1.0): 480, bucket_of(3.0): 20}
    above = {bucket_of(1.0): 440, bucket_of(3.0): 60}
    assert verdict_of(SLOWEST, lane(latency=within)).outcome is Outcome.HEALTHY
    verdict = verdict_of(SLOWEST, lane(latency=above))
    assert verdict.outcome is Outcome.FAILING
    assert "95 % within 3" in verdict.message
    assert "above 2 s (likelihood ratio test" in verdict.message


def test_a_slow_first_token_fails_a_lane() -> None:
    baseline = lane(first_token=around(0.3))
    assert verdict_of(FIRST_TOKEN, lane(first_token=around(0.6)), baseline).outcome is Outcome.FAILING
    assert verdict_of(FIRST_TOKEN, lane(first_token=around(0.4)), baseline).outcome is Outcome.HEALTHY


@pytest.mark.parametrize("rules", [LATENCY, SLOWEST, FIRST_TOKEN, TOKENS])
def test_a_bound_without_values_is_undecided(rules: Rules) -> None:
    verdict = verdict_of(rules, lane(500), lane(500))
    assert verdict.outcome is Outcome.UNDECIDED
    assert "of the lane are needed" in verdict.message


def test_a_high_quantile_needs_more_values() -> None:
    rules = Rules(latency=QuantileLimit(quantile=0.99, absolute=2.0))
    verdict = verdict_of(rules, lane(latency=spread(1.0, times=99)))
    assert verdict.outcome is Outcome.UNDECIDED
    assert "100 values of the lane are needed" in verdict.message
    assert verdict_of(rules, lane(latency=spread(1.0, times=100))).outcome is Outcome.HEALTHY


def test_twice_the_tokens_fail_a_lane() -> None:
    baseline = lane(tokens=around(1000.0))
    assert verdict_of(TOKENS, lane(tokens=around(1400.0)), baseline).outcome is Outcome.HEALTHY
    verdict = verdict_of(TOKENS, lane(tokens=around(2000.0)), baseline)
    assert verdict.outcome is Outcome.FAILING
    assert "(500 turns) against" in verdict.message
    assert "more than 1.5 times that (t-test" in verdict.message


def test_a_few_turns_that_run_away_count_with_all_their_tokens() -> None:
    """The median is the baseline's."""
    runaway = {bucket_of(1000.0): 900, bucket_of(20_000.0): 100}
    assert verdict_of(TOKENS, lane(tokens=runaway), lane(tokens=spread(1000.0, times=900))).outcome is Outcome.FAILING


def test_confidence_below_the_bound_fails_once_it_was_watched_for_long_enough() -> None:
    low, _high = confident(0.55), confident(0.75)
    early = verdict_of(CONFIDENCE, low)
    assert early.outcome is Outcome.UNDECIDED
    assert early.message == "Confidence: 0.55 on average of 100 values; below 0.65, but not for 300 s yet."
    late = verdict_of(CONFIDENCE, low, recent=low)
    assert late.outcome is Outcome.FAILING
    assert late.message.startswith("Confidence: 0.55 on average of 100 values in the last 300 s; below 0.65 (t-test, p = ")


def test_what_is_all_but_impossible_is_not_told_as_a_chance_of_nothing() -> None:
    low = confident(0.5, values=1500)
    assert verdict_of(CONFIDENCE, low, recent=low).message.partition("(")[2].startswith("t-test, p < 1e-99 < 0.0")


def test_confidence_that_came_back_is_healthy() -> None:
    low, high = confident(0.55), confident(0.75)
    assert verdict_of(CONFIDENCE, high).outcome is Outcome.HEALTHY
    assert verdict_of(CONFIDENCE, low, recent=high).outcome is Outcome.HEALTHY
    assert verdict_of(CONFIDENCE, high, recent=low).outcome is Outcome.FAILING


@pytest.mark.parametrize("values", [0, 1, 19])
def test_confidence_with_too_few_values_is_undecided(values: int) -> None:
    low = confident(0.1, values)
    assert verdict_of(CONFIDENCE, confident(0.9), recent=low).outcome is Outcome.UNDECIDED
    assert verdict_of(CONFIDENCE, low).outcome is Outcome.UNDECIDED


def test_confidence_that_is_always_at_the_bound_is_healthy() -> None:
    """Sums of floats are a little off."""
    values = [0.65] * 1000
    same = lane(confidences=1000, confidence_sum=sum(values), confidence_squares=sum(value * value for value in values))
    assert verdict_of(CONFIDENCE, same, recent=same).outcome is not Outcome.FAILING


def test_a_scale_of_confidence_may_have_its_bound_at_nothing() -> None:
    rules = Rules(confidence=ConfidenceLimit(mean=0.0, hold_s=300))
    at_bound = lane(confidences=100)
    assert verdict_of(rules, at_bound, recent=at_bound).outcome is Outcome.HEALTHY
    below = lane(confidences=100, confidence_sum=-100.0, confidence_squares=100.0)
    assert verdict_of(rules, below, recent=below).outcome is Outcome.FAILING


def test_a_verdict_is_json_and_back() -> None:
    verdict = judge(EVERYTHING, lane(500, 400, failed=["f1"]), lane(500, 5), look=41, recent=None)
    text = msgspec.json.encode(verdict)
    assert msgspec.json.decode(text, type=Verdict) == verdict
    shown = msgspec.json.decode(text)
    assert shown["outcome"] == "failing"
    assert shown["look"] == 41
    assert shown["findings"][1]["bound"] == "absolute"


def test_bounds_of_nothing_and_of_everything_are_taken_at_their_word() -> None:
    nothing = Rules(error_rate=RateLimit(absolute=0.0, worse_than_baseline=0.0))
    assert verdict_of(nothing, lane(500, 0), lane(500, 0)).outcome is Outcome.HEALTHY
    assert verdict_of(nothing, lane(500, 1), lane(500, 0)).outcome is Outcome.FAILING
    everything = Rules(error_rate=RateLimit(absolute=1.0, worse_than_baseline=1.0))
    assert verdict_of(everything, lane(500, 500), lane(500, 0)).outcome is Outcome.HEALTHY


SPREADS = st.dictionaries(st.integers(-200, 500), st.integers(1, 1000), max_size=30)


@st.composite
def evidences(draw: st.DrawFn) -> Evidence:
    exchanges = draw(st.integers(0, 3000))
    values = draw(st.lists(st.floats(0, 1), max_size=40))
    return Evidence(
        exchanges=exchanges,
        errors=draw(st.integers(0, exchanges)),
        latency=draw(SPREADS),
        first_token=draw(SPREADS),
        tokens=draw(SPREADS),
        confidences=len(values),
        confidence_sum=sum(values),
        confidence_squares=sum(value * value for value in values),
    )


@given(evidences(), evidences(), evidences() | st.none(), st.booleans())
def test_a_verdict_follows_from_its_findings(
    canary: Evidence, baseline: Evidence, recent: Evidence | None, alone: bool
) -> None:
    verdict = verdict_of(EVERYTHING, canary, baseline, recent=recent, alone=alone)
    outcomes = [found.outcome for found in verdict.findings]
    assert (verdict.outcome is Outcome.FAILING) == (Outcome.FAILING in outcomes)
    assert (verdict.outcome is Outcome.HEALTHY) == (set(outcomes) == {Outcome.HEALTHY})
    if canary.exchanges < EVERYTHING.min_exchanges or not (recent or canary).confidences:
        assert verdict.outcome is not Outcome.HEALTHY
    for found in verdict.findings:
        if found.p_value is not None and found.alpha is not None:
            assert 0 <= found.p_value <= 1
            assert (found.outcome is Outcome.FAILING) == (found.p_value < found.alpha)
            assert found.alpha <= 0.05


@given(evidences())
def test_a_lane_is_never_failed_against_its_likeness(canary: Evidence) -> None:
    compared = Rules(
        error_rate=RateLimit(worse_than_baseline=0.0),
        latency=QuantileLimit(worse_than_baseline=1.0),
        first_token=QuantileLimit(quantile=0.5, worse_than_baseline=1.0),
        tokens_per_turn=1.0,
    )
    assert verdict_of(compared, canary, canary).outcome is not Outcome.FAILING


@given(evidences(), evidences())
def test_another_error_never_saves_a_lane(canary: Evidence, baseline: Evidence) -> None:
    worse = replace(canary, errors=min(canary.errors + 1, canary.exchanges))
    before, after = (verdict_of(ERRORS, evidence, baseline).outcome for evidence in (canary, worse))
    assert before is not Outcome.FAILING or after is Outcome.FAILING
    assert after is not Outcome.HEALTHY or before is Outcome.HEALTHY
