"""Which endpoint of a pool is next."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from routing_cases import pool

from tracer_proxy.routing.pool import Endpoint, Pool
from tracer_proxy.routing.tls import ClientTls


def never() -> float:
    raise AssertionError("this balance throws no dice")


def picks(of: Pool, count: int) -> list[int]:
    return [of.endpoints.index(of.pick(never, b"")) for _ in range(count)]


@given(st.integers(2, 9), st.integers(1, 60))
@settings(deadline=None)
def test_round_robin_is_fair_at_every_moment(size: int, count: int) -> None:
    taken = Counter(picks(pool(size, "round_robin"), count))
    assert max(taken.values()) - min(taken.get(index, 0) for index in range(size)) <= 1


def test_round_robin_goes_in_order_whatever_is_pending() -> None:
    of = pool(3, "round_robin")
    of.endpoints[1].pending = 100
    assert picks(of, 6) == [0, 1, 2, 0, 1, 2]


@given(st.lists(st.integers(0, 3), min_size=2, max_size=8), st.integers(0, 8))
@settings(deadline=None)
def test_least_pending_picks_one_with_the_fewest(pending: list[int], before: int) -> None:
    of = pool(len(pending), "least_pending")
    picks(of, before)
    for endpoint, count in zip(of.endpoints, pending, strict=True):
        endpoint.pending = count
    assert pending[picks(of, 1)[0]] == min(pending)


@given(st.lists(st.integers(0, 1), min_size=2, max_size=8))
@settings(deadline=None)
def test_least_pending_uses_every_one_of_equals(pending: list[int]) -> None:
    of = pool(len(pending), "least_pending")
    for endpoint, count in zip(of.endpoints, pending, strict=True):
        endpoint.pending = count
    fewest = {index for index, count in enumerate(pending) if count == min(pending)}
    assert set(picks(of, len(pending))) == fewest


def test_least_pending_spreads_an_idle_pool_evenly() -> None:
    assert Counter(picks(pool(4, "least_pending"), 40)) == dict.fromkeys(range(4), 10)


def test_least_pending_fills_up_evenly_when_nothing_ends() -> None:
    of = pool(4, "least_pending")
    for _ in range(40):
        picked = of.pick(never, b"")
        assert picked is not None
        picked.pending += 1
    assert [endpoint.pending for endpoint in of.endpoints] == [10] * 4


@pytest.mark.parametrize(("thrown", "index"), [(0.0, 0), (0.2499, 0), (0.25, 1), (0.5, 2), (0.999999, 3)])
def test_random_follows_the_dice(thrown: float, index: int) -> None:
    of = pool(4, "random")
    assert of.pick(lambda: thrown, b"") is of.endpoints[index]


@pytest.mark.parametrize("balance", ["round_robin", "least_pending", "random"])
def test_one_endpoint_needs_no_choice(balance: str) -> None:
    of = pool(1, balance)
    assert of.pick(never, b"") is of.endpoints[0]


@pytest.mark.parametrize(
    ("endpoint", "authority", "shown"),
    [
        (Endpoint("agent.test", 7001), b"agent.test:7001", "http://agent.test:7001"),
        (Endpoint("agent.test", 80), b"agent.test", "http://agent.test:80"),
        (Endpoint("agent.test", 443, tls=ClientTls()), b"agent.test", "https://agent.test:443"),
        (Endpoint("::1", 7001), b"[::1]:7001", "http://[::1]:7001"),
        (Endpoint(path="/run/agent.sock"), b"localhost", "unix:/run/agent.sock"),
    ],
)
def test_how_an_endpoint_is_named(endpoint: Endpoint, authority: bytes, shown: str) -> None:
    assert (endpoint.authority, str(endpoint)) == (authority, shown)
