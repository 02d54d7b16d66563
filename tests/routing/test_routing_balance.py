"""Balancing: by weight, by latency, by session; whatever the policy."""

import random
from collections import Counter
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy.routing.balance import BALANCES, BOUND
from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.pool import Pool


def pool(balance: str, *weights: float) -> Pool:
    endpoints = [Endpoint("h", port, weight=weight) for port, weight in enumerate(weights, 1)]
    return Pool("p", endpoints, BALANCES[balance](), idle_s=1)


def picks(found: Pool, count: int = 6000, *, hold: bool = False) -> list[int]:
    """How often each endpoint was picked, by keys of many sessions; ``hold`` keeps what was picked under way."""
    dice = random.Random(7).random
    counts: Counter[int] = Counter()
    for number in range(count):
        endpoint = found.pick(dice, f"session-{number}".encode())
        assert endpoint is not None
        counts[endpoint.port] += 1
        endpoint.pending += hold
    return [counts[endpoint.port] for endpoint in found.endpoints]


@pytest.mark.parametrize("balance", BALANCES)
@pytest.mark.parametrize("hold", [False, True])
def test_shares_follow_weights(balance: str, hold: bool) -> None:
    counts = picks(pool(balance, 1, 2, 3), hold=hold)
    tolerance = 400 if balance == "consistent_hash" else 250
    assert [abs(count - 1000 * weight) < tolerance for count, weight in zip(counts, (1, 2, 3), strict=True)] == [True] * 3, (
        counts
    )


@pytest.mark.parametrize("balance", BALANCES)
def test_equal_weights_share_equally(balance: str) -> None:
    counts = picks(pool(balance, 1, 1, 1), hold=True)
    assert all(abs(count - 2000) < 300 for count in counts), counts


def test_turns_of_a_heavy_endpoint_lie_apart() -> None:
    found = pool("round_robin", 1, 3)
    ports = [endpoint.port for _ in range(8) if (endpoint := found.pick(lambda: 0.0, b"")) is not None]
    assert ports == [2, 1, 2, 2, 2, 1, 2, 2]


def test_two_choices_prefer_the_faster_and_feel_a_peak_at_once() -> None:
    found = pool("p2c", 1, 1)
    slow, fast = found.endpoints
    for number in range(100):
        found.succeeded(slow, 0.5, number / 10)
        found.succeeded(fast, 0.01, number / 10)
    assert picks(found)[1] == 6000, "two of two are always both drawn"
    found.succeeded(fast, 5.0, 11.0)
    assert picks(found)[0] == 6000
    for number in range(400):
        found.succeeded(fast, 0.01, 12 + number / 10)
    assert picks(found)[1] == 6000


def test_an_endpoint_that_fails_fast_does_not_look_fast() -> None:
    found = pool("p2c", 1, 1)
    for endpoint in found.endpoints:
        found.succeeded(endpoint, 0.05, 1.0)
    found.failed(found.endpoints[0], 1.0)
    assert picks(found)[0] == 0


@given(st.lists(st.integers(0, 40), min_size=2, max_size=8), st.binary(max_size=16))
def test_hashing_never_goes_beyond_its_bound(pending: list[int], key: bytes) -> None:
    found = pool("consistent_hash", *[1.0] * len(pending))
    for endpoint, count in zip(found.endpoints, pending, strict=True):
        endpoint.pending = count
    chosen = found.pick(lambda: 0.0, key)
    assert chosen is not None
    assert chosen.pending < ceil(BOUND * (sum(pending) + 1) / len(pending))


def test_hashing_agrees_between_replicas_and_a_new_endpoint_takes_only_its_share() -> None:
    keys = [f"session-{number}".encode() for number in range(2000)]

    def owners(found: Pool) -> list[int]:
        return [endpoint.port for key in keys if (endpoint := found.pick(lambda: 0.0, key)) is not None]

    four, again, five = (owners(pool("consistent_hash", *[1.0] * count)) for count in (4, 4, 5))
    assert four == again
    moved = [(before, after) for before, after in zip(four, five, strict=True) if before != after]
    assert {after for _, after in moved} == {5}
    assert 300 < len(moved) < 500


@pytest.mark.parametrize("seconds", [5.0, None])
def test_one_bad_moment_does_not_keep_an_endpoint_without_traffic_for_ever(seconds: float | None) -> None:
    found, dice, now = pool("p2c", 1, 1), random.Random(7).random, 1.0
    unlucky = found.endpoints[0]
    for endpoint in found.endpoints:
        found.succeeded(endpoint, 0.01, now)
    found.failed(unlucky, now) if seconds is None else found.succeeded(unlucky, seconds, now)
    assert picks(found, 100)[0] == 0
    counts: Counter[int] = Counter()
    for _ in range(6000):
        now += 0.1
        found.tick(now)
        chosen = found.pick(dice, b"")
        assert chosen is not None
        counts[chosen.port] += 1
        found.succeeded(chosen, 0.01, now)
    assert counts[unlucky.port] > 1000, "it has long been as fast as the other"


def test_an_endpoint_that_is_really_slow_is_only_tried_now_and_then() -> None:
    found, dice, now = pool("p2c", 1, 1), random.Random(7).random, 1.0
    slow = found.endpoints[0]
    counts: Counter[int] = Counter()
    for _ in range(6000):
        now += 0.1
        found.tick(now)
        chosen = found.pick(dice, b"")
        assert chosen is not None
        counts[chosen.port] += 1
        found.succeeded(chosen, 0.5 if chosen is slow else 0.01, now)
    assert 1 < counts[slow.port] < 100, counts


def test_an_endpoint_that_hangs_does_not_look_fast_after_a_while() -> None:
    found, dice, now = pool("p2c", 1, 1), random.Random(7).random, 1.0
    hanging = found.endpoints[0]
    for endpoint in found.endpoints:
        found.succeeded(endpoint, 0.01, now)
    for _ in range(6000):
        now += 0.1
        found.tick(now)
        chosen = found.pick(dice, b"")
        assert chosen is not None
        if chosen is hanging:
            hanging.pending += 1
        else:
            found.succeeded(chosen, 0.01, now)
    assert hanging.pending <= 3


def test_one_of_which_nothing_is_known_gets_no_flood() -> None:
    """It may be as slow as the others, or slower."""
    found = pool("p2c", 1, 1)
    found.succeeded(found.endpoints[0], 0.5, 1.0)
    counts = picks(found, 1000, hold=True)
    assert abs(counts[0] - 500) < 5
