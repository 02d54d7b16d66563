"""What is common to backends: a server of its own, that is asked over HTTP."""

import asyncio
import json
import os
import signal
import socket
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import ClientError, ClientSession, ClientTimeout

from backends.environment import prepared
from backends.failed import BackendsError
from backends.seen import Seen

START_S = 240.0
"""The first start makes a database, on a machine that may be busy."""
ASK_S = 30.0
STOP_S = 10.0
LOG_LINES = 15


class Backend(ABC):
    """``folder`` is the server's own, for its data and its log."""

    name: ClassVar[str]
    requirement: ClassVar[str]
    ready_path: ClassVar[str]
    headers: ClassVar[Mapping[str, str]] = {}
    """That its receiver of spans wants."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.log = folder / "log"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def command(self) -> list[str]:
        """Its program in the environment, and arguments."""

    @abstractmethod
    def variables(self) -> dict[str, str]: ...

    @abstractmethod
    async def seen(self, trace_id: str) -> Seen | None:
        """What it shows of a trace; none when it does not know it."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Its server, until the block ends; whatever it has started ends with it."""
        environment = prepared(self.name, self.requirement)
        program, *arguments = self.command()
        variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | self.variables()
        with self.log.open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                environment / "bin" / program,
                *arguments,
                cwd=self.folder,
                env=variables,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            await self._wait_until_ready(process)
            yield
        finally:
            await _stop(process)

    async def _wait_until_ready(self, process: asyncio.subprocess.Process) -> None:
        advice = (
            f"look at the end of its log above; if the environment is broken, remove .backends/{self.name} and run it again"
        )
        with suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                while process.returncode is None:
                    with suppress(ClientError, OSError):
                        if (await self._get(self.ready_path))[0] == 200:
                            return
                    await asyncio.sleep(0.5)
        what = (
            f"ended with code {process.returncode}" if process.returncode is not None else f"is not ready after {START_S:.0f} s"
        )
        raise BackendsError(f"{self.name} {what}\n{self.end_of_log()}", advice)

    def end_of_log(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return "\n".join(f"    {line}" for line in lines)

    async def ask(self, path: str, document: object = None, **query: str) -> Any:
        """The JSON it answers with, to a GET or, with a document, a POST; none when it says that there is no such thing."""
        status, text = await self._get(path, document, query)
        if status == 404:
            return None
        if status != 200:
            raise BackendsError(f"{self.name} answers {path} with {status}: {text[:300]}", "see whether its API has changed")
        return json.loads(text)

    async def _get(self, path: str, document: object = None, query: Mapping[str, str] | None = None) -> tuple[int, str]:
        method = "GET" if document is None else "POST"
        async with (
            ClientSession(timeout=ClientTimeout(total=ASK_S)) as session,
            session.request(method, self.url + path, json=document, params=query) as answer,
        ):
            return answer.status, await answer.text()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


async def _stop(process: asyncio.subprocess.Process) -> None:
    """With all of its group, which it leads."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await process.wait()
