"""What docs/tracing.md shows is true: its examples load, and it tells of every attribute, reason and bound that there is."""

import re
import typing
from pathlib import Path

import pytest
import yaml
from span_cases import BEGAN, OTHER, attempt, llm_record, spans

from tracer_proxy import limits
from tracer_proxy.config.load import load_text
from tracer_proxy.config.tracing import Tracing
from tracer_proxy.control.export import Exporting
from tracer_proxy.control.export.console import tree
from tracer_proxy.telemetry.spans.names import OWN_ATTRIBUTES, OWN_EVENTS, PROFILES

PAGE = (Path(__file__).parents[2] / "docs" / "tracing.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```yaml fragment\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
REST = {
    "version": 1,
    "routes": [{"name": "planner", "lanes": [{"name": "stable", "pool": "planner"}]}],
    "pools": {"planner": {"endpoints": ["http://127.0.0.1:7001"]}},
}


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_load(text: str) -> None:
    config = load_text(yaml.safe_dump(REST | yaml.safe_load(text)), "tracing.md", {})
    assert config.tracing.exporter != "none"


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 7


@pytest.mark.parametrize("name", [*OWN_ATTRIBUTES, *OWN_EVENTS])
def test_every_attribute_of_ours_is_told(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_no_attribute_is_told_that_there_is_not() -> None:
    told = set(re.findall(r"`(tracer_proxy\.[a-z_.]+)`", PAGE)) - {"tracer_proxy.joined_by"}
    assert told <= {*OWN_ATTRIBUTES, *OWN_EVENTS}


def test_every_reason_of_a_drop_is_told() -> None:
    table = PAGE.split("| reason of a drop |")[1].split("\n\n")[0]
    assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(Exporting(lambda *said: None).dropped)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_profile_is_told(profile: str) -> None:
    assert f"| `{profile}` |" in PAGE


def test_profiles_are_those_of_the_config() -> None:
    assert set(typing.get_args(Tracing.model_fields["profile"].annotation)) == set(PROFILES)


def test_bounds_are_as_told() -> None:
    for told in (
        f"in batches of {limits.EXPORT_BATCH_SPANS},",
        f"double from {limits.EXPORT_BACKOFF_S:g} s to {limits.EXPORT_BACKOFF_MAX_S:g} s",
        f"after {limits.EXPORT_ATTEMPTS_MAX} tries or {limits.EXPORT_AGE_S_MAX:g} s",
        f"Up to {limits.EXPORT_QUEUE_SPANS_MAX} spans wait,",
        f"in records of up to {limits.EXPORT_QUEUE_BYTES_MAX // limits.MiB} MiB",
        f"goes on for {limits.EXPORT_CLOSE_S:g} s",
        f"longer than {limits.ATTRIBUTE_CHARS_MAX} characters",
    ):
        assert told in PAGE.replace("\n", " ")


def test_the_tree_looks_as_shown() -> None:
    refused = attempt(
        span_id=OTHER, began=BEGAN + 0.002, ended=BEGAN + 0.01, host="10.1.0.9", status=None, error="upstream_unreachable"
    )
    made = llm_record(parent_id=b"", attempts=[refused, attempt()])
    (shown,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert list(tree(made.trace_id.decode(), spans(made))) == shown.splitlines()
