"""HTTP by OpenTelemetry's conventions, read where it arrives: in the totals."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telemetry_cases import AT, HTTP_ROUTES, SERVERS, counted, meters, over_the_wire, reported

from tracer_proxy.errors import Kind
from tracer_proxy.limits import HTTP_SERIES_MAX
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.catalogue import HTTP_BUCKETS_S
from tracer_proxy.telemetry.collected import Labels
from tracer_proxy.telemetry.deltas import Meters
from tracer_proxy.telemetry.totals import Totals

NONE = (b"", b"")
HOST, PORT = SERVERS[1]


def server_labels(*done: tuple[bytes, int, str]) -> list[Labels]:
    source = meters()
    for method, status, error in done:
        source.http_route("/v1").done(method, status, error, False, True, 0.1, *NONE)
    return list(reported(source, Totals()).series[catalogue.SERVER_DURATION.name])


def client_labels(method: bytes, status: int, error: str) -> Labels:
    source = meters()
    source.server(HOST, PORT).done(method, status, error, 0.1, *NONE)
    (labels,) = reported(source, Totals()).series[catalogue.CLIENT_DURATION.name]
    return labels


def test_server_labels() -> None:
    """In the order of the catalogue: method, route, status, error, scheme, version."""
    source = meters()
    source.http_route("/v1").done(b"POST", 200, "", True, True, 0.1, *NONE)
    source.http_route("/planner").done(b"GET", 204, "", False, False, 0.2, *NONE)
    source.unrouted_http.done(b"GET", 404, "no_route", False, True, 0.3, *NONE)
    totals = reported(source, Totals())
    assert counted(totals, catalogue.SERVER_DURATION, "POST", "/v1", "200", "", "https", "1.1")[-1] == 0.1
    assert counted(totals, catalogue.SERVER_DURATION, "GET", "/planner", "204", "", "http", "1.0")[-1] == 0.2
    assert counted(totals, catalogue.SERVER_DURATION, "GET", "", "404", "", "http", "1.1")[-1] == 0.3


@pytest.mark.parametrize(
    ("status", "error", "at_server", "at_client"),
    [
        (200, "", "", ""),
        (304, "", "", ""),
        (404, "", "", "404"),
        (500, "", "500", "500"),
        (502, Kind.UPSTREAM_CLOSED.value, "upstream_closed", "upstream_closed"),
        (404, Kind.NO_ROUTE.value, "", "no_route"),
        (503, Kind.POOL_FULL.value, "pool_full", "pool_full"),
    ],
)
def test_error_type(status: int, error: str, at_server: str, at_client: str) -> None:
    """A status of an error is its own type where nothing says more; a caller's 4xx is no error of the server."""
    (labels,) = server_labels((b"GET", status, error))
    assert labels[2:4] == (str(status), at_server)
    assert client_labels(b"GET", status, error) == ("GET", HOST, str(PORT), str(status), at_client, "1.1")


def test_a_client_that_left_is_no_error_and_got_no_status() -> None:
    (labels,) = server_labels((b"GET", 499, Kind.CLIENT_GONE.value))
    assert labels[2:4] == ("", "")
    assert client_labels(b"GET", 200, Kind.CLIENT_GONE.value)[3:5] == ("200", "")


def test_attempt_without_an_answer() -> None:
    """There is no status then."""
    assert client_labels(b"POST", 0, "upstream_unreachable")[3:5] == ("", "upstream_unreachable")


def test_unix_socket_has_no_port() -> None:
    source = Meters("run-1")
    source.load([], [], [], [], [("/run/agent.sock", 0)])
    source.server("/run/agent.sock", 0).done(b"GET", 200, "", 0.1, *NONE)
    (labels,) = reported(source, Totals()).series[catalogue.CLIENT_DURATION.name]
    assert labels[1:3] == ("/run/agent.sock", "")


@given(st.lists(st.one_of(st.sampled_from(HTTP_BUCKETS_S), st.floats(0, 100)), min_size=1))
def test_each_duration_in_its_bucket_of_the_conventions(durations: list[float]) -> None:
    source = meters()
    for seconds in durations:
        source.http_route("/v1").done(b"GET", 200, "", False, True, seconds, *NONE)
        source.server(HOST, PORT).done(b"GET", 200, "", seconds, *NONE)
    totals = reported(source, Totals())
    bounds = [-1.0, *HTTP_BUCKETS_S, float("inf")]
    expected = [sum(low < seconds <= high for seconds in durations) for low, high in pairwise(bounds)]
    at_server = counted(totals, catalogue.SERVER_DURATION, "GET", "/v1", "200", "", "http", "1.1")
    at_client = counted(totals, catalogue.CLIENT_DURATION, "GET", HOST, str(PORT), "200", "", "1.1")
    assert at_server[:-1] == at_client[:-1] == expected
    assert at_server[-1] == at_client[-1] == pytest.approx(sum(durations))


def test_made_up_methods_are_one() -> None:
    """However many a caller thinks of, and they take nobody's room; a known method is known by its exact letters."""
    made_up = [(b"M%d" % number, 200, "") for number in range(HTTP_SERIES_MAX + 10)]
    found = server_labels(*made_up, (b"get", 200, ""), (b"PATCH", 200, ""))
    assert [labels[0] for labels in found] == ["_OTHER", "PATCH"]


@pytest.mark.parametrize("side", ["server", "client"])
def test_combinations_are_bounded(side: str) -> None:
    """An upstream that invents statuses: every exchange is counted, beyond the bound as ``other``."""
    source = meters()
    for status in range(100, 600):
        if side == "server":
            source.http_route("/v1").done(b"GET", status, "", False, True, 0.1, *NONE)
        else:
            source.server(HOST, PORT).done(b"GET", status, "", 0.1, *NONE)
    metric = catalogue.SERVER_DURATION if side == "server" else catalogue.CLIENT_DURATION
    found = reported(source, Totals()).series[metric.name]
    assert len(found) == HTTP_SERIES_MAX + 1
    status_at = metric.labels.index("http_response_status_code")
    (other,) = (labels for labels in found if labels[status_at] == "other")
    assert other[0] == "_OTHER"
    assert other[metric.labels.index("error_type")] == "other"
    assert sum(found[other].values[:-1]) == 500 - HTTP_SERIES_MAX
    assert sum(sum(series.values[:-1]) for series in found.values()) == 500


def test_combinations_stay_bounded_over_many_reports() -> None:
    """What was collected still takes its room, or the bound would be one per second."""
    source, totals = meters(), Totals()
    for status in range(100, 600):
        source.http_route("/v1").done(b"GET", status, "", False, True, 0.1, *NONE)
        reported(source, totals)
    assert len(totals.series[catalogue.SERVER_DURATION.name]) == HTTP_SERIES_MAX + 1


def test_http_meters_carry_over_a_reload() -> None:
    """As those of lanes do: a kept name goes on, a gone one is still counted."""
    source = meters()
    kept, gone = source.http_route("/v1"), source.http_route("/planner")
    server = source.server(*SERVERS[0])
    source.load([], [], [], ["/v1", "/new"], [])
    assert source.http_route("/v1") is kept
    gone.done(b"GET", 200, "", False, True, 0.1, *NONE)
    server.done(b"GET", 200, "", 0.1, *NONE)
    totals = reported(source, Totals())
    assert {labels[1] for labels in totals.series[catalogue.SERVER_DURATION.name]} == {"/planner"}
    assert {labels[1] for labels in totals.series[catalogue.CLIENT_DURATION.name]} == {SERVERS[0][0]}
    with pytest.raises(KeyError):
        source.http_route("/planner")


def test_quiet_meters_say_nothing() -> None:
    """After what they counted was told."""
    source = meters()
    for route in HTTP_ROUTES:
        source.http_route(route).done(b"GET", 200, "", False, True, 0.1, *NONE)
    reported(source, Totals())
    assert not over_the_wire(source.take(AT))["observed"]


def test_series_of_a_server_that_left_the_config() -> None:
    """They are the first to go when there are too many, like those of lanes."""
    totals, source = Totals(), meters()
    source.http_route("/v1").done(b"GET", 200, "", False, True, 0.1, *NONE)
    source.http_route("/planner").done(b"GET", 200, "", False, True, 0.1, *NONE)
    source.server(*SERVERS[0]).done(b"GET", 200, "", 0.1, *NONE)
    source.server(*SERVERS[1]).done(b"GET", 200, "", 0.1, *NONE)
    source.unrouted_http.done(b"GET", 404, "no_route", False, True, 0.1, *NONE)
    totals.config_has([], [], ["/v1"], SERVERS[:1])
    reported(source, totals)
    vanished = {labels[1] for _, labels in totals._vanished}
    assert vanished == {"/planner", SERVERS[1][0]}
