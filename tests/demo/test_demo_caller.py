"""The demo's caller: which sessions there are, and when it gives up."""

import socket

import aiohttp

from tracer_proxy import limits
from tracer_proxy.demo.caller import Caller, sessions


def test_sessions_depend_on_the_seed_alone() -> None:
    """A longer run begins like a shorter one; one session in twenty asks for the canary."""
    few, many = sessions(20, 1), sessions(200, 1)
    assert many[:20] == few
    assert sessions(20, 2) != few
    assert len({session.name for session in many}) == 200
    assert [session.asks_for_canary for session in many].count(True) == 10


async def test_gives_up_when_nothing_works() -> None:
    """Every turn says why it failed; those under way end, no new session begins."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    told = 0

    async def after_turn() -> None:
        nonlocal told
        told += 1

    async with aiohttp.ClientSession() as client:
        caller = Caller(client, url, after_turn)
        await caller.drive(sessions(200, 1), 3)
    assert all("Cannot connect" in turn.error for turn in caller.turns)
    assert limits.DEMO_ERRORS_MAX <= len(caller.turns) < limits.DEMO_ERRORS_MAX + limits.DEMO_SESSIONS_AT_ONCE
    assert told == limits.DEMO_ERRORS_MAX - 1
