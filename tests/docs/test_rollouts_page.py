"""What docs/rollouts.md shows is true: its examples load, and it tells every state, change, action and bound that there is."""

import re
from pathlib import Path

import pytest
import yaml

from tracer_proxy import limits
from tracer_proxy.config.load import load_text
from tracer_proxy.control.rollouts import ACTIONS
from tracer_proxy.rollout.course import Kind, Status

PAGE = (Path(__file__).parents[2] / "docs" / "rollouts.md").read_text("utf-8")
JUDGING = (Path(__file__).parents[2] / "docs" / "judging.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```yaml fragment\n(.*?)^```", PAGE + JUDGING, re.MULTILINE | re.DOTALL)
REST = {
    "version": 1,
    "pools": {name: {"endpoints": ["http://127.0.0.1:7001"]} for name in ("planner-v1", "planner-v2")},
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_load(text: str) -> None:
    assert load_text(yaml.safe_dump(REST | yaml.safe_load(text)), "rollouts.md", {}).rollouts


def test_there_are_examples() -> None:
    assert len(EXAMPLES) == 3


def test_states_changes_and_actions_are_told() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE)) == set(Status)
    assert set(re.findall(r"`rollout_(\w+)`", PAGE)) == set(Kind)
    assert set(re.findall(r"`POST /api/rollouts/{name}/(\w+)`", PAGE)) == set(ACTIONS)


def test_bounds_are_as_told() -> None:
    told = PAGE.replace("\n", " ")
    assert f"in the first {limits.ROLLOUT_SETTLE_S_MAX:g} seconds" in told
    assert limits.ROLLOUT_SETTLE_RATIO == 0.1
    assert (
        f"at least every {limits.ROLLOUT_LOOK_S_MAX:g}, and {limits.ROLLOUT_LOOKS_PER_HOLD} times while a short step is held"
        in told
    )
    assert f"the last {limits.ROLLOUT_HISTORY_MAX} changes of each rollout" in told
    assert f"every {limits.ROLLOUT_WRITE_S:g} seconds for what is seen" in told
    assert f"{limits.WEBHOOK_ATTEMPTS_MAX} times in all" in told
