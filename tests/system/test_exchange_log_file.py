"""Where the log of exchanges stands while the proxy runs: there at once, followed when moved, changed by a reload."""

import asyncio
import os
import signal
from pathlib import Path

from aiohttp import ClientSession
from harness import WAIT_S, one_route
from proxy_process import proxy_process, running_file


def config(target: Path) -> str:
    return one_route("http://127.0.0.1:1", top=f"admin: {{listen: 127.0.0.1:0}}\nlog: {{exchanges: {target}}}")


async def there(file: Path) -> None:
    async with asyncio.timeout(WAIT_S):
        while not os.path.exists(file):  # noqa: ASYNC110, ASYNC240, PTH110 — another process makes it
            await asyncio.sleep(0.02)


async def test_sighup_opens_it_anew_and_a_reload_moves_it(tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    path = tmp_path / "proxy.yaml"
    path.write_text(config(first))
    async with running_file(path) as running:
        await there(first)
        first.rename(tmp_path / "first.jsonl.1")
        running.send(signal.SIGHUP)
        await there(first)
        await running.event("reloaded")
        path.write_text(config(second))
        await running.event("reloaded")
        await there(second)


async def test_a_folder_that_is_missing_is_no_reason_not_to_run(tmp_path: Path) -> None:
    target = tmp_path / "missing" / "x.jsonl"
    async with proxy_process(config(target), tmp_path) as running:
        told = next((event for event in running.events if event["event"] == "exchange_log_failed"), None)
        told = told or await running.event("exchange_log_failed")
        assert str(target) in told["message"]
        assert "No such file or directory" in told["message"]
        assert (await running.ask("/readyz"))[0] == 200
        running.send(signal.SIGTERM)
        assert await running.exit_code() == 0


async def test_a_drain_ends_the_streams(tmp_path: Path) -> None:
    async with proxy_process(config(tmp_path / "x.jsonl"), tmp_path) as running, ClientSession() as client:
        url = f"http://127.0.0.1:{running.admin_port}/api/exchanges/stream"
        async with client.get(url) as stream, asyncio.timeout(WAIT_S):
            assert stream.status == 200
            running.send(signal.SIGTERM)
            assert (await stream.content.read()).endswith(b'event: end\ndata: {"reason":"draining"}\n\n')
        assert await running.exit_code() == 0
