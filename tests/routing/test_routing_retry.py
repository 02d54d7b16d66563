"""Pauses, budgets and ``Retry-After``, without a clock or dice."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer_proxy.limits import RETRY_BUDGET_WINDOW_S, RETRY_RATE_MIN
from tracer_proxy.routing.circuit import Circuit, CircuitLimits
from tracer_proxy.routing.retry import Budget, RetryPolicy, retry_after

FREE = RETRY_RATE_MIN * RETRY_BUDGET_WINDOW_S


@given(st.integers(1, 10), st.floats(0, 1, exclude_max=True), st.floats(0, 10), st.floats(0, 10), st.floats(0, 20))
def test_a_pause_is_drawn_from_a_range_that_doubles(retry: int, thrown: float, first: float, most: float, told: float) -> None:
    pause = RetryPolicy(backoff=first, backoff_max=most).pause(retry, told, lambda: thrown)
    if told > most:
        assert pause is None
    else:
        assert pause == max(told, thrown * min(most, first * 2 ** (retry - 1)))


@given(st.floats(0, 100), st.lists(st.tuples(st.floats(0, 30), st.integers(0, 50)), max_size=40))
@settings(deadline=None)
def test_retries_stay_a_share_of_the_traffic(percent: float, moments: list[tuple[float, int]]) -> None:
    """Whatever the times are and however many want one: no more than the share of twice the requests, and the free ones."""
    budget, now, requests, spent = Budget(percent), 0.0, 0, 0
    for waited, came in moments:
        now += waited
        budget.requests += came
        requests += came
        for _ in range(200):
            spent += budget.spend(now)
    windows = now // RETRY_BUDGET_WINDOW_S + 1
    assert spent <= percent / 100 * 2 * requests + windows * (FREE + 1)


def test_a_steady_storm_gets_its_share_and_no_more() -> None:
    budget, spent = Budget(20), 0
    for tenth in range(600):
        budget.requests += 100
        spent += sum(budget.spend(tenth / 10) for _ in range(100))
    assert 0.2 * 60_000 <= spent <= 0.2 * 60_000 + 6 * (FREE + 1) + 0.2 * 10_000


def test_a_long_calm_saves_nothing_up() -> None:
    budget = Budget(100)
    budget.spend(0.0)
    budget.requests += 10_000
    assert sum(budget.spend(1000.0) for _ in range(10_000)) <= FREE + 10_000 * RETRY_BUDGET_WINDOW_S / 1000 + 1


def test_no_budget_at_all() -> None:
    budget = Budget(0)
    budget.requests = 1000
    assert not budget.spend(1.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"", 0),
        (b"0", 0),
        (b"120", 120),
        (b"9" * 5000, 999_999_999),
        (b"-1", 0),
        (b"1.5", 0),
        (b"soon", 0),
        ("\N{ARABIC-INDIC DIGIT ONE}".encode(), 0),
        (b"Sun, 06 Nov 1994 08:49:37 GMT", 7),
        (b"Sun, 06 Nov 1994 08:49:00 GMT", 0),
        (b"Sunday, 06-Nov-94 08:49:37 GMT", 0),
        (b"Sun, 06 Nov 1994 08:49:37 CET", 0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: bytes, seconds: float) -> None:
    assert retry_after(value, 784111770.0) == seconds


@given(st.binary(max_size=40))
def test_retry_after_is_never_negative_and_never_fails(value: bytes) -> None:
    assert retry_after(value, 1e9) >= 0


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (RetryPolicy(), False),
        (RetryPolicy(outcomes=frozenset(("reset",))), True),
        (RetryPolicy(statuses=frozenset((503,))), True),
        (RetryPolicy(attempts=1, statuses=frozenset((503,))), False),
    ],
)
def test_bodies_are_kept_only_where_they_may_be_sent_again(policy: RetryPolicy, expected: bool) -> None:
    assert policy.repeats_sent is expected


def test_a_circuit_has_no_room_for_a_connection_beyond_its_limit() -> None:
    """Those being dialled count."""
    circuit = Circuit(CircuitLimits(connections=2))
    circuit.connections = circuit.pending = 1
    assert circuit.lacks_room
    circuit.pending = 0
    assert not circuit.lacks_room


def test_what_the_table_holds_can_be_sent_to_a_worker() -> None:
    policy, budget, circuit = pickle.loads(pickle.dumps((RetryPolicy(), Budget(20), Circuit(CircuitLimits(requests=3)))))
    assert (policy, circuit.limits.requests, budget.spend(0.0)) == (RetryPolicy(), 3, True)


def test_a_calm_before_the_first_retry_saves_nothing_up_either() -> None:
    budget = Budget(20)
    for second in range(3600):
        budget.roll(second)
        budget.requests += 10
    allowed = sum(budget.spend(3600.0) for _ in range(10_000))
    assert allowed <= 0.2 * 10 * RETRY_BUDGET_WINDOW_S + RETRY_RATE_MIN * RETRY_BUDGET_WINDOW_S + 2
