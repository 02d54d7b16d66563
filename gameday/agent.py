"""The agents: real servers that stream, and misbehave as they are told."""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from aiohttp import web

from gameday.scenarios import Behaviour

PIECES = 4
PIECE_S = 0.01
FIRST_TOKEN_WIDTH = 0.3
CONFIDENCE_WIDTH = 0.1


class Agent:
    def __init__(self, lane: str, behaviour: Behaviour, dice: random.Random) -> None:
        self._lane = lane
        self._behaviour = behaviour
        self._dice = dice

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Status and headers come at once, as from a model that thinks before it speaks."""
        await request.read()
        headers = {"x-agent-lane": self._lane}
        if self._behaviour.confidence is not None:
            headers["x-confidence"] = f"{self._dice.gauss(self._behaviour.confidence, CONFIDENCE_WIDTH):.2f}"
        if self._dice.random() < self._behaviour.errors:
            return web.Response(status=500, text="The agent has failed.\n", headers=headers)
        stream = web.StreamResponse(headers=headers | {"content-type": "text/event-stream"})
        await stream.prepare(request)
        await asyncio.sleep(self._behaviour.first_token_s * self._dice.lognormvariate(0, FIRST_TOKEN_WIDTH))
        breaks = self._dice.random() < self._behaviour.broken
        for number in range(PIECES):
            if breaks and number == PIECES // 2:
                assert request.transport is not None
                request.transport.close()
                return stream
            await stream.write(b"data: piece %d\n\n" % number)
            await asyncio.sleep(PIECE_S)
        await stream.write_eof()
        return stream


@asynccontextmanager
async def agents(lanes: Mapping[str, Behaviour], seed: int) -> AsyncIterator[Mapping[str, str]]:
    """Their URLs, by lane, until the block ends."""
    async with AsyncExitStack() as stack:
        yield {
            lane: await stack.enter_async_context(_serving(Agent(lane, behaviour, random.Random(f"{seed} {lane}"))))
            for lane, behaviour in lanes.items()
        }


@asynccontextmanager
async def _serving(agent: Agent) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/{path:.*}", agent.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
