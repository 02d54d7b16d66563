"""The page says what the catalogue says, and alerts on what there is."""

import re
from pathlib import Path

from tracer_proxy.limits import (
    GEN_AI_SERIES_MAX,
    HTTP_SERIES_MAX,
    LANE_ANSWERS_MAX,
    MODELS_COUNTED_MAX,
    SERIES_MAX,
    SERIES_VANISHED_MAX,
)
from tracer_proxy.telemetry.catalogue import METRICS, Type
from tracer_proxy.telemetry.meters import Outcome
from tracer_proxy.telemetry.reference import render

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_page_is_up_to_date() -> None:
    """The page is made from the catalogue, and kept in the repository for those who read it there."""
    assert PAGE.read_text("utf-8") == render(), (
        "docs/metrics.md is not what the catalogue says; make it anew with:\n"
        "  python -m tracer_proxy.telemetry.reference > docs/metrics.md"
    )


def test_alerts_ask_for_what_there_is() -> None:
    """Every metric and every label in an expression exists."""
    parts = {f"{name}{end}" for name, metric in METRICS.items() if metric.type is Type.HISTOGRAM for end in _HISTOGRAM_ENDS}
    assert set(re.findall(r"\b(?:tracer_proxy|http_server|http_client|gen_ai_client)_\w+", render())) <= {*METRICS, *parts}
    labels = {label for metric in METRICS.values() for label in metric.labels} | {"le"}
    asked = re.findall(r"(?:by|without) \(([^)]*)\)", render()) + re.findall(r"\{(\w+)=", render())
    assert {label for group in asked for label in group.split(", ")} <= labels


def test_numbers_and_outcomes_of_the_page() -> None:
    """Written by hand, but not out of the air."""
    page = render()
    assert HTTP_SERIES_MAX == LANE_ANSWERS_MAX, "one number in the page stands for both"
    for bound in (LANE_ANSWERS_MAX, MODELS_COUNTED_MAX, GEN_AI_SERIES_MAX, SERIES_MAX, SERIES_VANISHED_MAX):
        assert f"{bound:,}".replace(",", " ") in page.replace("\n  ", " ")
    for outcome in Outcome:
        assert f"`{outcome.name.lower()}`" in page


_HISTOGRAM_ENDS = ("_bucket", "_count", "_sum")
