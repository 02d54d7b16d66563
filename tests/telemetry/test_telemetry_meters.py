"""What a worker counts, read where it arrives: in the totals."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from telemetry_cases import AT, ENDPOINTS, counted, fill_mirror, gauge, gauges, meters, over_the_wire, reported

from tracer_proxy.errors import Kind
from tracer_proxy.limits import COLORS_COUNTED_MAX, LANE_ANSWERS_MAX, METERS_RETIRED_MAX
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.catalogue import BUCKETS_S, Shed
from tracer_proxy.telemetry.deltas import OTHER_COLOR, Meters
from tracer_proxy.telemetry.meters import Outcome, Standing
from tracer_proxy.telemetry.totals import Totals

POOL, ADDRESS = ENDPOINTS[0]


def test_exchange_by_lane_color_and_status() -> None:
    """Known colours are labels of their own, all others one, and none is empty."""
    source = meters()
    stable, canary = source.lane("planner", "stable"), source.lane("planner", "canary")
    canary.exchange_done(200, 0.1, 0.1, source.color(b"canary"))
    canary.exchange_done(200, 0.1, 0.1, source.color(b"canary"))
    stable.exchange_done(200, 0.1, 0.1, source.color(b""))
    stable.exchange_done(503, 0.1, None, source.color(b"sent-by-a-caller"))
    totals = reported(source, Totals())
    assert counted(totals, catalogue.EXCHANGES, "planner", "canary", "canary", "200") == 2
    assert counted(totals, catalogue.EXCHANGES, "planner", "stable", "", "200") == 1
    assert counted(totals, catalogue.EXCHANGES, "planner", "stable", "other", "503") == 1
    assert counted(totals, catalogue.FIRST_BYTE, "planner", "stable")[-1] == 0.1, "no first byte, no observation"


def test_bytes_and_fallbacks() -> None:
    """Bytes of bodies add up; a fallback is counted where the exchange went."""
    source = meters()
    lane = source.lane("planner", "stable")
    lane.exchange_done(200, 0.1, 0.1, 0, 190, 488)
    lane.exchange_done(200, 0.1, 0.1, 0, 10, 12)
    lane.fallbacks += 1
    totals = reported(source, Totals())
    assert counted(totals, catalogue.REQUEST_BYTES, "planner", "stable") == 200
    assert counted(totals, catalogue.RESPONSE_BYTES, "planner", "stable") == 500
    assert counted(totals, catalogue.FALLBACKS, "planner", "stable") == 1


def test_copies_are_counted_under_their_lane() -> None:
    """By side where there are two, and never as exchanges."""
    source = meters()
    fill_mirror(source.lane("planner", "canary").mirror)
    totals = reported(source, Totals())
    lane = ("planner", "canary")
    assert counted(totals, catalogue.MIRRORED, *lane, "200") == 1
    assert counted(totals, catalogue.NOT_MIRRORED, *lane, "busy") == 1
    assert counted(totals, catalogue.MIRROR_PAIRS, *lane, "same") == 1
    assert counted(totals, catalogue.MIRROR_DURATION, *lane, "copy")[-1] == 0.3
    assert [counted(totals, catalogue.MIRROR_BYTES, *lane, side) for side in ("original", "copy")] == [310, 330]
    assert counted(totals, catalogue.MIRROR_TOKENS, *lane, "copy", "output") == 5
    assert not dict(totals.of(catalogue.EXCHANGES))
    fill_mirror(source.lane("planner", "canary").mirror)
    assert counted(reported(source, totals), catalogue.MIRROR_TOKENS, *lane, "copy", "output") == 10, "each is told once"


def test_outcomes_of_copies_are_bounded() -> None:
    source = meters()
    for outcome in range(LANE_ANSWERS_MAX + 10):
        source.lane("planner", "canary").mirror.copy_done(str(outcome))
    found = dict(reported(source, Totals()).of(catalogue.MIRRORED))
    assert len(found) == LANE_ANSWERS_MAX + 1
    assert found["planner", "canary", "other"] == 10


def test_exchange_without_a_route() -> None:
    """Counted under empty names, so that all exchanges add up."""
    source = meters()
    source.unrouted.exchange_done(404, 0.001, None)
    assert counted(reported(source, Totals()), catalogue.EXCHANGES, "", "", "", "404") == 1


@given(st.lists(st.one_of(st.sampled_from(BUCKETS_S), st.floats(0, 2000)), min_size=1))
def test_each_duration_in_its_bucket(durations: list[float]) -> None:
    """A bucket takes what is at or below its bound and above the one before: ``le`` of Prometheus."""
    source = meters()
    for seconds in durations:
        source.lane("openai", "openai").exchange_done(200, seconds, seconds)
    found = counted(reported(source, Totals()), catalogue.DURATION, "openai", "openai")
    bounds = [-1.0, *BUCKETS_S, float("inf")]
    expected = [sum(low < seconds <= high for seconds in durations) for low, high in pairwise(bounds)]
    assert found[:-1] == expected
    assert abs(found[-1] - sum(durations)) <= 1e-9 * max(1, sum(durations))


def test_attempts_by_outcome() -> None:
    """Faults of the client or of the proxy itself are never held against an endpoint."""
    source = meters()
    endpoint = source.endpoint(POOL, ADDRESS)
    for status in (200, 404, 500, 503):
        endpoint.answered(status)
    for kind in Kind:
        endpoint.failed(kind)
    totals = reported(source, Totals())
    found = {outcome: counted(totals, catalogue.ATTEMPTS, POOL, ADDRESS, outcome.name.lower()) for outcome in Outcome}
    assert found.pop(Outcome.OK) == 2
    assert found.pop(Outcome.STATUS_5XX) == 2
    assert found.pop(Outcome.ABANDONED) == len(Kind) - 6
    assert set(found.values()) == {1}


def test_endpoint_counters() -> None:
    """Retries, ejections and connections are plain numbers to be counted up."""
    source = meters()
    endpoint = source.endpoint(POOL, ADDRESS)
    endpoint.retries += 1
    endpoint.ejections += 2
    endpoint.connections_opened += 3
    endpoint.connections_reused += 4
    totals = reported(source, Totals())
    metrics = (catalogue.RETRIES, catalogue.EJECTIONS, catalogue.OPENED, catalogue.REUSED)
    assert [counted(totals, metric, POOL, ADDRESS) for metric in metrics] == [1, 2, 3, 4]


def test_worker_counters() -> None:
    """What belongs to no lane and no endpoint."""
    source = meters()
    worker = source.worker
    worker.connections_accepted += 2
    worker.tunnels_opened += 3
    worker.resolver_failures += 4
    worker.errors[Kind.MALFORMED] += 5
    worker.shed[Shed.POOL_PENDING] += 6
    worker.joins["tool_call"] += 7
    worker.join_misses["ambiguous"] += 8
    worker.observations_abandoned["encoding"] += 9
    worker.records_dropped += 10
    worker.connections_open, worker.exchanges_under_way, worker.tunnels_open, worker.streams_open = 7, 8, 9, 10
    worker.ticked(0.3)
    worker.ticked(-0.001)
    totals = reported(source, Totals(), "1")
    counters = (catalogue.ACCEPTED, catalogue.TUNNELS_OPENED, catalogue.RESOLVER_FAILURES)
    assert [counted(totals, metric) for metric in counters] == [2, 3, 4]
    assert counted(totals, catalogue.ERRORS, "malformed") == 5
    assert counted(totals, catalogue.SHED, "pool_pending") == 6
    assert counted(totals, catalogue.JOINS, "tool_call") == 7
    assert counted(totals, catalogue.JOINS, "new") == 0, "a closed list is there from the start"
    assert counted(totals, catalogue.JOIN_MISSES, "ambiguous") == 8
    assert counted(totals, catalogue.ABANDONED, "encoding") == 9
    assert counted(totals, catalogue.RECORDS_DROPPED) == 10
    standing = (catalogue.CLIENTS, catalogue.UNDER_WAY, catalogue.TUNNELS, catalogue.STREAMS)
    assert [gauge(totals, metric, "1") for metric in standing] == [7, 8, 9, 10]
    assert sum(counted(totals, catalogue.LAG)[:-1]) == 2
    assert counted(totals, catalogue.LAG)[-1] == 0.3, "a clock that ticks early is not late"


def test_statuses_are_bounded() -> None:
    """An upstream that invents statuses cannot fill the memory; every exchange is still counted."""
    source = meters()
    for color in range(2):
        for status in range(100, 600):
            source.lane("openai", "openai").exchange_done(status, 0.1, 0.1, color)
    totals = reported(source, Totals())
    found = dict(totals.of(catalogue.EXCHANGES))
    assert len(found) == LANE_ANSWERS_MAX + 1
    assert found["openai", "openai", "", "other"] == 1000 - LANE_ANSWERS_MAX
    assert sum(found.values()) == 1000


def test_colors_are_bounded() -> None:
    """Over many reloads too; a colour keeps its number."""
    source = meters(colors=[b"first"])
    first = source.color(b"first")
    for number in range(10):
        source.load([], [], [b"c%d-%d" % (number, index) for index in range(20)])
    numbers = {source.color(b"c%d-%d" % (number, index)) for number in range(10) for index in range(20)}
    assert max(numbers) < COLORS_COUNTED_MAX
    assert source.color(b"c9-19") == OTHER_COLOR
    assert source.color(b"first") == first


def test_reload_carries_over() -> None:
    """Meters of the same names go on; what ends late on a lane that has gone is counted all the same."""
    source = meters()
    kept, gone = source.lane("planner", "stable"), source.lane("planner", "canary")
    kept.exchange_done(200, 0.1, 0.1)
    source.load([("planner", "stable"), ("new", "new")], [], [])
    assert source.lane("planner", "stable") is kept
    gone.exchange_done(200, 0.1, 0.1)
    totals = reported(source, Totals())
    assert counted(totals, catalogue.EXCHANGES, "planner", "stable", "", "200") == 1
    assert counted(totals, catalogue.EXCHANGES, "planner", "canary", "", "200") == 1
    source.load([("planner", "canary")], [], [])
    assert source.lane("planner", "canary") is gone, "a lane that comes back has its meter again"


def test_retired_meters_are_bounded() -> None:
    """Many reloads with ever new names: none of the numbers is lost, but only the newest meters are kept."""
    source = meters(lanes=[], endpoints=[])
    totals = Totals()
    first = None
    for number in range(METERS_RETIRED_MAX + 10):
        source.load([("route", str(number))], [("pool", str(number))], [])
        lane = source.lane("route", str(number))
        first = first or lane
        lane.exchange_done(200, 0.1, 0.1)
    reported(source, totals)
    assert counted(totals, catalogue.EXCHANGES, "route", "0", "", "200") == 1
    source.load([("route", "0"), ("route", "500")], [], [])
    assert source.lane("route", "0") is not first


def test_only_what_changed_is_sent() -> None:
    """A quiet worker with many lanes says little; gauges of endpoints only when they change."""
    source = meters(lanes=[("route", str(number)) for number in range(100)])
    source.endpoint(POOL, ADDRESS).standing = Standing(0, 0, 1, "serving")
    reported(source, Totals())
    quiet = source.take(AT)
    assert not quiet["added"]
    assert not quiet["observed"]
    assert {name for name, _, _ in quiet["gauges"]} == {
        metric.name for metric in (catalogue.CLIENTS, catalogue.UNDER_WAY, catalogue.STREAMS, catalogue.TUNNELS)
    }


def test_standing_of_an_endpoint() -> None:
    """The state it was in is gone when it is in another, and all of it when the endpoint leaves the config."""
    source, totals = meters(), Totals()
    endpoint = source.endpoint(POOL, ADDRESS)
    endpoint.standing = Standing(3, 2, 1, "serving")
    reported(source, totals)
    assert gauge(totals, catalogue.HEALTH, POOL, ADDRESS, "serving", "0") == 1
    assert gauge(totals, catalogue.PENDING, POOL, ADDRESS, "0") == 3
    assert gauge(totals, catalogue.CONNECTIONS, POOL, ADDRESS, "active", "0") == 2
    assert gauge(totals, catalogue.CONNECTIONS, POOL, ADDRESS, "idle", "0") == 1
    endpoint.standing = Standing(3, 2, 1, "ejected")
    reported(source, totals)
    assert gauge(totals, catalogue.HEALTH, POOL, ADDRESS, "serving", "0") is None
    assert gauge(totals, catalogue.HEALTH, POOL, ADDRESS, "ejected", "0") == 1
    source.load([], [], [])
    reported(source, totals)
    assert not [labels for labels in gauges(totals) if POOL in labels]


def test_unconfirmed_delta_comes_again() -> None:
    """The same one, however much is counted meanwhile; that follows when it is confirmed."""
    source: Meters = meters()
    lane = source.lane("openai", "openai")
    lane.exchange_done(200, 0.1, 0.1)
    first = over_the_wire(source.take(AT))
    lane.exchange_done(200, 0.1, 0.1)
    source.confirm("run-1", 99)
    source.confirm("another-life", 1)
    assert over_the_wire(source.take(AT)) == first
    totals = Totals()
    assert totals.add("0", first)
    assert not totals.add("0", first), "the second copy changes nothing"
    assert counted(totals, catalogue.EXCHANGES, "openai", "openai", "", "200") == 1
    source.confirm("run-1", 1)
    reported(source, totals)
    assert counted(totals, catalogue.EXCHANGES, "openai", "openai", "", "200") == 2
    assert counted(totals, catalogue.RESENT) == 1
