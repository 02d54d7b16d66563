"""Who calls the agents: many sessions, by turns, at a steady rate."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle, islice

from aiohttp import ClientError, ClientPayloadError, ClientSession, ClientTimeout, TCPConnector

from gameday.ledger import BROKEN, FAILED, NOBODY, NONE, OK, Ledger
from gameday.scenarios import PATH
from tracer_proxy.dataplane.tasks import begin

SESSIONS = 2000
ANSWER_S = 20.0
LATE_S = 0.1
"""So much is made up for."""


class Callers:
    """``ledger`` gets what is asked for from now on; an exchange under way still goes to that of its begin."""

    def __init__(self, client: ClientSession, proxy_url: str, seed: int) -> None:
        self._client = client
        self._url = proxy_url + PATH
        self._sessions = cycle([f"gameday-{seed}-{number}" for number in range(SESSIONS)])
        self.ledger = Ledger()
        self.is_over = False

    async def call(self, rate: float) -> None:
        """Until it is over, and all are answered. What a machine that stalls has left out is not made up for in a burst."""
        at = time.monotonic()
        async with asyncio.TaskGroup() as group:
            while not self.is_over:
                group.create_task(self.ask(next(self._sessions), self.ledger))
                at = max(at + 1 / rate, time.monotonic() - LATE_S)
                await asyncio.sleep(at - time.monotonic())

    async def colored(self, color: str, requests: int) -> Ledger:
        """So many requests that bring a colour, at once."""
        ledger = Ledger()
        async with asyncio.TaskGroup() as group:
            for session in islice(self._sessions, requests):
                group.create_task(self.ask(session, ledger, color))
        return ledger

    async def ask(self, session: str, ledger: Ledger, color: str = "") -> None:
        headers = {"x-session-id": session} | ({"x-traffic-color": color} if color else {})
        lane, became = NOBODY, NONE
        try:
            async with self._client.post(self._url, data=b"What to wear in Oslo?", headers=headers) as answer:
                lane = answer.headers.get("x-agent-lane", NOBODY)
                became = OK if answer.ok else FAILED
                await answer.read()
        except ClientPayloadError:
            became = BROKEN
        except (ClientError, TimeoutError):
            pass
        ledger.add(lane, became)


@asynccontextmanager
async def calling(proxy_url: str, rate: float, seed: int) -> AsyncIterator[Callers]:
    connector = TCPConnector(limit=0)
    async with ClientSession(timeout=ClientTimeout(total=ANSWER_S), connector=connector) as client:
        callers = Callers(client, proxy_url, seed)
        task = begin(callers.call(rate), "callers")
        try:
            yield callers
        finally:
            callers.is_over = True
            await task
