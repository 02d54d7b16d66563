"""The health of endpoints: every row of the table, and what a pool makes of it."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy.routing.balance import LeastPending
from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.health import NEXT, Event, Health, HealthRules, ProbeRules, State
from tracer_proxy.routing.pool import Pool

RULES = HealthRules(failures=3, cooldown=10, cooldown_max=60)
PROBED = HealthRules(failures=3, cooldown=10, probe=ProbeRules(rise=2, fall=3))


def pool(count: int, rules: HealthRules = RULES) -> Pool:
    return Pool("p", [Endpoint("h", port) for port in range(1, count + 1)], LeastPending(), idle_s=1, rules=rules)


def fail(found: Pool, index: int, times: int = 3, now: float = 1.0) -> None:
    for _ in range(times):
        found.failed(found.endpoints[index], now)


def states(found: Pool) -> list[str]:
    return [endpoint.health.state.value for endpoint in found.endpoints]


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_every_row_of_the_table_and_nothing_else(state: State, event: Event) -> None:
    health = Health()
    health.state = state
    changed = health.take(event, RULES, 1.0)
    assert changed is ((state, event) in NEXT)
    assert health.state is NEXT.get((state, event), state)


def test_failures_in_a_row_eject_and_a_success_begins_anew() -> None:
    found = pool(3)
    fail(found, 0, 2)
    found.succeeded(found.endpoints[0], 0.1, 1.0)
    fail(found, 0, 2)
    assert states(found) == ["healthy"] * 3
    fail(found, 0, 1)
    assert states(found) == ["ejected", "healthy", "healthy"]
    (told,) = found.tick(1.0)
    assert (told.before, told.after, told.reason) == (State.HEALTHY, State.EJECTED, "3 exchanges in a row failed")
    assert found.tick(1.0) == []
    assert {found.pick(lambda: 0.0, b"") for _ in range(9)} == set(found.endpoints[1:])


def test_each_cool_down_is_twice_as_long_until_it_is_forgiven() -> None:
    found, now, waits = pool(2), 100.0, []
    for _ in range(5):
        fail(found, 0, now=now)
        waits.append(found.endpoints[0].health.until - now)
        now = found.endpoints[0].health.until
        assert found.endpoints[0] not in found.available
        found.tick(now)
        assert found.endpoints[0] in found.available
    assert waits == [10, 20, 40, 60, 60]
    fail(found, 0, now=now + 61)
    assert found.endpoints[0].health.until == now + 71


def test_a_low_success_rate_ejects_when_there_were_enough_exchanges() -> None:
    rules = HealthRules(failures=0, success_rate=0.8, exchanges_min=10, window=30)
    found = pool(2, rules)
    first = found.endpoints[0]
    for number in range(9):
        found.failed(first, 1.0) if number % 3 == 0 else found.succeeded(first, 0.1, 1.0)
    assert states(found)[0] == "healthy"
    found.failed(first, 1.0)
    assert states(found)[0] == "ejected"
    assert "only 60% of its last 10 exchanges" in found.tick(1.0)[0].reason
    fresh = pool(2, rules)
    for now in (0.0, 40.0, 80.0):
        for _ in range(4):
            fresh.failed(fresh.endpoints[0], now)
    assert states(fresh)[0] == "healthy", "windows are apart"


@given(st.integers(1, 8), st.floats(0, 1), st.lists(st.tuples(st.integers(0, 7), st.floats(0, 30)), max_size=60))
def test_ejection_leaves_enough(count: int, share: float, events: list[tuple[int, float]]) -> None:
    found = pool(count, HealthRules(failures=1, cooldown=10, ejected_max=share, panic=0))
    now = 0.0
    for index, pause in events:
        now += pause
        fail(found, index % count, 1, now)
        found.tick(now)
        ejected = sum(state == "ejected" for state in states(found))
        assert ejected <= max(1 if share else 0, int(share * count))
        assert found.available
        assert set(found.available) == {endpoint for endpoint in found.endpoints if endpoint.health.is_usable}
        assert found.pick(lambda: 0.5, b"k") in found.available


def probe(found: Pool, index: int, *passed: bool) -> None:
    for each in passed:
        found.probed(found.endpoints[index], "" if each else "refused", 1.0)


def test_probes_take_an_endpoint_out_and_back() -> None:
    found = pool(3, PROBED)
    probe(found, 0, False, False, True, False, False)
    assert states(found)[0] == "healthy"
    probe(found, 0, False)
    assert states(found)[0] == "unhealthy"
    probe(found, 0, True, False, True)
    assert states(found)[0] == "unhealthy"
    probe(found, 0, True)
    assert states(found)[0] == "recovering"
    found.tick(1.0)
    assert states(found)[0] == "healthy"


@pytest.mark.parametrize(("panic", "available"), [(0.5, 3), (0, 0)])
def test_panic_uses_all_rather_than_none(panic: float, available: int) -> None:
    found = pool(3, HealthRules(panic=panic, probe=ProbeRules(fall=1, rise=1)))
    probe(found, 0, False)
    assert len(found.available) == 2
    probe(found, 1, False)
    assert len(found.available) == (3 if panic else 1)
    probe(found, 2, False)
    assert len(found.available) == available
    assert found.panics is bool(panic)
    assert (found.pick(lambda: 0.0, b"") is None) is (not panic)
    probe(found, 2, True)
    probe(found, 1, True)
    assert len(found.available) == 2


def test_a_slow_start_grows_to_the_full_share() -> None:
    found = pool(2, HealthRules(failures=1, cooldown=10, slow_start=20))
    fail(found, 0, 1, now=0.0)
    shares = []
    for now in (10.0, 15.0, 20.0, 25.0, 30.0):
        found.tick(now)
        shares.append(round(found.endpoints[0].share, 2))
    assert shares == [0.1, 0.25, 0.5, 0.75, 1.0]
    assert states(found) == ["healthy", "healthy"]


def test_a_reload_keeps_what_is_known_and_what_is_under_way() -> None:
    rules = HealthRules(failures=3, ejected_max=1, panic=0)
    before = pool(3, rules)
    fail(before, 0)
    before.endpoints[1].pending = 4
    after = Pool("p", [Endpoint("h", 2, weight=5), Endpoint("h", 1), Endpoint("h", 9)], LeastPending(), idle_s=1, rules=rules)
    after.adopt(before)
    assert after.endpoints[:2] == (before.endpoints[1], before.endpoints[0])
    assert (after.endpoints[0].pending, after.endpoints[0].share) == (4, 5)
    assert states(after) == ["healthy", "ejected", "healthy"]
    assert [each.after for each in after.tick(1.0)] == [State.EJECTED], "what was not told yet is told"
    # An exchange that began before tells the pool of then.
    fail(before, 1)
    told = after.tick(1.0)
    assert after.endpoints[0] not in after.available
    assert [(each.endpoint, each.after) for each in told] == [(after.endpoints[0], State.EJECTED)]
    assert after.tick(1.0) == []


def test_a_reload_does_not_set_a_slow_start_back() -> None:
    rules = HealthRules(failures=1, cooldown=10, slow_start=20)
    before = pool(2, rules)
    fail(before, 0, 1, now=1000.0)
    for now in (1010.0, 1028.0):
        before.tick(now)
    after = pool(2, rules)
    after.adopt(before)
    assert after.endpoints[0].share == before.endpoints[0].share == pytest.approx(0.9)


def test_without_probes_nobody_stays_unhealthy() -> None:
    before = pool(3, PROBED)
    probe(before, 0, False, False, False)
    after = pool(3)
    after.adopt(before)
    assert states(after) == ["healthy"] * 3


def test_an_endpoint_may_stay_dead_for_ever() -> None:
    """The cool-down stops growing long before its number would be too large."""
    health = Health()
    for now in range(1, 3000):
        health.take(Event.EJECTED, RULES, now)
        assert health.until - now <= RULES.cooldown_max
        health.take(Event.COOLED, RULES, now)


def test_one_that_comes_back_is_on_probation() -> None:
    found = pool(2)
    fail(found, 0, now=0.0)
    found.tick(10.0)
    fail(found, 0, 1, now=10.0)
    assert states(found)[0] == "ejected"
    found.tick(30.0)
    found.succeeded(found.endpoints[0], 0.1, 30.0)
    fail(found, 0, 2, now=30.0)
    assert found.endpoints[0].health.is_usable


def test_ejection_alone_never_empties_a_pool() -> None:
    rules = HealthRules(failures=1, panic=0, ejected_max=0.5)
    before = pool(4, rules)
    for index in (0, 1):
        fail(before, index, 1)
    after = Pool("p", [Endpoint("h", 1), Endpoint("h", 2)], LeastPending(), idle_s=1, rules=rules)
    after.adopt(before)
    assert len(after.available) == 2
