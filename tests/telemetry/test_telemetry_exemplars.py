"""From a worker's exchange to the exemplar in OpenMetrics text, by the client's own parser."""

import json
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from telemetry_cases import AT, SPAN_ID, TRACE_ID, everything_counted, fill_conventions, meters, over_the_wire, reported

from tracer_proxy.limits import EXEMPLARS_MAX, HTTP_SERIES_MAX
from tracer_proxy.telemetry.catalogue import HTTP_BUCKETS_S
from tracer_proxy.telemetry.exposition import exposition
from tracer_proxy.telemetry.totals import Totals

SERVER = "http_server_request_duration_seconds"


def exemplars(totals: Totals, name: str) -> dict[str, Any]:
    """By ``le``."""
    text = exposition(totals, "application/openmetrics-text")[0].decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    return {sample.labels["le"]: sample.exemplar for sample in families[name].samples if sample.exemplar}


def served(totals: Totals, *seconds: float, at: float = AT, sampled: bool = True) -> None:
    """Exchanges with these durations in one report, the first under the span id 0…01."""
    source = meters(f"run-{at}")
    for number, each in enumerate(seconds, 1):
        source.http_route("/v1").done(b"GET", 200, "", False, True, each, TRACE_ID if sampled else b"", b"%016x" % number)
    reported(source, totals, at=at)


def test_all_the_conventions_have_exemplars() -> None:
    """With the trace, the span, the value and the time; all but the gaps between chunks, of which there are many."""
    totals = everything_counted()
    at = {
        SERVER: ("2.5", 1.5),
        "http_client_request_duration_seconds": ("2.5", 1.4),
        "gen_ai_client_operation_duration_seconds": ("2.56", 1.4),
        "gen_ai_client_operation_time_to_first_chunk_seconds": ("0.32", 0.3),
    }
    for name, (bound, value) in at.items():
        (exemplar,) = exemplars(totals, name).items()
        assert exemplar[0] == bound
        assert exemplar[1].labels == {"trace_id": TRACE_ID.decode(), "span_id": SPAN_ID.decode()}
        assert (exemplar[1].value, float(exemplar[1].timestamp)) == (value, AT)
    assert set(exemplars(totals, "gen_ai_client_token_usage")) == {"4096.0", "256.0"}


def test_no_exemplar_without_a_sampled_trace() -> None:
    """There would be nothing to look at."""
    totals = Totals()
    served(totals, 0.3, sampled=False)
    assert not exemplars(totals, SERVER)


def test_slowest_of_a_report() -> None:
    """One for each series and report, so that reports stay small."""
    totals = Totals()
    served(totals, 0.02, 9.0, 0.3)
    (exemplar,) = exemplars(totals, SERVER).values()
    assert (exemplar.value, exemplar.labels["span_id"]) == (9.0, f"{2:016x}")


def test_slowest_that_was_sampled() -> None:
    """A slower one without a trace is counted, and the exemplar stands in its own bucket."""
    totals, source = Totals(), meters()
    route = source.http_route("/v1")
    route.done(b"GET", 200, "", False, True, 0.3, TRACE_ID, SPAN_ID)
    route.done(b"GET", 200, "", False, True, 9.0, b"", b"")
    reported(source, totals)
    assert [(bound, found.value) for bound, found in exemplars(totals, SERVER).items()] == [("0.5", 0.3)]


def test_newest_of_each_bucket() -> None:
    """Each report brings one; that of a slower bucket stays when faster ones come."""
    totals = Totals()
    served(totals, 9.0, at=AT)
    served(totals, 0.3, at=AT + 1)
    served(totals, 0.26, at=AT + 2)
    found = {bound: (each.value, float(each.timestamp)) for bound, each in exemplars(totals, SERVER).items()}
    assert found == {"10.0": (9.0, AT), "0.5": (0.26, AT + 2)}


def test_every_bucket_takes_its_own() -> None:
    """On the bound and above all bounds too."""
    totals = Totals()
    for number, seconds in enumerate((*HTTP_BUCKETS_S, 1000.0)):
        served(totals, seconds, at=AT + number)
    found = {bound: each.value for bound, each in exemplars(totals, SERVER).items()}
    assert found == {**{repr(bound): bound for bound in HTTP_BUCKETS_S}, "+Inf": 1000.0}


def test_plain_text_has_none() -> None:
    """Its format does not know them, and is not spoilt by OpenMetrics having been asked for before."""
    totals = everything_counted()
    assert b"trace_id" in exposition(totals, "application/openmetrics-text")[0]
    assert b"trace_id" not in exposition(totals, "")[0]


def test_exemplars_are_bounded() -> None:
    """Whoever is first has its room and goes on being renewed there."""
    totals = Totals()
    routes = [f"/{number}" for number in range(EXEMPLARS_MAX // HTTP_SERIES_MAX + 20)]
    for _ in range(2):
        source = meters("run")
        source.load([], [], [], routes, [])
        for route in routes:
            for status in range(200, 200 + HTTP_SERIES_MAX):
                source.http_route(route).done(b"GET", status, "", False, True, 0.3, TRACE_ID, SPAN_ID)
        reported(source, totals)
    assert exposition(totals, "application/openmetrics-text")[0].count(b"trace_id=") == EXEMPLARS_MAX


def test_exemplars_cost_a_report_little() -> None:
    """For one call at most six short lists, however many calls there were."""
    sizes = []
    for trace_id in (b"", TRACE_ID):
        source = meters()
        for _ in range(100):
            fill_conventions(source, trace_id)
        sizes.append(len(json.dumps(over_the_wire(source.take(AT)))))
    assert sizes[1] - sizes[0] < 6 * 80
