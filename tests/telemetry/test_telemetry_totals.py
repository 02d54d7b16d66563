"""Totals are the sum of what was counted, whoever dies in between."""

import json
from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule
from telemetry_cases import AT, LANES, counted, gauge, meters, over_the_wire, reported, stored_and_loaded

from tracer_proxy.limits import SERIES_MAX, SERIES_VANISHED_MAX
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.meters import Standing
from tracer_proxy.telemetry.totals import Totals

Lane = tuple[str, str]


class Slot:
    """One worker as the test sees it: what it has counted and not collected yet, and the delta under way."""

    def __init__(self, name: str, life: int) -> None:
        self.name = name
        self.meters = meters(f"{name}-{life}")
        self.held = {lane: self.meters.lane(*lane) for lane in LANES}
        self.fresh: Counter[Lane] = Counter()
        self.under_way: Counter[Lane] | None = None
        self.stored = False


class Lives(RuleBasedStateMachine):
    """Workers count, report, reload and die; control loses deltas and confirmations, dies and comes back from its dump."""

    def __init__(self) -> None:
        super().__init__()
        self.lives = 0
        self.slots = [Slot("0", 0), Slot("1", 0)]
        self.totals = Totals()
        self.stored = json.dumps(self.totals.dump())
        self.expected: Counter[Lane] = Counter()

    @rule(slot=st.integers(0, 1), lane=st.sampled_from(LANES), seconds=st.sampled_from([0.0, 0.5, 1000.0]))
    def count(self, slot: int, lane: Lane, seconds: float) -> None:
        """On the lane as an exchange under way holds it, whatever the config says meanwhile."""
        self.slots[slot].held[lane].exchange_done(200, seconds, None)
        self.slots[slot].fresh[lane] += 1
        self.expected[lane] += 1

    @rule(slot=st.integers(0, 1), arrives=st.booleans(), is_stored=st.booleans(), confirmed=st.booleans())
    def report(self, slot: int, arrives: bool, is_stored: bool, confirmed: bool) -> None:
        """Control confirms only what it has stored."""
        worker = self.slots[slot]
        delta = over_the_wire(worker.meters.take(AT))
        if worker.under_way is None:
            worker.under_way, worker.fresh, worker.stored = worker.fresh, Counter(), False
        if not arrives:
            return
        self.totals.add(worker.name, delta)
        if not is_stored:
            self.come_back()
            return
        self.stored = json.dumps(self.totals.dump())
        worker.stored = True
        if confirmed:
            worker.meters.confirm(delta["run"], delta["number"])
            worker.under_way = None

    @rule()
    def come_back(self) -> None:
        """Control is killed: what it did not store is gone."""
        self.totals = Totals.load(json.loads(self.stored))
        for worker in self.slots:
            worker.meters.report_again()

    @rule(slot=st.integers(0, 1), lanes=st.sets(st.sampled_from(LANES)))
    def reload(self, slot: int, lanes: set[Lane]) -> None:
        self.slots[slot].meters.load(lanes, [], [])
        self.totals.config_has(lanes, [])

    @rule(slot=st.integers(0, 1), is_noticed=st.booleans())
    def worker_dies(self, slot: int, is_noticed: bool) -> None:
        """What it had not told is gone with it; what it told stays."""
        worker = self.slots[slot]
        self.expected -= worker.fresh
        if worker.under_way is not None and not worker.stored:
            self.expected -= worker.under_way
        self.lives += 1
        self.slots[slot] = Slot(worker.name, self.lives)
        if is_noticed:
            self.totals.forget(worker.name)
            self.stored = json.dumps(self.totals.dump())

    def teardown(self) -> None:
        for worker in self.slots:
            reported(worker.meters, self.totals, worker.name)
            reported(worker.meters, self.totals, worker.name)
        for lane in LANES:
            assert (counted(self.totals, catalogue.EXCHANGES, *lane, "", "200") or 0) == self.expected[lane]
            assert sum((counted(self.totals, catalogue.DURATION, *lane) or [0])[:-1]) == self.expected[lane]


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)


def test_gauges_go_with_their_worker() -> None:
    """Counters stay."""
    totals, source = Totals(), meters()
    source.worker.connections_accepted, source.worker.connections_open = 5, 3
    reported(source, totals, "0")
    assert gauge(totals, catalogue.CLIENTS, "0") == 3
    totals.forget("0")
    assert gauge(totals, catalogue.CLIENTS, "0") is None
    assert counted(totals, catalogue.ACCEPTED) == 5


def test_next_life_of_a_worker() -> None:
    """A replaced worker counts its deltas from 1 again, and has none of the old one's gauges, also when nobody noticed."""
    totals, first = Totals(), meters("run-1")
    first.endpoint("openai", "https://api.openai.com:443").standing = Standing(1, 1, 1, "ejected")
    reported(first, totals)
    reported(first, totals)
    second = meters("run-2")
    second.worker.connections_accepted += 1
    reported(second, totals)
    assert counted(totals, catalogue.ACCEPTED) == 1
    assert not totals.series[catalogue.HEALTH.name]


def test_new_control_gets_all_gauges() -> None:
    """One that does not know how things stood, or knows it wrongly."""
    source, lost = meters(), Totals()
    endpoint = source.endpoint("openai", "https://api.openai.com:443")
    endpoint.standing = Standing(1, 1, 1, "ejected")
    reported(source, lost)
    old = stored_and_loaded(lost)
    endpoint.standing = Standing(1, 1, 1, "serving")
    reported(source, lost)
    source.report_again()
    reported(source, old)
    labels = ("openai", "https://api.openai.com:443")
    assert gauge(old, catalogue.HEALTH, *labels, "serving", "0") == 1
    assert gauge(old, catalogue.HEALTH, *labels, "ejected", "0") is None
    assert gauge(old, catalogue.PENDING, *labels, "0") == 1


def test_control_counts_for_itself() -> None:
    """Closed lists are there from the start, so that the first failure is a rise from 0 and not a new series."""
    totals = Totals()
    assert counted(totals, catalogue.RELOADS, "failed") == 0
    assert counted(totals, catalogue.ERRORS, "no_route") == 0
    totals.count(catalogue.RELOADS, "failed")
    totals.set(catalogue.CONFIG, 1, "abc")
    totals.set(catalogue.CONFIG, 1, "def")
    assert counted(stored_and_loaded(totals), catalogue.RELOADS, "failed") == 1
    assert list(totals.series[catalogue.CONFIG.name]) == [("def",)]
    totals.count(catalogue.SPANS_DROPPED, "queue_full", by=512)
    assert counted(totals, catalogue.SPANS_DROPPED, "queue_full") == 512


def test_vanished_series_are_bounded() -> None:
    """What left the config stays until too much has: then the oldest goes, and never what the config still has."""
    totals = Totals()
    source = meters(lanes=[("stays", "lane")])
    source.lane("stays", "lane").fallbacks += 1
    for start in range(0, SERIES_VANISHED_MAX + 200, 100):
        lanes = [("route", str(number)) for number in range(start, start + 100)]
        source.load([("stays", "lane"), *lanes], [], [])
        totals.config_has([("stays", "lane"), *lanes], [])
        for lane in lanes:
            source.lane(*lane).fallbacks += 1
        # Some arrive before they vanish and some after.
        if start % 200:
            reported(source, totals)
    totals.config_has([("stays", "lane")], [])
    left = {int(lane) for route, lane in totals.series[catalogue.FALLBACKS.name] if route == "route"}
    assert left == set(range(200, SERIES_VANISHED_MAX + 200))
    assert counted(totals, catalogue.FALLBACKS, "stays", "lane") == 1


def test_vanished_route_that_comes_back() -> None:
    """Its counter goes on where it was, and counts as gone no longer."""
    totals, source = Totals(), meters()
    source.lane("openai", "openai").fallbacks += 1
    reported(source, totals)
    totals.config_has([], [])
    totals.config_has(LANES, [])
    source.lane("openai", "openai").fallbacks += 1
    reported(source, totals)
    assert counted(totals, catalogue.FALLBACKS, "openai", "openai") == 2
    assert not totals._vanished


def kept(totals: Totals) -> int:
    """Series of counters and histograms."""
    return len(totals.dump()["series"])


def test_series_are_bounded() -> None:
    """Over the bound what vanished makes room; with nothing to make room the new is not taken, and that is counted."""
    totals = Totals()
    room = SERIES_MAX - kept(totals)
    names = [("route", str(number)) for number in range(room + 1)]
    totals.config_has([*names, ("late", "lane")], [])
    source = meters(lanes=names)
    for lane in names:
        source.lane(*lane).fallbacks += 1
    reported(source, totals)
    assert kept(totals) == SERIES_MAX
    assert counted(totals, catalogue.SERIES_DROPPED) == 1
    totals.config_has([*names[1:], ("late", "lane")], [])
    source.load([("late", "lane")], [], [])
    source.lane("late", "lane").fallbacks += 1
    reported(source, totals)
    assert counted(totals, catalogue.FALLBACKS, "late", "lane") == 1
    assert counted(totals, catalogue.FALLBACKS, *names[0]) is None
    assert kept(totals) == SERIES_MAX


def test_dump_of_another_version() -> None:
    """What is no longer counted, or counted otherwise, is left out."""
    dump = json.loads(json.dumps(Totals().dump()))
    dump["series"] += [
        ["tracer_proxy_gone_total", [], [7]],
        [catalogue.FALLBACKS.name, ["only-one-label"], [7]],
        [catalogue.DURATION.name, ["planner", "stable"], [7]],
    ]
    totals = Totals.load(dump)
    assert totals.dump() == Totals().dump()


@pytest.mark.parametrize("text", ["[]", "{}", "null", '{"series": [1], "seen": {}}', '{"series": 1}'])
def test_no_dump(text: str) -> None:
    """A file that was cut or is something else is told from a dump, so that control can start from nothing."""
    with pytest.raises(ValueError, match="not a dump"):
        Totals.load(json.loads(text))
