"""The workers as control sees them: each calls, says who it is, takes tables and reports."""

import asyncio
import hmac
import json
import os
import socket
import struct
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, cast

from tracer_proxy.control.events import Events
from tracer_proxy.dataplane.frames import BadFrame, FrameKind, FrameReader, frame, load_frame
from tracer_proxy.dataplane.load import Load
from tracer_proxy.dataplane.records import read_records
from tracer_proxy.limits import ASK_S, LINK_FRAME_BYTES_MAX, LINK_HELLO_BYTES_MAX, LINK_HELLO_S, LINK_STRANGERS_MAX, LOAD_S
from tracer_proxy.telemetry.deltas import Delta
from tracer_proxy.telemetry.record import Record

Report = dict[str, Any]


class Desk(Protocol):
    """Who keeps what workers count."""

    def counted(self, number: int, delta: Delta, confirm: Callable[[], None]) -> None:
        """Adds a delta of worker ``number`` up, and confirms it when it is kept: then it will not come again."""

    def confirm(self) -> None:
        """Keeps and confirms what is not yet, so that workers can tell what they have counted since."""

    def lost(self, number: int) -> None:
        """The worker is gone, or will call again."""

    def recorded(self, number: int, records: Sequence[Record], size_bytes: int) -> None:
        """Exchanges that have ended; ``size_bytes`` is what all of them took."""


class Workers:
    """``version`` is what all are to route by."""

    def __init__(self, token: str, events: Events, desk: "Desk") -> None:
        self.token = token
        self.events = events
        self.desk = desk
        self.links: set[WorkerLink] = set()
        self.strangers: set[WorkerLink] = set()
        """Those that have called and not yet said who they are."""
        self.version = ""
        self._load = b""
        self._asked = 0
        self._live = False
        self._changed = asyncio.Event()

    async def listen(self, listener: socket.socket) -> None:
        self._server = await asyncio.get_running_loop().create_unix_server(lambda: WorkerLink(self), sock=listener)

    def send(self, load: Load) -> None:
        """From now on this is what they route by, those too that call later."""
        self.version, self._load = load.version, load_frame(load)
        for link in self.links:
            self.greet(link)

    def want_all(self, wanted: bool) -> None:
        """Whether all records are to be sent, for somebody looks on; those too that call later are told."""
        self._live = wanted
        for link in self.links:
            link.send(frame(FrameKind.WANT, wanted))

    def greet(self, link: "WorkerLink") -> None:
        if self._live:
            link.send(frame(FrameKind.WANT, True))
        if self._load and link.version != self.version:
            link.send(self._load)

    def changed(self) -> None:
        self._changed.set()

    async def loaded(self, count: int, timeout_s: float = LOAD_S) -> bool:
        """Waits until ``count`` workers, and all that are there, route by the version."""

        def holds() -> bool:
            return self.current_count >= count and all(self._is_current(link) or link.leaves for link in self.links)

        return await self._until(holds, timeout_s)

    def _is_current(self, link: "WorkerLink") -> bool:
        return link.version == self.version

    @property
    def current_count(self) -> int:
        """Workers that route by the version and will stay."""
        return sum(self._is_current(link) and not link.leaves for link in self.links)

    async def reports(self) -> list[Report]:
        """What they hold now; of one that does not answer in time, what it said last."""
        await self._ask()
        if any(link.report.get("is_behind") for link in self.links):
            # They had counted something that they have not told yet, for what they told had not been confirmed.
            await self._ask()
        return [link.report for link in sorted(self.links, key=lambda link: link.number) if link.report]

    async def _ask(self) -> None:
        self.desk.confirm()
        self._asked += 1
        asked = self._asked
        links = list(self.links)
        for link in links:
            link.send(frame(FrameKind.ASK, asked))
        await self._until(lambda: all(link.answered >= asked or link not in self.links for link in links), ASK_S)

    def lost(self, link: "WorkerLink") -> None:
        self.links.discard(link)
        # One that retires may have a successor of the same number.
        if link.number and all(other.number != link.number for other in self.links):
            self.desk.lost(link.number)
        self.changed()

    async def _until(self, holds: Callable[[], bool], timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while not holds():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True


class WorkerLink(asyncio.Protocol):
    """One worker's call. Nothing it says counts before it has shown the token."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._frames = FrameReader(LINK_HELLO_BYTES_MAX)
        self.number = 0
        self.version = ""
        self.answered = 0
        self.leaves = False
        """It retires or drains."""
        self.report: Report = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        workers = self._workers
        if _user_of(transport.get_extra_info("socket")) != os.getuid() or len(workers.strangers) >= LINK_STRANGERS_MAX:
            self.transport.abort()
            return
        workers.strangers.add(self)
        asyncio.get_running_loop().call_later(LINK_HELLO_S, self._give_up)

    def _give_up(self) -> None:
        if not self.number:
            self.transport.abort()

    def data_received(self, data: bytes) -> None:
        try:
            for kind, body in self._frames.feed(data):
                if kind is FrameKind.RECORDS and self.number:
                    self._workers.desk.recorded(self.number, read_records(body), len(body))
                else:
                    self._take(kind, json.loads(body))
        except (BadFrame, ValueError, KeyError, TypeError):
            self.transport.abort()

    def _take(self, kind: FrameKind, document: Any) -> None:
        workers = self._workers
        if not self.number:
            if kind is not FrameKind.HELLO or not hmac.compare_digest(str(document["token"]), workers.token):
                raise BadFrame("no token")
            self.number, self.version = int(document["worker"]), str(document["version"])
            self._frames.bytes_max = LINK_FRAME_BYTES_MAX
            workers.strangers.discard(self)
            workers.links.add(self)
            workers.greet(self)
        elif kind is FrameKind.LOADED:
            self.version = str(document)
        elif kind is FrameKind.REPORT:
            counted = document.pop("counted", None)
            if counted is not None:
                confirmed = frame(FrameKind.CONFIRM, (counted["run"], counted["number"]))
                workers.desk.counted(self.number, counted, partial(self.send, confirmed))
            self.leaves = bool(document.get("leaving"))
            if document["answers"]:
                self.report = document | {"worker": self.number}
                self.answered = max(self.answered, int(document["answers"]))
        elif kind is FrameKind.EVENT:
            workers.events.write(**document, worker=self.number)
        workers.changed()

    def send(self, message: bytes) -> None:
        """To a worker that has died meanwhile, nothing."""
        if not self.transport.is_closing():
            self.transport.write(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._workers.strangers.discard(self)
        self._workers.lost(self)


def _user_of(caller: socket.socket) -> int:
    """Whose process it is (unix(7), SO_PEERCRED: pid, user, group)."""
    credentials = caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    user: int = struct.unpack("3i", credentials)[1]
    return user
