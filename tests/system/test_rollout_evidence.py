"""What control has of the evidence that its workers gather: each exchange once, whoever dies meanwhile."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from itertools import chain, repeat
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from harness import WAIT_S, Upstream, answering, upstream
from proxy_process import ProxyProcess, proxy_process

from tracer_proxy.limits import ROLLOUT_SETTLE_S_MAX

Handler = Callable[[Upstream, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

STABLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Confidence: 0.5\r\n\r\nok"
CANARY = STABLE.replace(b"0.5", b"0.25")
BROKEN = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


def once_broken() -> Handler:
    """The very first answer is an error, on whatever connection."""
    answers = chain([BROKEN], repeat(CANARY))

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await endpoint.request(reader)
            writer.write(next(answers))

    return handle


def config(stable: str, canary: str) -> str:
    return f"""
version: 1
proxy: {{listen: 127.0.0.1:0, workers: 2}}
admin: {{listen: 127.0.0.1:0}}
coloring: [{{color: canary, when: {{header: {{x-canary: "1"}}}}}}]
routes:
  - name: planner
    lanes: [{{name: stable, pool: v1}}, {{name: canary, pool: v2, weight: 0, colors: [canary]}}]
pools:
  v1: {{endpoints: [{stable}]}}
  v2: {{endpoints: [{canary}]}}
rollouts:
  v2:
    route: planner
    lane: canary
    steps: [0.01, 100]
    hold: 1h
    judge: {{min_exchanges: 100000, max_error_rate: {{absolute: 0.9}}, min_confidence: {{mean: 0.1, header: x-confidence}}}}
"""


async def until_it_counts(running: ProxyProcess) -> None:
    """Just after a change of weights nothing does."""
    async with asyncio.timeout(WAIT_S):
        while (await running.ask("/api/rollouts/v2"))[1]["held_s"] <= ROLLOUT_SETTLE_S_MAX:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)


async def send(running: ProxyProcess, count: int, **headers: str) -> None:
    """Each on a connection of its own, so that both workers get some."""
    for _ in range(count):
        async with ClientSession() as client, client.get(running.url, headers=headers) as answer:
            await answer.read()


async def evidence(running: ProxyProcess, lane: int) -> dict[str, Any]:
    """Once so many exchanges of the lane are there, and whatever comes after them."""
    shown: dict[str, Any] = {"lane": {"exchanges": 0}}
    async with asyncio.timeout(WAIT_S):
        while shown["lane"]["exchanges"] < lane:
            await asyncio.sleep(0.1)
            shown = (await running.ask("/api/rollouts/v2"))[1]["evidence"]
    # Two rounds of reports: what is told twice would be here.
    await asyncio.sleep(2.5)
    found: dict[str, Any] = (await running.ask("/api/rollouts/v2"))[1]["evidence"]
    return found


async def test_each_exchange_counts_once_though_control_dies(tmp_path: Path) -> None:
    async with (
        upstream(answering(STABLE)) as stable,
        upstream(once_broken()) as canary,
        proxy_process(config(stable.url, canary.url), tmp_path) as running,
    ):
        await until_it_counts(running)
        await send(running, 21)
        await send(running, 1, **{"x-canary": "1"})
        os.kill(await running.pid_of("control"), signal.SIGKILL)
        await send(running, 19, **{"x-canary": "1"})
        await running.event("control_restarted")
        shown = await evidence(running, lane=20)
    assert shown["baseline"] == {"exchanges": 21, "errors": 0, "confidence": 0.5}
    assert shown["lane"] == {"exchanges": 20, "errors": 1, "confidence": 0.25}
