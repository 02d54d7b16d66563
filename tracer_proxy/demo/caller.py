"""Who calls the agents: sessions with several turns each, some of them at once. A caller sends no trace header at all."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, replace

import aiohttp

from tracer_proxy import limits
from tracer_proxy.demo.evidence import Turn, said

PATH = "/agents/planner"
_CITIES = ("Lisbon", "Oslo", "Nairobi", "Hanoi")
_ASKS_FOR_CANARY_EVERY = 20
_ERROR_CHARS_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Session:
    """``asks_for_canary``: each of its requests says ``x-canary: 1``."""

    name: str
    city: str
    asks_for_canary: bool


def sessions(count: int, seed: int) -> list[Session]:
    """The same ones for the same seed."""
    dice = random.Random(seed)  # noqa: S311 - names and cities, no secrets
    return [
        Session(f"s-{dice.getrandbits(32):08x}", dice.choice(_CITIES), index % _ASKS_FOR_CANARY_EVERY == 0)
        for index in range(count)
    ]


class Caller:
    """Drives sessions against ``proxy_url``; awaits ``after_turn`` after each turn."""

    def __init__(self, client: aiohttp.ClientSession, proxy_url: str, after_turn: Callable[[], Awaitable[None]]) -> None:
        self._client = client
        self._url = proxy_url + PATH
        self._after_turn = after_turn
        self.turns: list[Turn] = []
        self._errors = 0

    async def drive(self, sessions: list[Session], turns: int) -> None:
        waiting = iter(sessions)
        async with asyncio.TaskGroup() as group:
            for _ in range(limits.DEMO_SESSIONS_AT_ONCE):
                group.create_task(self._work(waiting, turns))

    async def _work(self, waiting: Iterator[Session], turns: int) -> None:
        for session in waiting:
            for number in range(1, turns + 1):
                turn = await self._turn(session, number)
                self.turns.append(turn)
                self._errors += bool(turn.error)
                if self._errors >= limits.DEMO_ERRORS_MAX:
                    return
                await self._after_turn()

    async def _turn(self, session: Session, number: int) -> Turn:
        prompt = f"What to wear in {session.city} on day {number} of {session.name}?"
        turn = Turn(session.name, number, prompt, session.asks_for_canary)
        headers = {"x-session-id": session.name} | ({"x-canary": "1"} if session.asks_for_canary else {})
        try:
            async with self._client.post(self._url, data=prompt, headers=headers) as response:
                body = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            return replace(turn, error=said(error))
        problem = "" if response.ok else f"HTTP {response.status}: {body[:_ERROR_CHARS_SHOWN]}"
        trace_id, version = (response.headers.get(name, "") for name in ("x-trace-id-ext", "x-agent-version"))
        return replace(turn, trace_id=trace_id, version=version, error=problem)
