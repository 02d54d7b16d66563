"""The endpoint of the soak, a process of its own: ``python -m soak.upstream`` prints its port and serves until its stdin ends.

A path says what it does: ``/echo`` returns the body it got, ``/size/N`` N bytes, ``/stream`` events with number and time until
``/finish`` is asked for, ``/stream/N`` N of them, ``/fault/reset``, ``/fault/cut``, ``/fault/503`` and ``/fault/hang`` fail.
A request to upgrade gets an echo of all bytes that follow.
"""

import asyncio
import socket
import struct
import sys
import time
from typing import cast

import uvloop

TICK_S = 0.01
SLOTS = 10
"""Streams are spread over so many ticks: one event per stream every ``SLOTS * TICK_S`` seconds, few at a time."""
PIECE = bytes(range(256)) * 256
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Streams:
    """All open streams, driven by one timer."""

    def __init__(self) -> None:
        self.slots: list[dict[Connection, int]] = [{} for _ in range(SLOTS)]
        self.lengths: dict[Connection, int] = {}
        self._slot = 0
        self._next = time.monotonic()

    def start(self) -> None:
        self._next += TICK_S
        asyncio.get_running_loop().call_later(max(0.0, self._next - time.monotonic()), self._tick)

    def _tick(self) -> None:
        self._slot = (self._slot + 1) % SLOTS
        streams = self.slots[self._slot]
        for connection, number in list(streams.items()):
            streams[connection] = number + 1
            connection.transport.write(event(number))
            if number + 1 == self.lengths.get(connection, -1):
                self.end(connection)
        self.start()

    def add(self, connection: "Connection", length: int) -> None:
        min(self.slots, key=len)[connection] = 0
        if length:
            self.lengths[connection] = length

    def end(self, connection: "Connection") -> None:
        """With an event that says how many came before."""
        count = self.drop(connection)
        if count is not None:
            connection.transport.write(chunk(b"event: end\ndata: %d 0\n\n" % count) + b"0\r\n\r\n")

    def drop(self, connection: "Connection") -> int | None:
        self.lengths.pop(connection, None)
        for slot in self.slots:
            if connection in slot:
                return slot.pop(connection)
        return None

    def finish(self) -> None:
        for slot in self.slots:
            for connection in list(slot):
                self.end(connection)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def event(number: int) -> bytes:
    return chunk(b"data: %d %.6f\n\n" % (number, time.monotonic()))


class Connection(asyncio.Protocol):
    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._held = b""
        self._upgraded = False
        self._full: asyncio.Event = asyncio.Event()
        self._full.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._streams.drop(self)
        self._full.set()

    def pause_writing(self) -> None:
        self._full.clear()

    def resume_writing(self) -> None:
        self._full.set()

    def data_received(self, data: bytes) -> None:
        if self._upgraded:
            self.transport.write(data)
            return
        self._held += data
        while (found := take_request(self._held)) is not None:
            head, body, self._held = found
            self._serve(head, body)

    def _serve(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1].partition(b"?")[0]
        _, what, *more = path.split(b"/")
        if b"\r\nupgrade: echo" in head.lower():
            self._upgraded = True
            self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        elif what == b"stream":
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            self._streams.add(self, int(more[0]) if more else 0)
        elif what == b"size":
            _tasks.add(task := asyncio.ensure_future(self._pour(int(more[0]))))
            task.add_done_callback(_tasks.discard)
        elif what == b"fault":
            self._fail(more[0])
        elif what == b"finish":
            self._streams.finish()
            self._answer(b"")
        else:
            self._answer(body)

    def _answer(self, body: bytes, status: bytes = b"200 OK") -> None:
        self.transport.write(b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body))

    def _fail(self, how: bytes) -> None:
        if how == b"503":
            self._answer(b"injected", b"503 Service Unavailable")
        elif how == b"cut":
            self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            self.transport.close()
        elif how == b"reset":
            raw = self.transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.transport.abort()

    async def _pour(self, size: int) -> None:
        self.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        while size and not self.transport.is_closing():
            await self._full.wait()
            self.transport.write(PIECE[:size])
            size -= min(size, len(PIECE))


_tasks: set[asyncio.Future[None]] = set()


def take_request(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Head, body and what is behind them; ``None`` until they are whole."""
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None
    lower = head.lower()
    if b"\r\ncontent-length:" in lower:
        length = int(lower.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0])
        return (head, rest[:length], rest[length:]) if len(rest) >= length else None
    if b"\r\ntransfer-encoding: chunked" not in lower:
        return head, b"", rest
    body = b""
    while True:
        line, found, rest = rest.partition(b"\r\n")
        if not found or len(rest) < int(line, 16) + 2:
            return None
        size = int(line, 16)
        body, rest = body + rest[:size], rest[size + 2 :]
        if not size:
            return head, body, rest


async def serve() -> None:
    loop = asyncio.get_running_loop()
    streams = Streams()
    streams.start()
    server = await loop.create_server(lambda: Connection(streams), "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    await ended.wait()


if __name__ == "__main__":
    uvloop.run(serve())
