"""The ``tracer-proxy`` command as a process of its own: started on a config, waited for, signalled, measured."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import ClientSession
from harness import WAIT_S

COMMAND = [sys.executable, "-m", "tracer_proxy"]
START_S = 60.0
"""A loaded machine takes its time to start an interpreter."""


class ProxyProcess:
    """A proxy that is ready. ``port`` is that of its first TCP listener, ``ready`` its ``ready`` event."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.admin_port = 0
        self.events: list[dict[str, Any]] = []
        """What it has logged so far, as far as it was waited for."""
        self.ready: dict[str, Any] = {}
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def event(self, name: str) -> dict[str, Any]:
        """Waits for the next event of that name."""
        assert self._process.stderr is not None
        while True:
            async with asyncio.timeout(START_S):
                line = await self._process.stderr.readline()
            assert line, f"the proxy ended without {name!r}; it said {self.events}"
            self.events.append(json.loads(line))
            if self.events[-1]["event"] == name:
                return self.events[-1]

    async def ask(self, path: str, method: str = "GET", document: object = None, **headers: str) -> tuple[int, Any]:
        """The status and the JSON document that the admin port answers with."""
        url = f"http://127.0.0.1:{self.admin_port}{path}"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        async with ClientSession() as session, session.request(method, url, json=document, headers=named) as answer:
            return answer.status, await answer.json()

    async def pid_of(self, process: str) -> int:
        """Of a process that runs: ``control``, ``worker 1``, ..."""
        _, shown = await self.ask("/api/status")
        (pid,) = (each["pid"] for each in shown["processes"] if each["name"] == process)
        return int(pid)

    async def rest(self) -> bytes:
        """What else it writes to stderr until it ends."""
        assert self._process.stderr is not None
        return await self._process.stderr.read()

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    async def exit_code(self) -> int:
        async with asyncio.timeout(WAIT_S):
            return await self._process.wait()

    def memory_bytes(self, field: str) -> int:
        """``VmRSS`` is what it holds now, ``VmHWM`` the most it ever held."""
        for line in Path(f"/proc/{self._process.pid}/status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"/proc has no {field}")


@asynccontextmanager
async def proxy_process(config: str, folder: Path) -> AsyncIterator[ProxyProcess]:
    """``tracer-proxy run`` on this YAML until the block ends."""
    path = config_file(config, folder)
    async with running_file(path) as proxy:
        yield proxy


@asynccontextmanager
async def running_file(path: Path, **environment: str) -> AsyncIterator[ProxyProcess]:
    """``tracer-proxy run`` on a config file until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "run",
        "--config",
        str(path),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=os.environ | environment,
    )
    proxy = ProxyProcess(process)
    try:
        proxy.ready = await proxy.event("ready")
        proxy.port = _port(proxy.ready["proxy"][0])
        proxy.admin_port = _port(proxy.ready["admin"] or "")
        yield proxy
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def _port(address: str) -> int:
    return int(address.rpartition(":")[2]) if address and not address.startswith("unix:") else 0


def config_file(config: str, folder: Path) -> Path:
    path = folder / f"{len(list(folder.iterdir()))}.yaml"
    path.write_text(config)
    return path


def command(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """A command that ends by itself."""
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, timeout=START_S, env=os.environ | environment, check=False
    )
