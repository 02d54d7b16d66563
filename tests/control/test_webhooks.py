"""Webhooks: tried again, in order, bounded, and silent about their secrets."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from harness import WAIT_S

from tracer_proxy.config.rollouts import Notify
from tracer_proxy.control import webhooks
from tracer_proxy.control.events import Events
from tracer_proxy.control.webhooks import Webhooks
from tracer_proxy.limits import WEBHOOK_ATTEMPTS_MAX, WEBHOOK_QUEUE_MAX


class Hook:
    """A real server. ``statuses`` are what it answers in turn, the last one again and again."""

    def __init__(self, *statuses: int) -> None:
        self.left = list(statuses)
        self.heard: list[Any] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.heard.append((await request.json())["number"])
        status = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return web.Response(status=status, headers={"location": "/elsewhere"} if status == 307 else {})


@asynccontextmanager
async def hook(*statuses: int) -> AsyncIterator[Hook]:
    made = Hook(*statuses)
    app = web.Application()
    app.router.add_post("/{path:.*}", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/T0KEN"
    try:
        yield made
    finally:
        await runner.cleanup()


class Sender:
    """``outcomes`` are those counted; ``log`` is what was written."""

    def __init__(self, writing: int, reading: int) -> None:
        self.outcomes: list[str] = []
        self._reading = reading
        self._changed = asyncio.Event()
        self.webhooks = Webhooks(Events(writing), self._count)

    def _count(self, outcome: str) -> None:
        self.outcomes.append(outcome)
        self._changed.set()

    def tell(self, url: str, *numbers: int) -> None:
        notify = Notify(webhook=url, headers={"authorization": "Bearer S3CRET"})
        for number in numbers:
            self.webhooks.tell("v2", notify, {"change": "step", "at": "T", "number": number})

    async def told(self, count: int) -> list[str]:
        async with asyncio.timeout(WAIT_S):
            while len(self.outcomes) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.outcomes

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in os.read(self._reading, 100_000).splitlines()]


@pytest.fixture
def new_sender(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Sender]]:
    monkeypatch.setattr(webhooks, "WEBHOOK_BACKOFF_S", 0.001)
    reading, writing = os.pipe()
    yield lambda: Sender(writing, reading)
    os.close(reading)
    os.close(writing)


async def test_it_is_tried_again_and_what_follows_waits(new_sender: Callable[[], Sender]) -> None:
    sender = new_sender()
    async with hook(500, 429, 200) as server:
        sender.tell(server.url, 1, 2)
        assert await sender.told(2) == ["sent", "sent"]
    assert server.heard == [1, 1, 1, 2]


async def test_it_is_given_up_and_said_once(new_sender: Callable[[], Sender]) -> None:
    sender = new_sender()
    async with hook(500) as server:
        sender.tell(server.url, 1)
        assert await sender.told(1) == ["failed"]
    assert len(server.heard) == WEBHOOK_ATTEMPTS_MAX
    (event,) = sender.log
    assert (event["event"], event["level"], event["host"]) == ("webhook_failed", "warning", "127.0.0.1")
    assert "it answers 500" in event["message"]
    assert "T0KEN" not in str(event)
    assert "S3CRET" not in str(event)


@pytest.mark.parametrize("status", [400, 404, 307])
async def test_what_another_try_does_not_mend_is_not_tried_again(status: int, new_sender: Callable[[], Sender]) -> None:
    """A redirect could lead the headers to somebody else."""
    sender = new_sender()
    async with hook(status) as server:
        sender.tell(server.url, 1)
        assert await sender.told(1) == ["failed"]
    assert server.heard == [1]


async def test_nobody_there(new_sender: Callable[[], Sender]) -> None:
    sender = new_sender()
    sender.tell("http://127.0.0.1:1/T0KEN", 1)
    assert await sender.told(1) == ["failed"]
    (event,) = sender.log
    assert "T0KEN" not in str(event)


async def test_more_than_may_wait_drops_the_oldest(new_sender: Callable[[], Sender]) -> None:
    sender = new_sender()
    async with hook(200) as server:
        sender.tell(server.url, *range(WEBHOOK_QUEUE_MAX + 2))
        await sender.told(WEBHOOK_QUEUE_MAX + 2)
    assert sender.outcomes.count("dropped") == 2
    assert server.heard == list(range(2, WEBHOOK_QUEUE_MAX + 2))


async def test_the_end_does_not_wait_for_a_server_that_hangs(
    new_sender: Callable[[], Sender], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "WEBHOOK_CLOSE_S", 0.05)
    sender, gone = new_sender(), asyncio.Event()

    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()
        gone.set()

    server = await asyncio.start_server(hangs, "127.0.0.1", 0)
    sender.tell(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", 1)
    async with asyncio.timeout(WAIT_S / 2):
        await sender.webhooks.close()
    server.close()
    await gone.wait()
    assert sender.outcomes == []
