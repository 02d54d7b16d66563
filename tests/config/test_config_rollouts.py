"""The sections ``rollouts`` and ``state``: what they become, and what is said of mistakes in them."""

import pytest

from tracer_proxy.config.load import load_text
from tracer_proxy.config.rollouts import plan_of
from tracer_proxy.config.shown import shown
from tracer_proxy.errors import ConfigError
from tracer_proxy.rollout.plan import ConfidenceLimit, OnFailure, Plan, QuantileLimit, RateLimit, Rules

FILE = """\
version: 1
routes:
  - name: planner
    lanes:
      - {name: stable, pool: p, weight: 9}
      - {name: canary, pool: p, colors: [canary]}
      - {name: rules, pool: p, weight: 0}
pools: {p: {endpoints: [http://h]}}
rollouts:
  v2:
"""
"""What follows is in line 11."""
JUDGE = "judge: {max_error_rate: {absolute: 0.05}}"


def told(rollout: str) -> list[str]:
    try:
        load_text(FILE + f"    {{{rollout}}}\n", "f.yaml", {})
    except ConfigError as error:
        return [str(problem) for problem in error.problems]
    return []


def test_a_whole_rollout_becomes_a_plan() -> None:
    config = load_text(
        FILE
        + """\
    route: planner
    lane: canary
    steps: [1, 5, 25, 50, 100]
    hold: 5m
    judge:
      min_exchanges: 40
      max_error_rate: {absolute: 0.05, worse_than_baseline: 0.01}
      max_latency: {quantile: 0.9, worse_than_baseline: 1.3, absolute: 2s}
      max_first_token: {worse_than_baseline: 1.5}
      min_confidence: {mean: 0.65, for: 5m, header: X-Confidence}
      max_tokens_per_turn: {worse_than_baseline: 1.5}
    on_failure: {switch_to: rules}
""",
        "f.yaml",
        {},
    )
    rollout = config.rollouts["v2"]
    assert rollout.start == "auto"
    assert rollout.judge.min_confidence is not None
    assert rollout.judge.min_confidence.header == "x-confidence"
    assert plan_of("v2", rollout, config.routes[0].lanes) == Plan(
        name="v2",
        route="planner",
        lane="canary",
        baseline="stable",
        steps=(1, 5, 25, 50, 100),
        hold_s=300,
        rules=Rules(
            min_exchanges=40,
            error_rate=RateLimit(0.05, 0.01),
            latency=QuantileLimit(0.9, 2.0, 1.3),
            first_token=QuantileLimit(0.95, None, 1.5),
            confidence=ConfidenceLimit(0.65, 300),
            tokens_per_turn=1.5,
        ),
        on_failure=OnFailure.SWITCH,
        switch_to="rules",
    )


def test_statuses_that_count_are_no_bound() -> None:
    (problem,) = told("route: planner, lane: canary, judge: {max_error_rate: {count: [401, 403-404]}}")
    assert "found no bound" in problem


@pytest.mark.parametrize(
    "rollout",
    [
        f"route: planner, lane: canary, {JUDGE}",
        f"route: planner, lane: canary, {JUDGE}, on_failure: pause, start: manual",
        f"route: planner, lane: stable, steps: [100], on_failure: pause, {JUDGE}",
        (
            "route: planner, lane: stable, steps: [100], on_failure: {switch_to: rules}, "
            "judge: {min_confidence: {mean: 0.65, pointer: /confidence}}"
        ),
    ],
)
def test_nothing_to_complain_about(rollout: str) -> None:
    assert told(rollout) == []


@pytest.mark.parametrize(
    ("rollout", "complaint"),
    [
        (f"route: planer, lane: canary, {JUDGE}", "v2.route: found 'planer': there is no such route; did you mean 'planner'?"),
        (f"route: planner, lane: canry, {JUDGE}", "v2.lane: found 'canry': the route 'planner' has no such lane; did you mean"),
        (
            f"route: planner, lane: stable, {JUDGE}",
            "v2.lane: found 'stable': that is the baseline of the route, which can only",
        ),
        (
            f"route: planner, lane: stable, steps: [100], on_failure: rollback, {JUDGE}",
            "v2.lane: found 'stable': that is the baseline of the route, which can only be guarded",
        ),
        (
            "route: planner, lane: stable, steps: [100], on_failure: pause, judge: {max_latency: {worse_than_baseline: 2}}",
            "v2.lane: found 'stable': the baseline cannot be compared with itself",
        ),
        (f"route: planner, lane: canary, steps: [5, 5], {JUDGE}", "v2.steps[1]: found 5: not above 5, the step before"),
        (f"route: planner, lane: canary, steps: [0], {JUDGE}", "v2.steps[0]: found 0: expected a number from 0.01 to 100"),
        (f"route: planner, lane: canary, steps: [], {JUDGE}", "v2.steps: found an empty list: expected at least one"),
        ("route: planner, lane: canary, judge: {}", "v2.judge: found no bound, so that everything would be good enough"),
        ("route: planner, lane: canary", "v2: the key 'judge' is missing"),
        (
            "route: planner, lane: canary, judge: {max_latency: {quantile: 0.5}}",
            "v2.judge.max_latency: found no bound: expected absolute, worse_than_baseline or both",
        ),
        (
            "route: planner, lane: canary, judge: {min_confidence: {mean: 1}}",
            "v2.judge.min_confidence: found neither of header and pointer: expected one of them",
        ),
        (
            "route: planner, lane: canary, judge: {min_confidence: {mean: 1, header: a, pointer: /a}}",
            "v2.judge.min_confidence: found both of header and pointer",
        ),
        (
            "route: planner, lane: canary, judge: {min_confidence: {mean: 1, header: a, fr: 5}}",
            "v2.judge.min_confidence.fr: unknown key 'fr'; did you mean 'for'?",
        ),
        (
            "route: planner, lane: canary, judge: {min_confidence: {mean: 1, pointer: a}}",
            "v2.judge.min_confidence.pointer: found 'a': expected a JSON pointer such as",
        ),
        (
            f"route: planner, lane: canary, on_failure: {{}}, {JUDGE}",
            "v2.on_failure: found an empty mapping: expected rollback, pause or {switch_to: LANE}",
        ),
        (
            f"route: planner, lane: canary, on_failure: roll_back, {JUDGE}",
            "v2.on_failure: found 'roll_back': expected rollback, pause or {switch_to: LANE}; did you mean 'rollback'?",
        ),
        (
            f"route: planner, lane: canary, on_failure: {{switch: rules}}, {JUDGE}",
            "v2.on_failure.switch: unknown key 'switch'; keys: switch_to",
        ),
        (
            f"route: planner, lane: canary, on_failure: {{switch_to: rule}}, {JUDGE}",
            "v2.on_failure.switch_to: found 'rule': the route 'planner' has no such lane; did you mean 'rules'?",
        ),
        (
            f"route: planner, lane: canary, on_failure: {{switch_to: canary}}, {JUDGE}",
            "v2.on_failure.switch_to: found 'canary': that is the lane that fails; name another one",
        ),
        (
            f"route: planner, lane: canary, notify: {{webhook: 'ftp://me:secret@h'}}, {JUDGE}",
            "v2.notify.webhook: found a value that is not shown here: expected the URL of a webhook",
        ),
    ],
)
def test_mistakes_are_told_at_their_place(rollout: str, complaint: str) -> None:
    (line,) = told(rollout)
    assert line.startswith(("f.yaml:10:3: ", "f.yaml:11:"))
    assert f": rollouts.{complaint}" in line
    assert "secret" not in line


def test_one_rollout_for_a_route() -> None:
    one = f"{{route: planner, lane: canary, {JUDGE}}}"
    with pytest.raises(ConfigError) as raised:
        load_text(FILE + f"    {one}\n  v3: {one}\n", "f.yaml", {})
    (problem,) = raised.value.problems
    assert str(problem).startswith("f.yaml:12:15: rollouts.v3.route: found 'planner': rollouts.v2 is about this route already")


def test_names_of_rollouts_are_names() -> None:
    with pytest.raises(ConfigError) as raised:
        load_text(FILE.replace("v2", "-v2") + f"    {{route: planner, lane: canary, {JUDGE}}}\n", "f.yaml", {})
    assert "rollouts.-v2: expected a name of up to 64 letters" in str(raised.value.problems[0])


def test_secrets_of_the_webhook_are_masked() -> None:
    notify = "notify: {webhook: 'https://hooks.example.com/T0KEN', headers: {authorization: Bearer T0KEN}}"
    failure = "on_failure: {switch_to: rules}"
    judge = "judge: {min_confidence: {mean: 0.5, header: x-c}}"
    config = load_text(FILE + f"    {{route: planner, lane: canary, {failure}, {judge}, {notify}}}\n", "f.yaml", {})
    as_shown = shown(config)["rollouts"]["v2"]
    assert "T0KEN" not in repr(as_shown)
    assert "T0KEN" not in repr(config)
    assert as_shown["on_failure"] == {"switch_to": "rules"}
    assert as_shown["judge"]["min_confidence"]["for"] == 300


def test_the_state_folder_is_an_absolute_path() -> None:
    text = FILE.replace("rollouts:\n  v2:\n", "")
    config = load_text(text + "state: {folder: /var/lib/tracer-proxy}\n", "f.yaml", {})
    assert config.state is not None
    assert config.state.folder == "/var/lib/tracer-proxy"
    with pytest.raises(ConfigError) as raised:
        load_text(text + "state: {folder: here}\n", "f.yaml", {})
    assert "state.folder: found 'here': expected the absolute path of a folder" in str(raised.value.problems[0])
