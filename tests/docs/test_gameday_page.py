"""What docs/gameday.md tells is what ``python -m gameday`` plays."""

import re
from pathlib import Path

from gameday.__main__ import CAUGHT_MIN, FALSE_ALARMS_MAX, ROLLOUTS, arguments
from gameday.callers import SESSIONS
from gameday.ending import words
from gameday.live import AFTER_S, COLORED_AFTER
from gameday.scenarios import HOLD_S, LIMIT_S, MEANT_HOLD_S, SCENARIOS
from gameday.simulation import EXCHANGES, STEPS

PAGE = (Path(__file__).parents[2] / "docs" / "gameday.md").read_text("utf-8")


def test_every_scenario_is_told_with_its_ending() -> None:
    told = re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", PAGE, re.MULTILINE)
    assert [name for name, _ in told] == [scenario.name for scenario in SCENARIOS]
    for (_, ending), scenario in zip(told, SCENARIOS, strict=True):
        assert ending.startswith(words(scenario.expected))
        assert (f"`{scenario.decided_by}`" in ending) is bool(scenario.decided_by)


def test_the_figures_are_those_of_the_code() -> None:
    told = PAGE.replace("\n", " ")
    assert (MEANT_HOLD_S / HOLD_S, LIMIT_S, AFTER_S, COLORED_AFTER) == (30, 60, 2, 50)
    assert f"{SESSIONS} sessions at {SCENARIOS[0].rate:g} requests per second" in told
    assert f"a step of five minutes is held for {HOLD_S:g} seconds" in told
    assert f"{EXCHANGES} exchanges per lane" in told
    assert f"Of {ROLLOUTS} canaries as good as the baseline at most {FALSE_ALARMS_MAX} may be rolled back" in told
    assert f"at least {CAUGHT_MIN} have to be rolled back within {len(STEPS) * EXCHANGES} exchanges" in told


def test_the_options_are_there() -> None:
    commands = re.findall(r"python -m gameday (--[^#\n]*)", PAGE)
    assert len(commands) == 4
    for command in commands:
        arguments(command.split())
