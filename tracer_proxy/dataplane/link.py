"""A worker's end of its link to control. It never waits for control: what cannot be sent is dropped and counted.

Control may die and come back: the address outlives it, so the worker connects again and says which table it routes by.
"""

import asyncio
import json
import pickle
import socket
from typing import Any, Protocol, cast

from tracer_proxy.dataplane.frames import BadFrame, FrameKind, FrameReader, frame, records_frame
from tracer_proxy.dataplane.load import Load
from tracer_proxy.dataplane.tasks import spawn
from tracer_proxy.limits import LINK_BUFFER_BYTES_MAX, LINK_RECONNECT_S


class Desk(Protocol):
    """What the worker does with what comes, and what there is to send."""

    def load(self, load: Load) -> None:
        """Takes a table into force, and calls ``loaded`` when it is."""

    def report(self, *, asked: bool) -> dict[str, Any]:
        """What has been counted and, when control has asked, all that is there."""

    def confirmed(self, run: str, number: int) -> None:
        """Control has added a delta up."""

    def control_is_new(self) -> None:
        """It may know nothing of this worker."""

    def want(self, *, live: bool) -> None:
        """Somebody looks on, or does not any more."""


class Link(asyncio.Protocol):
    def __init__(self, address: bytes, token: str, number: int, *, desk: "Desk") -> None:
        self._loop = asyncio.get_running_loop()
        self._address = address
        self._hello = {"token": token, "worker": number}
        self._desk = desk
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._closed = False
        self.version = ""
        """Of the table in force."""
        self.dropped = 0
        """Messages that control was not there for, or too slow to take."""

    def open(self) -> None:
        spawn(self._connect(), "link to control")

    def close(self) -> None:
        self._closed = True
        if self._transport is not None:
            self._transport.close()

    async def _connect(self) -> None:
        while not self._closed:
            try:
                await self._loop.create_unix_connection(lambda: self, sock=_called(self._address))
                return
            except OSError:
                await asyncio.sleep(LINK_RECONNECT_S)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._frames = FrameReader()
        self._desk.control_is_new()
        self._transport.write(frame(FrameKind.HELLO, self._hello | {"version": self.version}))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self._closed:
            self._loop.call_later(LINK_RECONNECT_S, self.open)

    def data_received(self, data: bytes) -> None:
        try:
            frames = self._frames.feed(data)
        except BadFrame:
            cast(asyncio.Transport, self._transport).abort()
            return
        for kind, body in frames:
            if kind is FrameKind.LOAD:
                self._desk.load(pickle.loads(body))  # noqa: S301  # from control alone: this end has called it, and by its token
            elif kind is FrameKind.ASK:
                self.send_report(json.loads(body))
            elif kind is FrameKind.CONFIRM:
                self._desk.confirmed(*json.loads(body))
            elif kind is FrameKind.WANT:
                self._desk.want(live=bool(json.loads(body)))

    def loaded(self, version: str) -> None:
        """The worker routes by it, and listens."""
        self.version = version
        self._send(FrameKind.LOADED, version)

    def send_report(self, answers: int = 0) -> bool:
        """``answers`` is the number that control asked with. False when it could not be sent."""
        # Not even made when nobody takes it: what is counted meanwhile goes with the next.
        return self.is_open and self._send(FrameKind.REPORT, self._desk.report(asked=answers > 0) | {"answers": answers})

    def send_event(self, event: dict[str, Any]) -> bool:
        """A line for the log, as fields. False when it could not be sent."""
        return self._send(FrameKind.EVENT, event)

    def send_records(self, records: bytes) -> bool:
        """False when they could not be sent."""
        return self._put(records_frame(records))

    def _send(self, kind: FrameKind, document: Any) -> bool:
        return self._put(frame(kind, document))

    def _put(self, message: bytes) -> bool:
        if not self.is_open:
            self.dropped += 1
            return False
        cast(asyncio.Transport, self._transport).write(message)
        return True

    @property
    def is_open(self) -> bool:
        """Whether control is there and takes what is sent."""
        return self._transport is not None and self._transport.get_write_buffer_size() <= LINK_BUFFER_BYTES_MAX


def _called(address: bytes) -> socket.socket:
    """A connection to a Unix socket; its listener's queue answers at once, whether or not anybody accepts."""
    caller = socket.socket(socket.AF_UNIX)
    caller.setblocking(False)
    try:
        caller.connect(address)
    except OSError:
        caller.close()
        raise
    return caller
