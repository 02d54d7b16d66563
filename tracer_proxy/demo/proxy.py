"""The proxy as a user runs it: ``tracer-proxy run`` in a process of its own, which never outlives the demo."""

import asyncio
import ctypes
import json
import os
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tracer_proxy import limits

CONFIG = Path(__file__).with_name("config.yaml")
_PROFILE = "TRACER_PROXY_PROFILE"
_PR_SET_PDEATHSIG = 1


class DemoError(Exception):
    """Why the demo cannot go on, in one sentence."""


class RunningProxy:
    """A proxy that is ready. The URLs have no slash at the end."""

    def __init__(self, process: asyncio.subprocess.Process, ready: Mapping[str, Any], log: deque[str]) -> None:
        self._process = process
        self._log = log
        self._reading = asyncio.ensure_future(_read_log(process, log))
        self.url = f"http://{ready['proxy'][0]}"
        self.admin_url = f"http://{ready['admin']}"
        self.mock_url = f"http://{ready['mock_llm']}"

    async def ended(self) -> DemoError:
        """Waits until the process has ended, which it should not do by itself; the error to raise."""
        return _ended(await self._process.wait(), self._log)

    def check(self) -> None:
        """Raises ``DemoError`` if it has ended."""
        if self._process.returncode is not None:
            raise _ended(self._process.returncode, self._log)

    async def stop(self) -> None:
        await _stop(self._process)
        self._reading.cancel()


@asynccontextmanager
async def running(environ: Mapping[str, str], otherwise: Mapping[str, str]) -> AsyncIterator[RunningProxy]:
    """The proxy on ``config.yaml`` with these variables, until the block ends; with the other ones if it does not start.

    A port may be taken between the look at it and the start. Raises ``DemoError``.
    """
    try:
        started = await _start(environ)
    except DemoError:
        started = await _start(otherwise)
    try:
        yield started
    finally:
        await started.stop()


async def _start(environ: Mapping[str, str]) -> RunningProxy:
    inherited = {name: value for name, value in os.environ.items() if name != _PROFILE}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tracer_proxy", "run", "--config", str(CONFIG)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=inherited | dict(environ),
        # Ctrl-C is for the demo, which then stops the proxy.
        start_new_session=True,
        preexec_fn=_ends_with_parent(),
    )
    log: deque[str] = deque(maxlen=limits.DEMO_LOG_LINES_MAX)
    try:
        return RunningProxy(process, await _ready(process, log), log)
    except BaseException:
        await _stop(process)
        raise


async def _ready(process: asyncio.subprocess.Process, log: deque[str]) -> dict[str, Any]:
    try:
        async with asyncio.timeout(limits.DEMO_START_S):
            while line := await _line(process):
                log.append(line)
                with suppress(ValueError):
                    event = json.loads(line)
                    if isinstance(event, dict) and event.get("event") == "ready":
                        return event
            raise _ended(await process.wait(), log)
    except TimeoutError:
        raise DemoError(f"The proxy was not ready within {limits.DEMO_START_S:.0f} s.{_last(log)}") from None


async def _read_log(process: asyncio.subprocess.Process, log: deque[str]) -> None:
    """Reads on: a pipe that is full would stop the proxy."""
    while line := await _line(process):
        log.append(line)


async def _line(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    return (await process.stderr.readline()).decode(errors="replace")


async def _stop(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL for one that does not listen or if this is interrupted too."""
    try:
        if process.returncode is None:
            process.terminate()
            with suppress(TimeoutError):
                async with asyncio.timeout(limits.DEMO_STOP_S):
                    await process.wait()
    finally:
        if process.returncode is None:
            process.kill()


def _ended(code: int, log: deque[str]) -> DemoError:
    return DemoError(f"The proxy ended by itself with exit code {code}.{_last(log)}")


def _last(log: deque[str]) -> str:
    """The end of its log, unless that says that all is well."""
    line = log[-1].strip() if log else ""
    return f" The last it said: {line}" if line and '"level": "info"' not in line else ""


def _ends_with_parent() -> Callable[[], None] | None:
    """What has the kernel stop the child when the demo is killed; ``None`` where there is no such thing."""
    if sys.platform != "linux":
        return None
    libc, parent = ctypes.CDLL(None), os.getpid()

    def between_fork_and_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return between_fork_and_exec
