"""One scenario from start to end: agents, a proxy of its own, callers, and what the proxy makes of them."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from gameday.agent import agents
from gameday.callers import Callers, calling
from gameday.ending import Ending
from gameday.ledger import Ledger
from gameday.scenarios import HELD, Scenario, config_of
from soak.processes import Proxy, SoakError, proxy
from tracer_proxy.rollout.course import Status

POLL_S = 0.2
AFTER_S = 2.0
"""How long the callers go on when it is over."""
COLORED_AFTER = 50

Shown = Mapping[str, Any]


async def play(scenario: Scenario, seed: int, tell: Callable[[Shown], None]) -> Ending:
    """``tell`` is called again and again with what the admin port shows of the rollout."""
    async with (
        agents(scenario.lanes, seed) as urls,
        proxy(config_of(scenario, urls)) as running,
        calling(f"http://127.0.0.1:{running.port}", scenario.rate, seed) as callers,
    ):
        ending = await _watch(running, scenario, callers.ledger, tell)
        return await _afterwards(ending, scenario, callers) if scenario.afterwards else ending


async def _watch(running: Proxy, scenario: Scenario, ledger: Ledger, tell: Callable[[Shown], None]) -> Ending:
    """Until it has ended, or its time is over."""
    began = time.monotonic()
    while True:
        await asyncio.sleep(POLL_S)
        shown = await running.show(f"/api/rollouts/{scenario.name}")
        is_over = time.monotonic() - began >= scenario.limit_s
        if shown is None and is_over:
            raise SoakError(f"The proxy no longer tells of the rollout {scenario.name!r}.")
        if shown is None:
            continue
        tell(shown)
        if shown["status"] != Status.RUNNING:
            first, last = (datetime.fromisoformat(shown["history"][index]["at"]) for index in (0, -1))
            return Ending(shown["status"], (last - first).total_seconds(), shown, ledger)
        if is_over:
            return Ending(HELD if shown["held"] else Status.RUNNING, scenario.limit_s, shown, ledger)


async def _afterwards(ending: Ending, scenario: Scenario, callers: Callers) -> Ending:
    after = callers.ledger = Ledger()
    colored = await callers.colored(scenario.judged, COLORED_AFTER)
    await asyncio.sleep(AFTER_S)
    return replace(ending, after=after, colored=colored)
