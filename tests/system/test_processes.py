"""Processes may die: what others carry goes on, and each is replaced; with the supervisor they all end."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness import OK, WAIT_S, Upstream, answering, connection, one_route, request, say, status, upstream
from proxy_process import ProxyProcess, proxy_process

ADMIN = "admin: {listen: 127.0.0.1:0}"
FIRST = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"


async def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


async def pids(running: ProxyProcess) -> list[int]:
    _, shown = await running.ask("/api/status")
    return [each["pid"] for each in shown["processes"]]


async def stream_under_way(running: ProxyProcess, client: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
    client[1].write(request(close=False))
    await client[0].readuntil(b"5\r\nfirst\r\n")


class Streaming:
    """An endpoint whose first request gets a stream that goes on when told; all others are answered."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.began = False

    async def handle(self, endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.began:
            await answering(OK)(endpoint, reader, writer)
            return
        self.began = True
        await endpoint.head(reader)
        writer.write(FIRST)
        await self.go_on.wait()
        writer.write(b"4\r\nlast\r\n0\r\n\r\n")


async def test_traffic_does_not_notice_that_control_was_killed(tmp_path: Path) -> None:
    streaming = Streaming()
    async with (
        upstream(streaming.handle) as endpoint,
        proxy_process(one_route(endpoint.url, top=ADMIN), tmp_path) as running,
        connection(running.port) as client,
    ):
        await stream_under_way(running, client)
        await running.ask("/api/routes/all/weights", "PUT", {"only": 7})
        _, before = await running.ask("/api/status")
        os.kill(await running.pid_of("control"), signal.SIGKILL)
        assert status(await say(running.port, request())) == 200
        assert (await running.event("control_restarted"))["config"] == before["config"]
        _, after = await running.ask("/api/status")
        _, (route,) = await running.ask("/api/routes")
        streaming.go_on.set()
        async with asyncio.timeout(WAIT_S):
            assert await client[0].readuntil(b"0\r\n\r\n")
    assert (route["lanes"][0]["weight"], route["overridden"]) == (7, True)
    assert after["uptime_s"] > before["uptime_s"]
    assert (before["exchanges"], after["exchanges"]) == (0, 1), "the stream has not ended"


async def test_a_worker_that_was_killed_takes_only_its_own_exchanges_along(tmp_path: Path) -> None:
    async with (
        upstream(Streaming().handle) as endpoint,
        proxy_process(one_route(endpoint.url, top=ADMIN), tmp_path) as running,
        connection(running.port) as client,
    ):
        await stream_under_way(running, client)
        worker = await running.pid_of("worker 1")
        os.kill(worker, signal.SIGKILL)
        answers = await asyncio.gather(*(say(running.port, request()) for _ in range(20)))
        assert {status(answer) for answer in answers} == {200}, "nobody was refused: the listener outlives the worker"
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client[0].readuntil(b"0\r\n\r\n")
        assert await running.pid_of("worker 1") != worker
        _, shown = await running.ask("/api/status")
    assert shown["exchanges"] == 20, "all but that which broke off"


async def test_all_end_with_the_supervisor(tmp_path: Path) -> None:
    top = f"{ADMIN}\nmocks: {{llm: {{listen: 127.0.0.1:0}}}}"
    async with proxy_process(one_route("http://127.0.0.1:1", top=top), tmp_path) as running:
        children = await pids(running)
        assert len(children) == 4, "supervisor, control, mocks, worker"
        running.send(signal.SIGKILL)
        await until(lambda: not any(map(alive, children)))


async def test_several_workers_share_the_listener(tmp_path: Path) -> None:
    async with (
        upstream(answering(OK)) as endpoint,
        proxy_process(one_route(endpoint.url, top=ADMIN, listener="workers: 3"), tmp_path) as running,
    ):
        assert (await running.ask("/readyz"))[1]["workers"] == {"wanted": 3, "ready": 3}
        for number in (1, 2, 3):
            os.kill(await running.pid_of(f"worker {number}"), signal.SIGSTOP)
            # The others take what a paused one does not.
            answers = await asyncio.gather(*(say(running.port, request()) for _ in range(10)))
            os.kill(await running.pid_of(f"worker {number}"), signal.SIGCONT)
            assert {status(answer) for answer in answers} == {200}


async def test_a_crash_loop_backs_off_and_is_told(tmp_path: Path) -> None:
    async with proxy_process(one_route("http://127.0.0.1:1", top=ADMIN), tmp_path) as running:
        told: list[dict[str, Any]] = []
        for _ in range(4):
            os.kill(await running.pid_of("worker 1"), signal.SIGKILL)
            told.append(await running.event("process_ended"))
            async with asyncio.timeout(WAIT_S):
                while (await running.ask("/readyz"))[1]["workers"]["ready"] < 1:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        _, shown = await running.ask("/readyz")
    assert [event["process"] for event in told] == ["worker 1"] * 4
    assert [event["message"].rpartition(" in ")[2] for event in told] == ["0.1 s.", "0.2 s.", "0.4 s.", "0.8 s."]
    assert shown["status"] == "degraded"
    assert "died 4 times" in shown["crash_loops"]["worker 1"]
