"""The endpoint of the scenarios with streams and large bodies: ``python -m bench.origin HOST:PORT``, one process on uvloop.

``GET /…/stream`` gets ``EVENTS`` server-sent events, one every ``INTERVAL_S``, each with its number and the time it was due;
``GET /…/size/N`` gets N bytes; anything else is read to its end and answered with the number of bytes it had.
"""

import asyncio
import sys
import time
from typing import cast

import uvloop

EVENTS = 64
INTERVAL_S = 0.02
SLOTS = 10
"""Streams are spread over so many ticks of one timer: few write at the same moment."""
PIECE = bytes(65536)
HEAD = b"HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\n"


class Clock:
    def __init__(self) -> None:
        self.slots: list[dict[Connection, int]] = [{} for _ in range(SLOTS)]
        self._slot = 0
        self._due = time.monotonic()

    def tick(self) -> None:
        self._slot = (self._slot + 1) % SLOTS
        streams = self.slots[self._slot]
        for connection, number in list(streams.items()):
            event = b"data: %d %.6f\n\n" % (number, self._due)
            connection.transport.write(b"%x\r\n%b\r\n" % (len(event), event))
            streams[connection] = number + 1
            if number + 1 == EVENTS:
                del streams[connection]
                connection.transport.write(b"0\r\n\r\n")
        self._due += INTERVAL_S / SLOTS
        asyncio.get_running_loop().call_later(max(0.0, self._due - time.monotonic()), self.tick)

    def add(self, connection: "Connection") -> None:
        min(self.slots, key=len)[connection] = 0


class Connection(asyncio.Protocol):
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._head = b""
        self._body_left = 0
        self._body_size = 0
        self._to_send = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if not self._body_left:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._head = b""
            if self._begin(head):
                return
        self._body_left -= len(data)
        if not self._body_left:
            said = b"%d\n" % self._body_size
            self.transport.write(HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(said), said))

    def _begin(self, head: bytes) -> bool:
        """True when the answer is under way, else the body is to be read."""
        path = head.split(b" ", 2)[1]
        if path.endswith(b"/stream"):
            self.transport.write(HEAD + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            self._clock.add(self)
            return True
        if b"/size/" in path:
            self._to_send = int(path.rpartition(b"/")[2])
            self.transport.write(HEAD + b"Content-Length: %d\r\n\r\n" % self._to_send)
            self.resume_writing()
            return True
        _, found, length = head.lower().partition(b"content-length: ")
        self._body_left = self._body_size = int(length.split(b"\r\n")[0]) if found else 0
        return False

    def resume_writing(self) -> None:
        while self._to_send and self.transport.get_write_buffer_size() < 2 * len(PIECE):
            piece = PIECE[: self._to_send]
            self._to_send -= len(piece)
            self.transport.write(piece)

    def connection_lost(self, exc: Exception | None) -> None:
        for slot in self._clock.slots:
            slot.pop(self, None)


async def serve(address: str) -> None:
    host, _, port = address.rpartition(":")
    clock = Clock()
    await asyncio.get_running_loop().create_server(lambda: Connection(clock), host, int(port), backlog=4096)
    clock.tick()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1]))
