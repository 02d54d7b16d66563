"""Which sessions are copied: the same ones everywhere, a fair share of them, and never a part of one."""

from itertools import pairwise
from math import sqrt

import pytest
from routing_cases import head_for, lane, table_of

from tracer_proxy.config.compile import compile_table
from tracer_proxy.config.load import load_text
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.bucket import bucket, seed
from tracer_proxy.routing.explain import explain
from tracer_proxy.routing.mirror import Mirror

KEYS = [b"session-%d" % number for number in range(20_000)]
CONFIG = """
version: 1
routes:
  - name: planner
    mirror: {lane: shadow, percent: 50}
    lanes: [{name: stable, pool: p}, {name: shadow, pool: p, weight: 0, colors: [dark]}]
pools: {p: {endpoints: [http://127.0.0.1:1]}}
"""


def mirror(percent: float, route: str = "planner") -> Mirror:
    return Mirror.of(route, lane("shadow", 0), percent, compare=False, timeout=1)


def taken(by: Mirror) -> set[bytes]:
    return {key for key in KEYS if by.takes(key)}


def test_two_workers_copy_the_same_sessions() -> None:
    """Each has a table of its own, made of the same file."""
    tables = [compile_table(load_text(CONFIG, "test.yaml", {}), "127.0.0.1:8082") for _ in range(2)]
    first, second = (table.routes[0].mirror for table in tables)
    assert first is not None
    assert second is not None
    assert taken(first) == taken(second)


@pytest.mark.parametrize("percent", [0, 0.5, 10, 60, 100])
def test_the_share_is_as_asked(percent: float) -> None:
    expected = len(KEYS) * percent / 100
    spread = sqrt(expected * (1 - percent / 100))
    assert abs(len(taken(mirror(percent))) - expected) <= 4 * spread


def test_growing_the_share_only_adds_sessions() -> None:
    shares = [taken(mirror(percent)) for percent in (1, 5, 20, 100)]
    assert all(small < large for small, large in pairwise(shares))


def test_routes_and_splits_draw_apart() -> None:
    """Else a canary's sessions would be the copied ones."""
    planner, other = taken(mirror(50)), taken(mirror(50, "other"))
    canary = {key for key in KEYS if bucket(key, seed("planner")) < 5000}
    for group in (other, canary):
        assert 0.45 < len(planner & group) / len(planner) < 0.55


@pytest.mark.parametrize(("session", "color"), [(b"a", ""), (b"b", ""), (b"a", "x-traffic-color: dark")])
def test_explain_says_whether_a_request_is_copied(session: bytes, color: str) -> None:
    table = table_of(CONFIG)
    route = table.routes[0]
    assert route.mirror is not None
    headers = [f"x-session-id: {session.decode()}", *([color] if color else [])]
    head = head_for(table, "/", *headers)
    asking = Asking(head)
    told = explain(table, asking, trusted=True, new_trace_id=b"0" * 31 + b"1", dice=lambda: 0.5)
    step = told.steps[-1]
    assert step.name == "mirror"
    assert step.result == ("shadow" if route.mirror.takes(session) and not color else "none")
    assert step.notes
