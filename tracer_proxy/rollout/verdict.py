"""What the judge has found, with the numbers that it goes by."""

from enum import StrEnum

from msgspec import Struct


class Outcome(StrEnum):
    HEALTHY = "healthy"
    FAILING = "failing"
    UNDECIDED = "undecided"
    """There is too little to go by: the lane is held where it is."""


class Finding(Struct, frozen=True):
    """One bound of the plan; a criterion may have two."""

    criterion: str
    """Its key in the config, such as ``max_error_rate``."""
    outcome: Outcome
    value: float | None
    """Of the lane; ``None`` without data."""
    baseline: float | None
    """Of the baseline in the same window; ``None`` where it is not compared."""
    limit: float
    test: str
    """Which statistical test, such as ``likelihood ratio test``; empty for a plain bound."""
    p_value: float | None
    alpha: float | None
    """What ``p_value`` has to be below to fail the lane, at this look."""
    message: str
    """One sentence for people, with the numbers."""
    bound: str = ""
    """The bound's key within the criterion, such as ``worse_than_baseline``; empty where the criterion has but one."""


class Verdict(Struct, frozen=True):
    outcome: Outcome
    """Failing if one criterion is, else undecided if one is, else healthy."""
    findings: list[Finding]
    exchanges: int
    baseline_exchanges: int
    traces: list[str]
    """Trace ids of a few exchanges: of those that failed, where there are any."""
    look: int = 0
    """How often, from 0, the window had been judged before."""

    @property
    def message(self) -> str:
        """What decided."""
        decisive = [finding.message for finding in self.findings if finding.outcome is self.outcome]
        return " ".join(decisive)
