"""What docs/judging.md says of the judge is true: its findings are made by him, and its figures are those of the code."""

import re
from pathlib import Path

import pytest

from tracer_proxy import limits
from tracer_proxy.rollout.judge import judge
from tracer_proxy.rollout.plan import ConfidenceLimit, QuantileLimit, RateLimit, Rules
from tracer_proxy.rollout.verdict import Outcome
from tracer_proxy.telemetry.evidence import Evidence, bucket_of

PAGE = (Path(__file__).parents[2] / "docs" / "judging.md").read_text()
RULES = Rules(
    error_rate=RateLimit(worse_than_baseline=0.01),
    latency=QuantileLimit(worse_than_baseline=1.3),
    confidence=ConfidenceLimit(mean=0.65, hold_s=300),
)


def test_the_findings_are_the_judges() -> None:
    canary = Evidence(exchanges=502, errors=38, latency={bucket_of(3.9): 464})
    baseline = Evidence(exchanges=498, errors=5, latency={bucket_of(3.7): 493})
    recent = Evidence(confidences=236, confidence_sum=236 * 0.81, confidence_squares=236 * 0.67)
    (told,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    findings = judge(RULES, canary, baseline, look=0, recent=recent).findings
    assert told.splitlines() == [finding.message for finding in findings]


@pytest.mark.parametrize("baseline", [Evidence(exchanges=20), Evidence(exchanges=500, errors=5)])
def test_nothing_but_errors_fails_after_as_many_exchanges_as_told(baseline: Evidence) -> None:
    rules = Rules(error_rate=RateLimit(absolute=0.05, worse_than_baseline=0.01))
    failing = [
        count
        for count in range(1, 20)
        if judge(rules, Evidence(count, count), baseline, look=0, recent=None).outcome is Outcome.FAILING
    ]
    assert 4 <= failing[0] <= 6
    assert "after four to six\nexchanges" in PAGE


def test_the_figures_are_those_of_the_code() -> None:
    assert f"The chance of a wrong alarm, {100 * limits.JUDGE_ALPHA:g} % for each step" in PAGE
    assert f"needs {limits.JUDGE_VALUES_MIN} exchanges, values or turns" in PAGE


def test_every_bound_is_told() -> None:
    rules = Rules(
        error_rate=RateLimit(absolute=0.05, worse_than_baseline=0.01),
        latency=QuantileLimit(absolute=1.0, worse_than_baseline=1.3),
        first_token=QuantileLimit(absolute=1.0, worse_than_baseline=1.3),
        confidence=RULES.confidence,
        tokens_per_turn=1.5,
    )
    for finding in judge(rules, Evidence(), Evidence(), look=0, recent=None).findings:
        assert f"`{finding.criterion}{'.' if finding.bound else ''}{finding.bound}`" in PAGE
