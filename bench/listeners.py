"""The clients of the streams: ``python -m bench.listeners HOST:PORT COUNT`` prints what they heard, as one line of JSON."""

import asyncio
import json
import sys
import time
from typing import cast

import uvloop

from bench.origin import EVENTS

OPENED_AT_ONCE = 50
PATIENCE_S = 60.0
BOUNDS_MS = (50, 250, 1000)


class Heard:
    """``late`` counts the events that came later than each of ``BOUNDS_MS`` after they were due."""

    def __init__(self) -> None:
        self.events = 0
        self.out_of_order = 0
        self.late = [0] * len(BOUNDS_MS)
        self.worst_ms = 0.0
        self.ended = 0

    def event(self, due: float, now: float) -> None:
        self.events += 1
        late_ms = (now - due) * 1000
        self.worst_ms = max(self.worst_ms, late_ms)
        for index, bound in enumerate(BOUNDS_MS):
            self.late[index] += late_ms > bound


class Listener(asyncio.Protocol):
    def __init__(self, heard: Heard, host: str) -> None:
        self._heard = heard
        self._host = host
        self._rest = b""
        self._next = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        head = f"GET /agents/planner/stream HTTP/1.1\r\nHost: {self._host}\r\nAccept: text/event-stream\r\n\r\n"
        self._transport.write(head.encode())

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data: "):
                number, due = line[6:].split()
                self._heard.out_of_order += int(number) != self._next
                self._next = int(number) + 1
                self._heard.event(float(due), now)
        if self._next == EVENTS:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._heard.ended += 1


async def listen(address: str, count: int) -> Heard:
    host, _, port = address.rpartition(":")
    heard, loop = Heard(), asyncio.get_running_loop()
    for _ in range(0, count, OPENED_AT_ONCE):
        await asyncio.gather(
            *(loop.create_connection(lambda: Listener(heard, address), host, int(port)) for _ in range(OPENED_AT_ONCE))
        )
    end = loop.time() + PATIENCE_S
    while heard.ended < count and loop.time() < end:  # noqa: ASYNC110
        await asyncio.sleep(0.1)
    return heard


if __name__ == "__main__":
    print(json.dumps(vars(uvloop.run(listen(sys.argv[1], int(sys.argv[2]))))))
