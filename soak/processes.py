"""The upstream and the proxy as processes, and what they hold."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

START_S = 60.0
ADMIN_S = 10.0
STOP_S = 30.0
SETTLE_S = 30.0
MB = 1e6


class SoakError(Exception):
    """The soak cannot go on."""


@asynccontextmanager
async def upstreams(count: int) -> AsyncIterator[list[int]]:
    """Ports of endpoints that are processes of their own."""
    command = (sys.executable, "-m", "soak.upstream")
    processes = [
        await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(count)
    ]
    try:
        ports = []
        for process in processes:
            assert process.stdout is not None
            async with asyncio.timeout(START_S):
                ports.append(int(await process.stdout.readline()))
        yield ports
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


class Proxy:
    """A proxy that runs by ``path``. It logs to a file, so that nothing waits for a reader."""

    def __init__(self, path: Path, log: Path, process: asyncio.subprocess.Process) -> None:
        self.path = path
        self._log = log
        self._process = process
        self._session = ClientSession(timeout=ClientTimeout(total=ADMIN_S))
        self.port = self.admin_port = 0

    def events(self, name: str) -> list[dict[str, Any]]:
        lines = [line for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [told for line in lines if (told := json.loads(line))["event"] == name]

    async def wait_until_ready(self) -> None:
        async with asyncio.timeout(START_S):
            while not (ready := self.events("ready")):
                if self._process.returncode is not None:
                    raise SoakError(f"the proxy ended: {self._log.read_text()}")
                await asyncio.sleep(0.05)
        self.port, self.admin_port = (int(address.rpartition(":")[2]) for address in (ready[0]["proxy"][0], ready[0]["admin"]))

    async def show(self, path: str) -> Any:
        """What the admin port shows; ``None`` while nobody answers."""
        try:
            async with self._session.get(f"http://127.0.0.1:{self.admin_port}{path}") as answer:
                return await answer.json()
        except (ClientError, OSError, TimeoutError):
            return None

    async def status(self) -> dict[str, Any]:
        async with asyncio.timeout(START_S):
            while (shown := await self.show("/api/status")) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        return dict(shown)

    async def pids(self) -> dict[str, int]:
        return {each["name"]: each["pid"] for each in (await self.status())["processes"] if each["pid"]}

    async def kill(self, name: str) -> None:
        pid = (await self.pids()).get(name)
        if pid:
            os.kill(pid, signal.SIGKILL)

    async def at_rest(self) -> dict[str, Any]:
        """Its status once no connection is left, or after a while as it is then."""
        shown = await self.status()
        for _ in range(round(SETTLE_S / 0.2)):
            if not (shown["client_connections"] or shown["tunnels"] or shown["upstream_connections"]["all"]):
                break
            await asyncio.sleep(0.2)
            shown = await self.status()
        return shown

    async def descriptors(self) -> dict[str, int]:
        """Without the admin connection that asks."""
        pids = await self.pids()
        await self._session.close()
        self._session = ClientSession(timeout=ClientTimeout(total=ADMIN_S))
        await asyncio.sleep(0.5)
        return {name: len(os.listdir(f"/proc/{pid}/fd")) for name, pid in pids.items()}  # noqa: PTH208

    async def stop(self) -> int:
        """Its exit code."""
        await self._session.close()
        if self._process.returncode is None:
            self._process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                return await self._process.wait()
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()


@asynccontextmanager
async def proxy(config: str) -> AsyncIterator[Proxy]:
    with tempfile.TemporaryDirectory(prefix="soak-") as name:
        path, log = Path(name, "proxy.yaml"), Path(name, "log")
        path.write_text(config)  # noqa: ASYNC240
        with log.open("wb") as output:  # noqa: ASYNC230
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tracer_proxy", "run", "--config", str(path), stdout=output, stderr=output
            )
        running = Proxy(path, log, process)
        try:
            await running.wait_until_ready()
            yield running
        finally:
            await running.stop()


def pss_mb(pid: int) -> float:
    """Proportional set size without pages of files, which strangers may share too; 0 when the process has gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) * 1024 / MB for line in lines if line.startswith("Pss_Anon:"))


def slope_per_minute(points: list[tuple[float, float]]) -> float:
    """Of the straight line that fits best; points are seconds and values."""
    if len(points) < 2:
        return 0.0
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return 60 * sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0
