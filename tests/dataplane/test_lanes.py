"""Lanes that nobody can serve, and lanes that finish their sessions."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from harness import OK, Proxy, Upstream, answering, proxy, request, say, status, upstream
from records_kept import EXPORTED, Kept

from tracer_proxy.limits import LANE_DRAIN_S
from tracer_proxy.routing.bucket import bucket, seed

CONFIG = """
version: 1
proxy: {{listen: 127.0.0.1:0}}
{top}
routes:
  - name: planner
    lanes:
      - {{name: stable, pool: v1, weight: {stable}}}
      - {{name: canary, pool: v2, weight: {canary}, colors: [canary], {lane}}}
pools:
  v1: {{endpoints: [{v1}]}}
  v2: {{endpoints: [{v2}], {pool}}}
"""


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def config(v1: str, v2: str, *, stable: int = 50, canary: int = 50, lane: str = "", pool: str = "") -> str:
    return CONFIG.format(top=EXPORTED, v1=v1, v2=v2, stable=stable, canary=canary, lane=lane, pool=pool)


def sessions(lane: str, share: int = 5000) -> list[str]:
    """Some that the split gives to a lane."""
    named = (f"s{number}" for number in range(200))
    found = [name for name in named if (bucket(name.encode(), seed("planner")) < share) is (lane == "canary")]
    return found[:8]


CANARY = "x-traffic-color: canary"


@pytest.mark.parametrize("header", [CANARY, f"x-session-id: {sessions('canary')[0]}"])
async def test_the_baseline_serves_what_its_lane_cannot(header: str) -> None:
    async with upstream(answering(OK)) as stable:
        async with proxy(config(stable.url, f"http://127.0.0.1:{free_port()}")) as running:
            kept = Kept(running)
            assert status(await say(running.port, request("POST / HTTP/1.1", header, body=b"hello"))) == 200
            record = await kept.one()
        assert stable.bodies == [b"hello"]
    assert (record.lane, record.lane_intended) == ("stable", "canary")
    assert [attempt.pool for attempt in record.attempts][-1] == "v1"
    assert record.color == ("canary" if header == CANARY else "")


async def test_a_lane_may_rather_fail() -> None:
    async with upstream(answering(OK)) as stable:
        text = config(stable.url, f"http://127.0.0.1:{free_port()}", lane="unhealthy: fail")
        async with proxy(text) as running:
            assert status(await say(running.port, request("GET / HTTP/1.1", CANARY))) == 502
        assert stable.heard == []


async def test_pools_that_stand_in_go_before_the_baseline() -> None:
    async with upstream(answering(OK)) as stable, upstream(answering(OK)) as spare:
        text = config(stable.url, f"http://127.0.0.1:{free_port()}", pool="failover: [v3]") + (
            f"  v3: {{endpoints: [{spare.url}]}}\n"
        )
        async with proxy(text) as running:
            kept = Kept(running)
            assert status(await say(running.port, request("GET / HTTP/1.1", CANARY))) == 200
            record = await kept.one()
        assert (len(spare.heard), len(stable.heard)) == (1, 0)
    assert (record.lane, record.lane_intended) == ("canary", "canary")


async def test_the_baseline_has_nobody_behind_it() -> None:
    async with upstream(answering(OK)) as canary:
        text = config(f"http://127.0.0.1:{free_port()}", canary.url)
        async with proxy(text) as running:
            header = f"x-session-id: {sessions('stable')[0]}"
            assert status(await say(running.port, request("GET / HTTP/1.1", header))) == 502
        assert canary.heard == []


async def test_what_has_begun_is_not_sent_to_another_version() -> None:
    """The canary has heard the POST, so only it may know what came of it."""

    async def hang_up(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.close()

    async with upstream(hang_up) as canary, upstream(answering(OK)) as stable:
        async with proxy(config(stable.url, canary.url)) as running:
            assert status(await say(running.port, request("POST / HTTP/1.1", CANARY, body=b"x"))) == 502
        assert (len(canary.heard), stable.heard) == (1, [])


# Lanes that finish their sessions.


@asynccontextmanager
async def two_lanes(lane: str) -> AsyncIterator[tuple[Upstream, Upstream, Proxy]]:
    async with (
        upstream(answering(OK)) as v1,
        upstream(answering(OK)) as v2,
        proxy(config(v1.url, v2.url, lane=lane)) as running,
    ):
        yield v1, v2, running


async def ask(port: int, *names: str) -> None:
    for name in names:
        assert status(await say(port, request("GET / HTTP/1.1", f"x-session-id: {name}"))) == 200


@pytest.mark.parametrize("drain", ["sessions", "none"])
async def test_a_drained_lane_finishes_its_sessions_if_asked(drain: str) -> None:
    lane = f"drain: {drain}"
    old, new = sessions("canary")[:3], sessions("canary")[3:]
    async with two_lanes(lane) as (v1, v2, running):
        await ask(running.port, *old)
        assert (len(v1.heard), len(v2.heard)) == (0, 3)
        running.reload(config(v1.url, v2.url, stable=100, canary=0, lane=lane))
        await ask(running.port, *old, *new, *old)
        stays = 6 if drain == "sessions" else 0
        assert (len(v1.heard), len(v2.heard)) == (len(old) * 2 + len(new) - stays, 3 + stays)


async def test_sessions_of_a_drained_lane_end_with_its_limit() -> None:
    lane = "drain: sessions"
    old = sessions("canary")[:2]
    async with two_lanes(lane) as (v1, v2, running):
        await ask(running.port, *old)
        running.reload(config(v1.url, v2.url, stable=100, canary=0, lane=lane))
        # A session that goes on is not noted anew: else one that never pauses would keep the lane for ever.
        running.worker.clock.unix_offset += LANE_DRAIN_S - 60
        await ask(running.port, *old)
        assert (len(v1.heard), len(v2.heard)) == (0, 4)
        running.worker.clock.unix_offset += 120
        await ask(running.port, *old)
        assert (len(v1.heard), len(v2.heard)) == (2, 4)


async def test_a_drained_lane_that_gets_weight_again_is_one_like_others() -> None:
    lane = "drain: sessions"
    async with two_lanes(lane) as (v1, v2, running):
        await ask(running.port, *sessions("canary"))
        running.reload(config(v1.url, v2.url, stable=100, canary=0, lane=lane))
        running.reload(config(v1.url, v2.url, lane=lane))
        await ask(running.port, *sessions("stable"), *sessions("canary"))
        assert (len(v1.heard), len(v2.heard)) == (8, 16)


async def test_a_session_that_has_left_a_lane_does_not_come_back_when_that_is_drained() -> None:
    lane = "drain: sessions"
    async with two_lanes(lane) as (v1, v2, running):
        leaving = sessions("canary")[0]
        await ask(running.port, leaving)
        running.reload(config(v1.url, v2.url, stable=10_000, canary=1, lane=lane))
        running.worker.clock.unix_offset += 1
        await ask(running.port, leaving)
        running.reload(config(v1.url, v2.url, stable=100, canary=0, lane=lane))
        await ask(running.port, leaving)
        assert (len(v1.heard), len(v2.heard)) == (2, 1)
