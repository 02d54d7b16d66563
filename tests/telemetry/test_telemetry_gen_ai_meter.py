"""Calls of models by OpenTelemetry's conventions, read where they arrive: in the totals."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telemetry_cases import SPAN_ID, TRACE_ID, counted, meters, reported

from tracer_proxy.genai.answered import Usage
from tracer_proxy.limits import GEN_AI_SERIES_MAX, LABEL_CHARS_MAX, MODELS_COUNTED_MAX
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.catalogue import GEN_AI_BUCKETS_S, TOKEN_BUCKETS, Metric
from tracer_proxy.telemetry.deltas import Meters
from tracer_proxy.telemetry.totals import Totals

MODEL, ANSWERING = "gpt-4o-mini", "gpt-4o-mini-2024-07-18"
CALL = ("chat", "openai", MODEL, ANSWERING, "api.openai.com", "443")


def call(
    source: Meters,
    request_model: str = MODEL,
    response_model: str = ANSWERING,
    error: str = "",
    usage: Usage | None = None,
    first_chunk_s: float | None = None,
    gaps: Sequence[float] = (),
    host: str = "api.openai.com",
) -> None:
    """That took 1.4 s."""
    names = ("chat", "openai", request_model, response_model, host, 443)
    source.gen_ai.done(*names, error, 1.4, usage, first_chunk_s, gaps, TRACE_ID, SPAN_ID)


def models(totals: Totals, metric: Metric = catalogue.OPERATION_DURATION) -> set[str]:
    """Asked for."""
    return {labels[2] for labels in totals.series[metric.name]}


def test_a_streamed_call() -> None:
    """All four metrics, each with its labels."""
    source = meters()
    call(source, usage=Usage(1200, 80, cache_read=1000), first_chunk_s=0.3, gaps=[0.05, 0.06, 3.0])
    totals = reported(source, Totals())
    assert counted(totals, catalogue.OPERATION_DURATION, *CALL, "")[-1] == 1.4
    assert counted(totals, catalogue.TOKEN_USAGE, *CALL, "input")[-1] == 1200
    assert counted(totals, catalogue.TOKEN_USAGE, *CALL, "output")[-1] == 80
    assert counted(totals, catalogue.FIRST_CHUNK, *CALL)[-1] == 0.3
    gaps = counted(totals, catalogue.CHUNK_GAP, *CALL)
    assert (sum(gaps[:-1]), gaps[-1]) == (3, pytest.approx(3.11))
    assert gaps[GEN_AI_BUCKETS_S.index(0.08)] == 2


def test_a_call_without_usage_or_stream() -> None:
    """Counts in the duration alone: tokens are never guessed."""
    source = meters()
    call(source)
    call(source, usage=Usage(None, None))
    totals = reported(source, Totals())
    assert sum(counted(totals, catalogue.OPERATION_DURATION, *CALL, "")[:-1]) == 2
    for metric in (catalogue.TOKEN_USAGE, catalogue.FIRST_CHUNK, catalogue.CHUNK_GAP):
        assert not totals.series[metric.name]


def test_embeddings_have_only_input() -> None:
    source = meters()
    call(source, usage=Usage(7, None))
    assert [labels[-1] for labels in reported(source, Totals()).series[catalogue.TOKEN_USAGE.name]] == ["input"]


@given(st.integers(-(2**70), 2**70) | st.sampled_from([10**400, 0, 1, 4, 5]))
def test_any_number_of_tokens(tokens: int) -> None:
    """An answer may say what it likes: it counts once, in the bucket where it belongs, and the sum stays finite."""
    source = meters()
    call(source, usage=Usage(tokens, None))
    found = counted(reported(source, Totals()), catalogue.TOKEN_USAGE, *CALL, "input")
    place = found.index(1)
    assert sum(found[:-1]) == 1
    assert 0 <= found[-1] <= 2**53
    assert place == len(TOKEN_BUCKETS) or tokens <= TOKEN_BUCKETS[place]
    assert not place or tokens > TOKEN_BUCKETS[place - 1]


def test_errors_are_in_the_duration_alone() -> None:
    """As the conventions have it."""
    source = meters()
    call(source, error="rate_limit_exceeded", response_model="", first_chunk_s=0.1)
    totals = reported(source, Totals())
    (labels,) = totals.series[catalogue.OPERATION_DURATION.name]
    assert labels == (*CALL[:3], "", *CALL[4:], "rate_limit_exceeded")
    assert "rate_limit_exceeded" not in next(iter(totals.series[catalogue.FIRST_CHUNK.name]))


def test_models_are_bounded() -> None:
    """Over many reports; a model that is known goes on under its name."""
    source, totals = meters(), Totals()
    for number in range(200):
        call(source, f"model-{number}", "")
        reported(source, totals)
    call(source, "model-0", "")
    reported(source, totals)
    assert len(models(totals)) == MODELS_COUNTED_MAX + 1
    assert "other" in models(totals)
    of_first = next(
        series for labels, series in totals.series[catalogue.OPERATION_DURATION.name].items() if "model-0" in labels
    )
    assert sum(of_first.values[:-1]) == 2
    assert sum(sum(each.values[:-1]) for each in totals.series[catalogue.OPERATION_DURATION.name].values()) == 201


def test_made_up_models_leave_room_for_true_ones() -> None:
    """Names that only ever failed get half of the room."""
    source = meters()
    for number in range(1000):
        call(source, f"made-up-{number}", "", error="model_not_found")
    for number in range(10):
        call(source, f"true-{number}")
    found = models(reported(source, Totals()))
    assert {f"true-{number}" for number in range(10)} < found
    assert sum(name.startswith("made-up") for name in found) == MODELS_COUNTED_MAX // 2


def test_error_codes_are_bounded() -> None:
    """They come from the provider, and may hold anything."""
    source = meters()
    for number in range(1000):
        call(source, error=f"request {number} failed")
    found = {labels[-1] for labels in reported(source, Totals()).series[catalogue.OPERATION_DURATION.name]}
    assert len(found) == MODELS_COUNTED_MAX + 1
    assert "request_0_failed" in found
    assert "other" in found


def test_combinations_of_models_are_bounded() -> None:
    """Also where each part of them is known: servers of many endpoints, say."""
    source = meters()
    for number in range(GEN_AI_SERIES_MAX * 2):
        call(source, f"model-{number % 20}", f"answering-{number % 19}", host=f"10.0.0.{number % 17}", usage=Usage(1, 1))
    totals = reported(source, Totals())
    for metric in (catalogue.OPERATION_DURATION, catalogue.TOKEN_USAGE):
        found = totals.series[metric.name]
        assert GEN_AI_SERIES_MAX < len(found) <= GEN_AI_SERIES_MAX + 17 * 2
        assert all(labels[3] == "other" for labels in found if labels[2] == "other")
    assert sum(sum(each.values[:-1]) for each in totals.series[catalogue.OPERATION_DURATION.name].values()) == 1024


@given(st.lists(st.text(max_size=200) | st.text(alphabet="\ud800\x00\n\"'{}", max_size=5), max_size=20))
def test_any_name_of_a_model(names: list[str]) -> None:
    """Cleaned, short, and never an error; an empty one stays empty."""
    source = meters()
    for name in names:
        call(source, name, name)
    for found in models(reported(source, Totals())):
        assert re.fullmatch(r"[A-Za-z0-9._:/@+_-]*", found)
        assert len(found) <= LABEL_CHARS_MAX


@pytest.mark.parametrize("name", ["ft:gpt-4o-mini:acme::9xY", "models/gemini-2.5-pro", "anthropic.claude-v2@20250101+x"])
def test_true_names_stay_as_they_are(name: str) -> None:
    source = meters()
    call(source, name, name)
    assert models(reported(source, Totals())) == {name}
