"""A worker as a process: it waits for its first table, listens, and moves bytes until it is told to end."""

import asyncio
import gc
import json
import os
import resource
import select
import signal
import sys
import traceback
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from socket import socket
from typing import Any

import uvloop

from tracer_proxy.dataplane import metering
from tracer_proxy.dataplane.failures import FailureLog
from tracer_proxy.dataplane.link import Link
from tracer_proxy.dataplane.load import Load
from tracer_proxy.dataplane.shared_memory import SharedMemory
from tracer_proxy.dataplane.tasks import spawn
from tracer_proxy.dataplane.worker import Worker
from tracer_proxy.limits import ASK_S, REPORT_INTERVAL_S, RETIRE_S


def run(number: int, listeners: Sequence[socket], address: bytes, token: str, shared: int) -> int:
    """Runs worker ``number`` on sockets that are bound. ``address`` and ``token`` lead to control.

    ``shared`` is the descriptor of what workers share (``shared_memory.create``). Returns the exit code.
    """
    _raise_descriptor_limit()
    return uvloop.run(WorkerProcess(number, listeners, address, token, shared).run())


class WorkerProcess:
    """SIGTERM drains for as long as the config says, a second one hurries; SIGUSR1 drains for as long as exchanges last."""

    def __init__(self, number: int, listeners: Sequence[socket], address: bytes, token: str, shared: int) -> None:
        self._number = number
        self._shared = shared
        self._listeners = listeners
        self._call = address, token
        self._worker: Worker | None = None
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._retire = asyncio.Event()
        self._exit_code = 0
        self._live = False
        """Somebody looks on."""
        self._confirmed = asyncio.Event()
        """Set when control confirms a delta."""

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._on_stop)
        loop.add_signal_handler(signal.SIGUSR1, self._on_retire)
        loop.set_exception_handler(lambda _, context: self._tell_bug(context))
        self._link = Link(*self._call, self._number, desk=self)
        self._link.open()
        self._report_regularly()
        await _either(self._stop.wait(), self._retire.wait())
        if self._worker is not None:
            await self._drain(self._worker)
            self._worker.records.flush()
        await self._report_to_the_end()
        self._link.close()
        await asyncio.sleep(0)
        return self._exit_code

    # What the link needs.

    def load(self, load: Load) -> None:
        if self._worker is not None:
            self._worker.take(load.table, load.settings)
            self._link.loaded(load.version)
        else:
            log = FailureLog(self._link.send_event)
            memory, tell = SharedMemory(self._shared), self._link.send_event
            self._worker = Worker(load.table, load.settings, tell=log.tell, tell_event=tell, memory=memory)
            self._worker.records.send = self._link.send_records
            self._worker.records.want(load.table.wanted, live=self._live)
            self._worker.connections.resolver.tell = self._tell_of_name
            self._worker.prepare_connections()
            spawn(self._listen(self._worker, load.version), "listen")
            # What is loaded now stays: the collector need not look at it again.
            gc.collect()
            gc.freeze()

    async def _listen(self, worker: Worker, version: str) -> None:
        """A worker that cannot listen is of no use: it ends, and is started again."""
        try:
            for listener in self._listeners:
                await worker.listen(listener)
        except OSError as error:
            message = f"The worker cannot listen: {error}."
            self._link.send_event({"event": "worker_cannot_listen", "level": "error", "message": message})
            self._exit_code = 1
            self._stop.set()
        else:
            self._link.loaded(version)

    def report(self, *, asked: bool) -> dict[str, Any]:
        always = {"reports_dropped": self._link.dropped, "leaving": self._retire.is_set() or self._stop.is_set()}
        if self._worker is None:
            return always
        always["is_behind"] = self._worker.meters.is_behind
        there = self._worker.report() if asked else {}
        return there | always | {"counted": metering.take(self._worker)}

    def confirmed(self, run: str, number: int) -> None:
        if self._worker is not None:
            self._worker.meters.confirm(run, number)
            self._confirmed.set()

    def control_is_new(self) -> None:
        self.want(live=False)
        if self._worker is not None:
            self._worker.meters.report_again()

    def want(self, *, live: bool) -> None:
        self._live = live
        if self._worker is not None:
            self._worker.records.want(self._worker.table.wanted, live=live)

    async def _report_to_the_end(self) -> None:
        """Twice: what was under way to control when the last exchange ended, and the rest."""
        for _ in range(2):
            self._confirmed.clear()
            if not self._link.send_report():
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(ASK_S):
                    await self._confirmed.wait()

    def _report_regularly(self) -> None:
        self._link.send_report()
        asyncio.get_running_loop().call_later(REPORT_INTERVAL_S, self._report_regularly)

    def _on_stop(self) -> None:
        (self._hurry if self._stop.is_set() else self._stop).set()

    def _on_retire(self) -> None:
        self._retire.set()
        # So that control does not count on it any more.
        self._link.send_report()

    async def _drain(self, worker: Worker) -> None:
        """A worker that retires and is told to stop has from then on as long as any other."""
        if not self._stop.is_set() and await _either(worker.drain(RETIRE_S, RETIRE_S), self._stop.wait()):
            return
        if not await _either(worker.drain(worker.settings.drain_s if not self._exit_code else 0), self._hurry.wait()):
            await worker.drain(0)

    def _tell_of_name(self, name: str, reason: str) -> None:
        if reason:
            message = f"{name}: {reason}; its last addresses are used, if there are any."
            self._link.send_event({"event": "name_unresolved", "level": "warning", "message": message, "name": name})
        else:
            self._link.send_event({"event": "name_resolved", "name": name})

    def _tell_bug(self, context: dict[str, Any]) -> None:
        """What the loop says of an exception that nobody caught."""
        exception = context.get("exception")
        trace = "".join(traceback.format_exception(exception)) if isinstance(exception, BaseException) else ""
        told = {"event": "bug", "level": "error", "message": str(context.get("message", "")), "traceback": trace}
        if not self._link.send_event(told):
            say_without_waiting(json.dumps(told))


async def _either(first: Coroutine[Any, Any, object], other: Coroutine[Any, Any, object]) -> bool:
    """Runs both until one ends, and ends the other. True when ``first`` has ended."""
    tasks = [asyncio.ensure_future(each) for each in (first, other)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    return tasks[0].done() and not tasks[0].cancelled()


def say_without_waiting(line: str) -> None:
    """To stderr, if that takes it now: a log that nobody reads must not stop traffic. What is too long is cut off."""
    with suppress(OSError):
        if select.select([], [sys.stderr], [], 0)[1]:
            os.write(sys.stderr.fileno(), f"{line[: select.PIPE_BUF // 4 - 1]}\n".encode())


def _raise_descriptor_limit() -> None:
    """Shells give a process 1024 descriptors and let it take more; a connection through the proxy needs two."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
