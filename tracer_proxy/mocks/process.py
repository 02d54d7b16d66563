"""The bundled mocks as a process of their own, on sockets that are bound already and outlive it."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from socket import socket
from typing import Any

import uvloop
from aiohttp import web

from tracer_proxy import limits
from tracer_proxy.mocks import llm


def run(listeners: Sequence[socket], settings: Mapping[str, Any]) -> None:
    """The mock LLM until SIGTERM. ``settings`` are the fields of ``llm.Settings``."""
    uvloop.run(_serve(listeners, llm.Settings(**settings)))


async def _serve(listeners: Sequence[socket], settings: llm.Settings) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    runner = web.AppRunner(llm.create_app(settings), access_log=None, shutdown_timeout=limits.MOCK_STOP_S)
    await runner.setup()
    for listener in listeners:
        await web.SockSite(runner, listener, backlog=limits.LISTEN_BACKLOG).start()
    await stop.wait()
    await runner.cleanup()
