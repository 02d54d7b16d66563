"""What docs/what-if.md shows is what the commands print, and what it tells of the API is what it answers."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from record_cases import record

from tracer_proxy import limits
from tracer_proxy.config.compile import compile_table
from tracer_proxy.config.load import load_text
from tracer_proxy.control.what_if import sessions_shown, shares_shown
from tracer_proxy.routing.bucket import bucket, seed
from tracer_proxy.routing.compare import Comparison, shares
from tracer_proxy.telemetry.exchange_log import line_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "what-if.md").read_text()
OLD = (ROOT / "config" / "canary.yaml").read_text()
EXAMPLES = re.findall(r"^```console\n\$ tracer-proxy (.*?)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "canary.yaml").write_text(OLD)
    (tmp_path / "new.yaml").write_text(OLD.replace("weight: 95", "weight: 80").replace("weight: 5,", "weight: 20,"))
    (tmp_path / "rule.yaml").write_text(OLD.replace('x-canary: "1"', 'x-beta: "1"'))
    (tmp_path / "exchanges.jsonl").write_text("".join(logged(f"s-{number}") for number in range(100)))
    return tmp_path


def logged(name: str) -> str:
    is_canary = bucket(name.encode(), seed("planner")) < 500
    lane, color, source = ("canary", "canary", "lane") if is_canary else ("stable", "", "none")
    made = record(session=name, lane=lane, lane_intended=lane, color=color, color_source=source)
    return json.dumps(line_of(made)) + "\n"


@pytest.mark.parametrize(("command", "shown"), EXAMPLES)
def test_the_commands_print_what_is_shown(command: str, shown: str, folder: Path) -> None:
    words = [sys.executable, "-m", "tracer_proxy", *shlex.split(command)]
    environment = {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    assert done.stderr == ""
    # Which of two endpoints it is, is drawn.
    assert re.sub(r"(endpoint http://127.0.0.1:700)\d", r"\g<1>2", done.stdout) == shown


def test_there_are_examples_of_both_commands() -> None:
    assert [shlex.split(command)[0] for command, _ in EXAMPLES] == ["explain", "diff", "diff", "diff"]


def test_the_fields_of_the_answer_are_told() -> None:
    table = compile_table(load_text(OLD, "canary.yaml", {}), "127.0.0.1:8082")
    told = set(re.findall(r"`(\w+)`", PAGE.split("| field | is |")[1].split("\n\n")[0]))
    assert {*shares_shown(shares(table, table))} <= told
    assert "who" in sessions_shown(Comparison(table, table), 1)


def test_bounds_are_as_told() -> None:
    assert f"the last {limits.LIVE_RECORDS_MAX} exchanges" in PAGE
    assert f"up to {limits.DIFF_SHOWN} by name" in PAGE
