"""A rollout as the config has it."""

from dataclasses import dataclass
from enum import StrEnum


class OnFailure(StrEnum):
    ROLLBACK = "rollback"
    """The lane gets nothing any more, coloured traffic included."""
    PAUSE = "pause"
    """It keeps the weight that it has, and somebody has to decide."""
    SWITCH = "switch_to"
    """Another lane gets its weight."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """Shares from 0 to 1; ``None`` is no limit."""

    absolute: float | None = None
    worse_than_baseline: float | None = None
    """How far above the baseline's it may lie: a difference."""


@dataclass(frozen=True, slots=True)
class QuantileLimit:
    quantile: float = 0.95
    absolute: float | None = None
    """Seconds."""
    worse_than_baseline: float | None = None
    """A ratio."""


@dataclass(frozen=True, slots=True)
class ConfidenceLimit:
    mean: float
    hold_s: float
    """How long it has to stay below before that counts."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What the judge goes by."""

    min_exchanges: int = 50
    """Of the lane within a step, before it may go on to the next."""
    error_rate: RateLimit | None = None
    latency: QuantileLimit | None = None
    first_token: QuantileLimit | None = None
    confidence: ConfidenceLimit | None = None
    tokens_per_turn: float | None = None
    """How many times the baseline's the lane's may be on average."""


@dataclass(frozen=True, slots=True)
class Plan:
    name: str
    route: str
    lane: str
    baseline: str
    """Name of the route's baseline lane."""
    steps: tuple[float, ...]
    """Percent of sessions, rising."""
    hold_s: float
    """How long each step lasts at least."""
    rules: Rules
    on_failure: OnFailure = OnFailure.ROLLBACK
    switch_to: str = ""
    """A lane of the route."""
