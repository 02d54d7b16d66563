"""Whether a lane does as well as it has to.

A bound fails the lane if what was seen would be too unlikely for a lane that is just at the bound. How unlikely that has to be
allows for all looks at once, see ``level_at``: the bounds of the plan share ``JUDGE_ALPHA`` equally, and a lane that sits on
all of them is failed within a step with that chance at most, however often it is looked at. One as good as the baseline has
the margins as well, so that its chance in a whole rollout is far below 1 %: docs/judging.md has it as measured.

A lane whose numbers are beyond a bound, though that may be chance, is undecided: it does not go on, but is not failed either.
"""

from tracer_proxy.limits import JUDGE_ALPHA
from tracer_proxy.rollout.criteria import Measured, measured
from tracer_proxy.rollout.plan import Rules
from tracer_proxy.rollout.statistics import level_at
from tracer_proxy.rollout.verdict import Finding, Outcome, Verdict
from tracer_proxy.telemetry.evidence import Evidence

_P_TOLD_MIN = 1e-99


def judge(
    rules: Rules, lane: Evidence, baseline: Evidence, *, look: int, recent: Evidence | None, alone: bool = False
) -> Verdict:
    """``lane`` and ``baseline`` are of the same window: since the step began.

    ``look`` says how often, from 0, this window has been judged before; the tests hold for any number of looks.
    ``recent`` is the lane's evidence of just the last ``rules.confidence.hold_s``; ``None`` unless it was low for all of that.
    ``alone``: the lane has all of the traffic, so that there is nothing to compare with, and only absolute bounds count.
    """
    bounds = list(measured(rules, lane, baseline, recent, alone=alone))
    findings = [_exchanges(rules.min_exchanges, lane.exchanges)]
    findings += [_decided(bound, JUDGE_ALPHA / len(bounds)) for bound in bounds]
    outcomes = {finding.outcome for finding in findings}
    return Verdict(
        outcome=next(outcome for outcome in (Outcome.FAILING, Outcome.UNDECIDED, Outcome.HEALTHY) if outcome in outcomes),
        findings=findings,
        exchanges=lane.exchanges,
        baseline_exchanges=baseline.exchanges,
        traces=lane.failed or lane.sample,
        look=look,
    )


def _exchanges(needed: int, exchanges: int) -> Finding:
    enough = exchanges >= needed
    return Finding(
        criterion="min_exchanges",
        outcome=Outcome.HEALTHY if enough else Outcome.UNDECIDED,
        value=exchanges,
        baseline=None,
        limit=needed,
        test="",
        p_value=None,
        alpha=None,
        message=f"Exchanges: {exchanges}; a step needs {needed}.",
    )


def _decided(bound: Measured, alpha: float) -> Finding:
    p_value, level = bound.p_value, level_at(bound.information, alpha) if bound.information else 0.0
    if p_value is not None and p_value < level:
        outcome, reason = Outcome.FAILING, f"{bound.beyond} ({bound.test}, {_told(p_value)} < {level:.2g})"
    elif bound.missing:
        outcome, reason = Outcome.UNDECIDED, bound.missing
    elif p_value is not None and p_value < 0.5:
        outcome = Outcome.UNDECIDED
        reason = f"{bound.beyond}, which may be chance ({bound.test}, {_told(p_value)}, fails below {level:.2g})"
    else:
        outcome, reason = Outcome.HEALTHY, bound.within
    return Finding(
        criterion=bound.criterion,
        outcome=outcome,
        value=bound.value,
        baseline=bound.baseline,
        limit=bound.limit,
        test=bound.test,
        p_value=p_value,
        alpha=None if p_value is None else level,
        message=f"{bound.seen}; {reason}.",
        bound=bound.bound,
    )


def _told(p_value: float) -> str:
    """A tail too thin for a number is not impossible."""
    return f"p = {p_value:.2g}" if p_value >= _P_TOLD_MIN else f"p < {_P_TOLD_MIN:g}"
