"""A running proxy in one process: build, listen, say so, and drain when told to."""

import asyncio
import gc
import os
import resource
import signal
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar

from tracer_proxy import __version__
from tracer_proxy.config.compile import DEFAULT_MOCK_LLM, compile_settings, compile_table
from tracer_proxy.config.schema import Admin as AdminConfig
from tracer_proxy.config.schema import Config, MockLlm
from tracer_proxy.control.admin import Admin
from tracer_proxy.control.events import Events
from tracer_proxy.control.failures import FailureLog
from tracer_proxy.dataplane.worker import Worker
from tracer_proxy.mocks import llm

Listening = TypeVar("Listening")


@dataclass
class Running:
    """What has been started, and where it listens: addresses with the ports that were chosen for port 0."""

    worker: Worker
    proxy: Sequence[str]
    admin: str | None
    mock_llm: str | None
    _others: AsyncExitStack

    async def stop(self, grace_s: float) -> None:
        """Lets exchanges end for ``grace_s`` seconds; the admin port and the mocks go last."""
        await self.worker.drain(grace_s)
        await self._others.aclose()


async def start(config: Config, events: Events | None = None) -> Running:
    """Starts everything the config asks for, or nothing. ``events`` hear of exchanges that fail.

    Raises ``CannotListen``.
    """
    async with AsyncExitStack() as started:
        mock_llm = await _start_mock_llm(config.mocks.llm, started) if config.mocks.llm else None
        table = compile_table(config, mock_llm or DEFAULT_MOCK_LLM)
        worker = Worker(table, compile_settings(config.proxy), tell=FailureLog(events).tell if events else None)
        with_worker = await started.enter_async_context(AsyncExitStack())
        with_worker.push_async_callback(worker.drain, 0)
        proxy = [await _at(address, worker.listen(address)) for address in config.proxy.listen]
        admin = await _start_admin(config.admin, worker, started) if config.admin else None
        # What is loaded now stays: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        with_worker.pop_all()
        return Running(worker, proxy, admin, mock_llm, started.pop_all())


async def _start_mock_llm(config: MockLlm, started: AsyncExitStack) -> str:
    mock = await _at(config.listen, llm.serve(config.listen, llm.Settings(token_interval_s=config.token_interval)))
    started.push_async_callback(mock.stop)
    return mock.address


async def _start_admin(config: AdminConfig, worker: Worker, started: AsyncExitStack) -> str:
    admin = Admin(worker)
    started.push_async_callback(admin.stop)
    return await _at(config.listen, admin.start(config.listen))


class CannotListen(Exception):
    """Which address cannot be listened on, and why."""


async def _at(address: str, listening: Awaitable[Listening]) -> Listening:
    try:
        return await listening
    except OSError as error:
        number = error.errno or 0
        # Loops put their own words, and a name that does not resolve has a number of its own, below zero.
        reason = os.strerror(number) if number > 0 else error.strerror or str(error)
        raise CannotListen(f"{address}: {reason}") from None


def _raise_descriptor_limit() -> None:
    """Shells give a process 1024 descriptors and let it take more; a connection through the proxy needs two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def run(config: Config, events: Events) -> None:
    """Runs until SIGTERM or SIGINT, then drains; a second signal ends the drain."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    loop.add_signal_handler(signal.SIGHUP, events.write, "reload_refused", "warning", "Restart to load the config again.")
    loop.set_exception_handler(lambda _, context: events.write_bug(context))
    _raise_descriptor_limit()
    running = await start(config, events)
    events.write(
        "ready",
        version=__version__,
        proxy=running.proxy,
        admin=running.admin,
        mock_llm=running.mock_llm,
    )
    await stop.wait()
    events.write("draining", under_way=running.worker.under_way, at_most_s=config.proxy.drain)
    drain = asyncio.ensure_future(running.stop(config.proxy.drain))
    hurried = asyncio.ensure_future(hurry.wait())
    await asyncio.wait((drain, hurried), return_when=asyncio.FIRST_COMPLETED)
    hurried.cancel()
    if not drain.done():
        drain.cancel()
        await running.stop(0)
    events.write("stopped", exchanges=running.worker.exchanges)
