"""What is played: agents that behave in a known way, a plan, and how that has to end."""

from collections.abc import Mapping
from dataclasses import dataclass

from tracer_proxy.rollout.course import Status

HELD = "held"
"""Still running at its first step when the time is over."""
ROUTE = "planner"
PATH = "/agents/planner"

HOLD_S = 10.0
MEANT_HOLD_S = 300.0
"""What ``HOLD_S`` stands for: time runs thirty times as fast as in a rollout of people."""
LIMIT_S = 60.0
WATCH_S = 2.5 * HOLD_S
"""How long one that must be held is watched."""

CANARY_JUDGE = """
      min_exchanges: 50
      max_error_rate: {absolute: 0.05, worse_than_baseline: 0.02}
      max_first_token: {quantile: 0.95, absolute: 2s, worse_than_baseline: 1.5}"""
GUARD_JUDGE = f"""
      min_confidence: {{mean: 0.65, for: {HOLD_S:g}s, header: x-confidence}}"""


@dataclass(frozen=True)
class Behaviour:
    """Of an agent. Shares are of its answers."""

    errors: float = 0.01
    """Answered with 500."""
    broken: float = 0.0
    """Cut in the midst of the stream."""
    first_token_s: float = 0.06
    """Median of a lognormal distribution."""
    confidence: float | None = 0.8


@dataclass(frozen=True)
class Scenario:
    name: str
    told: str
    """What it plays, for people."""
    expected: str
    """A status of a rollout, or ``HELD``."""
    lanes: Mapping[str, Behaviour]
    """The first is the baseline."""
    judged: str
    """A lane."""
    decided_by: str = ""
    """The criterion that has to have decided."""
    afterwards: str = ""
    """The lane that then has everything; if empty, all goes on as before."""
    steps: tuple[float, ...] = (10, 50, 100)
    judge: str = CANARY_JUDGE
    on_failure: str = "rollback"
    hold_s: float = HOLD_S
    rate: float = 150.0
    """Requests per second."""
    limit_s: float = LIMIT_S
    """It has to have ended by then; one that must be held is watched for so long."""


GOOD = Behaviour()


def _canary(name: str, told: str, canary: Behaviour, decided_by: str) -> Scenario:
    """A bad one."""
    return Scenario(name, told, Status.ROLLED_BACK, {"stable": GOOD, "canary": canary}, "canary", decided_by, "stable")


SCENARIOS = (
    Scenario(
        name="good",
        told="a canary as good as the stable version",
        expected=Status.PROMOTED,
        lanes={"stable": GOOD, "canary": GOOD},
        judged="canary",
        afterwards="canary",
    ),
    _canary("errors", "a canary that fails 10 % of its requests", Behaviour(errors=0.10), "max_error_rate"),
    _canary("slow", "a canary with slow first tokens", Behaviour(first_token_s=0.15), "max_first_token"),
    _canary("broken", "a canary that cuts 10 % of its streams", Behaviour(broken=0.10), "max_error_rate"),
    Scenario(
        name="unsure",
        told="a model that is not sure, beside a rule engine that stands by",
        expected=Status.SWITCHED,
        lanes={"model": Behaviour(confidence=0.5), "rules": Behaviour(errors=0.0, first_token_s=0.005, confidence=None)},
        judged="model",
        decided_by="min_confidence",
        afterwards="rules",
        steps=(100,),
        judge=GUARD_JUDGE,
        on_failure="{switch_to: rules}",
    ),
    Scenario(
        name="idle",
        told="a good canary with too little traffic",
        expected=HELD,
        lanes={"stable": GOOD, "canary": GOOD},
        judged="canary",
        decided_by="min_exchanges",
        rate=8.0,
        limit_s=WATCH_S,
    ),
)


def config_of(scenario: Scenario, urls: Mapping[str, str]) -> str:
    """``urls`` are the agents', by lane. Each lane serves the colour that has its name."""
    baseline = next(iter(scenario.lanes))
    lanes = "".join(
        f"\n      - {{name: {lane}, pool: {lane}, weight: {int(lane == baseline)}, colors: [{lane}]}}"
        for lane in scenario.lanes
    )
    pools = "".join(f"\n  {lane}: {{endpoints: ['{url}']}}" for lane, url in urls.items())
    return f"""\
version: 1
proxy: {{listen: 127.0.0.1:0}}
admin: {{listen: 127.0.0.1:0}}
routes:
  - name: {ROUTE}
    match: {{path: {PATH}}}
    sticky: [header:x-session-id]
    lanes:{lanes}
pools:{pools}
rollouts:
  {scenario.name}:
    route: {ROUTE}
    lane: {scenario.judged}
    steps: [{", ".join(f"{step:g}" for step in scenario.steps)}]
    hold: {scenario.hold_s:g}s
    judge:{scenario.judge}
    on_failure: {scenario.on_failure}
"""
