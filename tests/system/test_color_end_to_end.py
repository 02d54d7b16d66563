"""A colour decides the lane, and goes on to the next hop in one coherent form."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from harness import Proxy, Upstream, answering, body_of, field, proxy, request, say, upstream
from proxy_process import proxy_process

STABLE = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstable"
CANARY = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ncanary"


def config(stable: Upstream, canary: Upstream, paints: str = "", trust: str = "loopback") -> str:
    return f"""
version: 1
proxy: {{listen: 127.0.0.1:0}}
admin: {{listen: 127.0.0.1:0}}
trust: [{trust}]
coloring:
  - {{color: canary, when: {{header: {{x-canary: "1"}}}}}}
  - {{color: canary, when: {{agent: {{prefix: svc-pay-}}}}}}
routes:
  - name: planner
    lanes:
      - {{name: stable, pool: v1, weight: 50}}
      - {{name: canary, pool: v2, weight: 50, colors: [canary], {paints}}}
pools:
  v1: {{endpoints: [{stable.url}]}}
  v2: {{endpoints: [{canary.url}]}}
"""


@asynccontextmanager
async def two_lanes(paints: str = "", trust: str = "loopback") -> AsyncIterator[tuple[Proxy, Upstream, Upstream]]:
    """The proxy, the stable endpoint and that of the canary."""
    async with (
        upstream(answering(STABLE)) as stable,
        upstream(answering(CANARY)) as canary,
        proxy(config(stable, canary, paints, trust)) as running,
    ):
        yield running, stable, canary


async def lane(running: Proxy, *headers: str) -> str:
    answer: bytes = await say(running.port, request("GET / HTTP/1.1", *headers))
    return body_of(answer).decode()


@pytest.mark.parametrize(
    "header",
    [
        "x-traffic-color: canary",
        "X-Traffic-Color:canary",
        "baggage: color=canary",
        "baggage: a=b, color = c%61nary ;p=q",
        "x-canary: 1",
        "x-agent-id: svc-pay-eu",
    ],
)
async def test_coloured_traffic_takes_its_lane_and_carries_the_colour_on(header: str) -> None:
    """Whatever the bucket of the session; and both forms that leave name the same colour, once."""
    async with two_lanes() as (running, _stable, canary):
        taken = {await lane(running, header, f"x-session-id: {session}") for session in range(12)}
    assert taken == {"canary"}
    for head in canary.heard:
        assert field(head, "x-traffic-color") == b"canary"
        baggage = field(head, "baggage")
        assert baggage is not None
        assert baggage.count(b"color") == 1
        assert baggage.startswith(b"color=canary")


async def test_a_colour_nobody_serves_goes_to_the_baseline_and_is_kept() -> None:
    async with two_lanes() as (running, stable, _canary):
        taken = {await lane(running, "x-traffic-color: dev-li", f"x-session-id: {session}") for session in range(12)}
    assert taken == {"stable"}
    assert {field(head, "x-traffic-color") for head in stable.heard} == {b"dev-li"}
    assert {field(head, "baggage") for head in stable.heard} == {b"color=dev-li"}


async def test_the_header_goes_before_the_baggage_and_replaces_its_colour() -> None:
    async with two_lanes() as (running, _stable, canary):
        assert await lane(running, "baggage: color=blue,a=b,color=red", "x-traffic-color: canary") == "canary"
    assert field(canary.heard[0], "baggage") == b"color=canary,a=b"


async def test_what_is_no_colour_is_dropped() -> None:
    async with two_lanes() as (running, stable, canary):
        await lane(running, "x-traffic-color: NO COLOUR", "baggage: color=%0d%0aevil: 1,a=b")
    head = (stable.heard + canary.heard)[0]
    assert field(head, "x-traffic-color") is None
    assert field(head, "baggage") == b"a=b"
    assert b"evil" not in head


async def test_a_lane_paints_its_sessions_so_that_the_chain_follows() -> None:
    async with two_lanes("color: canary") as (running, stable, canary):
        taken = [await lane(running, f"x-session-id: {session}") for session in range(24)]
    assert set(taken) == {"stable", "canary"}
    assert {field(head, "x-traffic-color") for head in canary.heard} == {b"canary"}
    assert {field(head, "x-traffic-color") for head in stable.heard} == {None}


async def test_an_untrusted_callers_colour_is_not_believed_but_rules_still_hold() -> None:
    async with two_lanes(trust="10.9.0.0/16") as (running, stable, canary):
        for session in range(8):
            await lane(running, "x-traffic-color: canary", "baggage: color=canary", f"x-session-id: {session}")
        assert {field(head, "x-traffic-color") for head in stable.heard + canary.heard} == {None}
        assert stable.heard, "half of the sessions have no reason to go to the canary"
        assert await lane(running, "x-canary: 1") == "canary"


async def test_the_admin_port_shows_the_lanes(tmp_path: Path) -> None:
    async with (
        upstream(answering(STABLE)) as stable,
        upstream(answering(CANARY)) as canary,
        proxy_process(config(stable, canary), tmp_path) as running,
    ):
        _, (route,) = await running.ask("/api/routes")
    assert [(shown["name"], shown["weight"], shown["colors"], shown["baseline"]) for shown in route["lanes"]] == [
        ("stable", 50.0, [], True),
        ("canary", 50.0, ["canary"], False),
    ]
