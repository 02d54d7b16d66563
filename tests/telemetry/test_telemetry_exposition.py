"""The text is what Prometheus reads, by the client's own parsers."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse
from telemetry_cases import AT, TRACE_ID, everything_counted, fill_conventions, meters, reported

from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.catalogue import BUCKETS_S, METRICS, Metric, Type
from tracer_proxy.telemetry.exposition import exposition
from tracer_proxy.telemetry.meters import Standing
from tracer_proxy.telemetry.totals import Totals

OPENMETRICS = "application/openmetrics-text"


def values(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value for family in parse(text) for sample in family.samples
    }


def value(text: str, name: str, **labels: str) -> float:
    return values(text)[name, frozenset(labels.items())]


def test_text_has_every_metric() -> None:
    """With its type, its help and exactly its labels."""
    body, content_type = exposition(everything_counted(), "")
    assert content_type.startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in parse(body.decode())}
    for metric in METRICS.values():
        counter = metric.type is Type.COUNTER
        family = families.pop(metric.name.removesuffix("_total") if counter else metric.name)
        assert family.type == ("gauge" if metric.type is Type.INFO else metric.type)
        assert family.documentation == metric.help
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels), metric.name
    assert not families


def test_numbers_arrive() -> None:
    """Counters, gauges with their worker, and infos."""
    text = exposition(everything_counted(), "")[0].decode()
    exchange = {"route": "planner", "lane": "canary", "color": "canary", "status": "200"}
    assert value(text, "tracer_proxy_exchanges_total", **exchange) == 1
    endpoint = {"pool": "planner-v1", "endpoint": "http://127.0.0.1:7001"}
    assert value(text, "tracer_proxy_upstream_attempts_total", outcome="ok", **endpoint) == 1
    assert value(text, "tracer_proxy_upstream_health", state="serving", worker="0", **endpoint) == 1
    assert value(text, "tracer_proxy_config_info", hash="hash") == 1


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=50))
def test_buckets_are_cumulative(durations: list[float]) -> None:
    """Each bucket holds all at or below its bound; the last one is the count."""
    source = meters()
    for seconds in durations:
        source.lane("openai", "openai").exchange_done(200, seconds, None)
    text = exposition(reported(source, Totals()), "")[0].decode()
    (family,) = (family for family in parse(text) if family.name == catalogue.DURATION.name)
    found = {sample.labels.get("le", sample.name.removeprefix(family.name)): sample.value for sample in family.samples}
    for bound in BUCKETS_S:
        assert found[repr(bound)] == sum(seconds <= bound for seconds in durations)
    assert found["+Inf"] == found["_count"] == len(durations)
    assert found["_sum"] == pytest.approx(sum(durations))


@pytest.mark.parametrize(
    "accept",
    [
        OPENMETRICS,
        "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        "text/plain, Application/OpenMetrics-Text; version=abc",
    ],
)
def test_openmetrics_when_asked_for(accept: str) -> None:
    """Its parser is strict, so it stands for promtool: names, units, order, the end mark."""
    body, content_type = exposition(everything_counted(), accept)
    assert content_type.startswith(OPENMETRICS)
    families = {family.name: family for family in parse_openmetrics(body.decode())}  # type: ignore[no-untyped-call]
    assert families["tracer_proxy_exchange_duration_seconds"].unit == "seconds"
    assert families["tracer_proxy_build"].type == "info"


@pytest.mark.parametrize("accept", ["", "*/*", "text/html", "text/plain;version=1.0.0", ";;,,=", "a" * 10_000])
def test_plain_text_otherwise(accept: str) -> None:
    """Whatever a client sends."""
    assert exposition(everything_counted(), accept)[1].startswith("text/plain; version=0.0.4")


@given(st.text(), st.text())
@example("100%", "%d %(x)s\0")
def test_any_name_is_escaped(route: str, lane: str) -> None:
    """Names of the config come from its author, but no quote or newline of theirs may make a line of its own."""
    source = meters(lanes=[(route, lane)])
    source.lane(route, lane).fallbacks += 1
    text = exposition(reported(source, Totals()), "")[0].decode()
    assert value(text, "tracer_proxy_lane_fallbacks_total", route=route, lane=lane) == 1


_CHANGES = ("lane", "endpoint", "conventions", "reload", "forget", "control", "scrape", "scrape openmetrics")


@given(st.lists(st.sampled_from(_CHANGES), max_size=20))
def test_every_change_is_shown(changes: list[str]) -> None:
    """Texts are kept from one scrape to the next: they must be what a first scrape would say, whatever has happened."""
    source, totals = meters(), Totals()
    for number, change in enumerate(changes):
        match change:
            case "lane":
                source.lane("openai", "openai").exchange_done(200, 0.1 * number, 0.1)
            case "endpoint":
                endpoint = source.endpoint("openai", "https://api.openai.com:443")
                endpoint.standing = Standing(number, 1, 1, "serving" if number % 2 else "ejected")
            case "conventions":
                fill_conventions(source, TRACE_ID if number % 2 else b"")
            case "reload":
                totals.config_has([], [])
            case "forget":
                totals.forget("0")
            case "control":
                totals.set(catalogue.CONFIG, 1, f"version-{number}")
                totals.set(catalogue.READY, number % 2)
                totals.count(catalogue.RELOADS, "ok")
            case _:
                exposition(totals, OPENMETRICS if "open" in change else "")
        reported(source, totals, at=AT + number)
    again = exposition(totals, "")[0], exposition(totals, OPENMETRICS)[0]
    for family in totals.series.values():
        for series in family.values():
            series.changed()
    assert again == (exposition(totals, "")[0], exposition(totals, OPENMETRICS)[0])


def test_only_what_changed_is_written_anew() -> None:
    """The text of all others is the very one of the scrape before: with a thousand routes most of them are quiet."""
    totals = everything_counted()
    exposition(totals, OPENMETRICS)
    texts = {(name, labels): series.text for name, family in totals.series.items() for labels, series in family.items()}
    totals.count(catalogue.RELOADS, "ok")
    exposition(totals, OPENMETRICS)
    new = {key for key, text in texts.items() if totals.series[key[0]][key[1]].text is not text}
    assert new == {(catalogue.RELOADS.name, ("ok",))}


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_names_follow_the_rules(metric: Metric) -> None:
    """What promtool would complain about: units, suffixes, letters, helps."""
    assert re.fullmatch(r"(tracer_proxy|http|gen_ai)(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.type is Type.COUNTER)
    assert metric.name.endswith("_info") == (metric.type is Type.INFO)
    assert not metric.name.endswith(("_count", "_sum", "_bucket", "_created"))
    assert not re.search(r"_(ms|milliseconds|minutes|kb|kilobytes|percent)(_|$)", metric.name)
    if metric.type is Type.HISTOGRAM:
        assert metric.name.endswith(("_seconds", "_usage"))
        assert list(metric.buckets) == sorted(set(metric.buckets))
    assert bool(metric.buckets) == (metric.type is Type.HISTOGRAM)
    assert metric.help.endswith(".")
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)*", label) and label not in ("le", "job", "instance") for label in metric.labels)
    assert len(metric.labels) == 1 or not metric.values


def test_catalogue_is_complete() -> None:
    """Every metric that the module names stands in a group, once."""
    named = [metric for metric in vars(catalogue).values() if isinstance(metric, Metric)]
    assert len({metric.name for metric in named}) == len(named) == len(METRICS)
    assert sum(len(group) for _, group in catalogue.GROUPS) == len(METRICS)
