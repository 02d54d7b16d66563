"""A running proxy in one process: build, listen, say so, and drain when told to."""

import asyncio
import gc
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from tracer_proxy import __version__
from tracer_proxy.config.compile import compile_settings, compile_table
from tracer_proxy.config.schema import Config
from tracer_proxy.control.admin import Admin
from tracer_proxy.control.events import Events
from tracer_proxy.dataplane.worker import Worker
from tracer_proxy.mocks import llm


@dataclass
class Running:
    """What has been started, in the order in which it stops."""

    worker: Worker
    proxy: Sequence[str]
    """Where it listens, with the ports that were chosen for port 0."""
    admin: Admin | None
    admin_address: str | None
    mock_llm: llm.RunningMock | None

    async def stop(self, grace_s: float) -> None:
        await self.worker.drain(grace_s)
        if self.admin is not None:
            await self.admin.stop()
        if self.mock_llm is not None:
            await self.mock_llm.stop()


async def start(config: Config) -> Running:
    """Starts everything the config asks for. Raises ``OSError`` when an address cannot be listened on."""
    mock = config.mocks.llm
    mock_llm = await llm.serve(mock.listen, llm.Settings(token_interval_s=mock.token_interval)) if mock else None
    worker = Worker(compile_table(config, mock_llm.address if mock_llm else "127.0.0.1:8082"), compile_settings(config.proxy))
    proxy = [await worker.listen(address) for address in config.proxy.listen]
    admin = admin_address = None
    if config.admin is not None:
        admin = Admin(worker)
        admin_address = await admin.start(config.admin.listen)
    # What is loaded now stays: the collector need not look at it again.
    gc.collect()
    gc.freeze()
    return Running(worker, proxy, admin, admin_address, mock_llm)


async def run(config: Config, events: Events) -> None:
    """Runs until SIGTERM or SIGINT, then drains; a second signal ends the drain."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (hurry if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    running = await start(config)
    events.write(
        "ready",
        version=__version__,
        proxy=running.proxy,
        admin=running.admin_address,
        mock_llm=running.mock_llm.address if running.mock_llm else None,
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
