"""Whether a lane does as well as it has to."""

from tracer_proxy.rollout.plan import Rules
from tracer_proxy.rollout.verdict import Verdict
from tracer_proxy.telemetry.evidence import Evidence


def judge(
    rules: Rules, lane: Evidence, baseline: Evidence, *, look: int, recent: Evidence | None, alone: bool = False
) -> Verdict:
    """``lane`` and ``baseline`` are of the same window: since the step began.

    ``look`` says how often, from 0, this window has been judged before: who looks often enough finds something.
    ``recent`` is the lane's evidence of just the last ``rules.confidence.hold_s``; ``None`` until that much time has passed.
    """
    raise NotImplementedError
