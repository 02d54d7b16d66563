"""The clients of the soak. Each says what it got; what is right or wrong is for the caller to judge."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

ANSWER_S = 60.0
"""An exchange without an answer for so long has failed."""
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass(frozen=True)
class Answer:
    status: int
    head: bytes
    body: bytes


class Incomplete(Exception):
    """The connection was closed before the answer was whole."""


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def ask(connection: Connection, method: str, path: str, body: bytes = b"", *, chunked: bool = False) -> Answer:
    """One exchange on a kept connection. Raises ``Incomplete`` and ``TimeoutError``."""
    reader, writer = connection
    async with asyncio.timeout(ANSWER_S):
        try:
            writer.write(request(method, path, body, chunked=chunked))
            await writer.drain()
            return await answer(reader)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Incomplete(f"{method} {path}: {error!r}") from None


def request(method: str, path: str, body: bytes = b"", *, chunked: bool = False) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: soak\r\n"
    if chunked:
        half = len(body) // 2
        pieces = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (body[:half], body[half:]) if piece)
        return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + pieces + b"0\r\n\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body if body else f"{head}\r\n".encode()


async def answer(reader: asyncio.StreamReader) -> Answer:
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    if b"\r\ncontent-length:" in lower:
        body = await reader.readexactly(int(lower.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0]))
    else:
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    return Answer(int(head[9:12]), head, body)


async def upgraded(connection: Connection) -> None:
    """Raises ``Incomplete`` if the connection does not become an echo."""
    reader, writer = connection
    async with asyncio.timeout(ANSWER_S):
        writer.write(b"GET /echo HTTP/1.1\r\nHost: soak\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise Incomplete(f"upgrade: {error!r}") from None
    if not head.startswith(b"HTTP/1.1 101"):
        raise Incomplete(f"upgrade: {head!r}")


def reset(writer: asyncio.StreamWriter) -> None:
    raw = writer.get_extra_info("socket")
    if raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
    writer.transport.abort()


@dataclass
class Lateness:
    """Of events, in seconds: when they were read minus when they were written."""

    limit_s: float
    count: int = 0
    late: int = 0
    worst_s: float = 0.0
    buckets: dict[int, int] = field(default_factory=dict)
    """Events by milliseconds."""

    def add(self, seconds: float) -> None:
        self.count += 1
        self.late += seconds >= self.limit_s
        self.worst_s = max(self.worst_s, seconds)
        bucket = int(seconds * 1000)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + 1

    def quantile_ms(self, share: float) -> int:
        left = share * self.count
        for bucket in sorted(self.buckets):
            left -= self.buckets[bucket]
            if left <= 0:
                return bucket
        return 0

    def __str__(self) -> str:
        return (
            f"{self.count} events, p50 {self.quantile_ms(0.5)} ms, p99 {self.quantile_ms(0.99)} ms, "
            f"worst {self.worst_s * 1000:.0f} ms, {self.late} late by {self.limit_s:g} s"
        )


class Stream(asyncio.Protocol):
    """An open stream of numbered events. ``complain`` hears of whatever is lost, doubled or broken off."""

    def __init__(self, path: str, lateness: Lateness, complain: Callable[[str], None]) -> None:
        self._path = path
        self._lateness = lateness
        self._complain = complain
        self._held = b""
        self._begun_event = b""
        self._next = 0
        self._is_over = False
        self._is_complete = False
        """Its last event has come."""
        self.begun = asyncio.Event()
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.write(request("GET", self._path))

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        self._held += data
        if not self.begun.is_set():
            head, found, self._held = self._held.partition(b"\r\n\r\n")
            if not found:
                self._held = head
                return
            self.begun.set()
            if not head.startswith(b"HTTP/1.1 200"):
                self._end(f"was answered with {head[:300]!r}")
                return
        while not self._is_over and (taken := take_chunk(self._held)) is not None:
            piece, self._held = taken
            self._take(piece, now)

    def _take(self, piece: bytes, now: float) -> None:
        """A proxy may cut chunks anew: events end where the blank lines are."""
        if not piece:
            self._end("" if self._is_complete else "ended without its last event")
            return
        *events, self._begun_event = (self._begun_event + piece).split(b"\n\n")
        for event in events:
            self._take_event(event, now)

    def _take_event(self, event: bytes, now: float) -> None:
        kind, _, data = event.rpartition(b"data: ")
        number, at = data.split()
        if int(number) != self._next:
            self._complain(f"stream {self._path}: event {int(number)} came where {self._next} was expected")
        if kind:
            self._is_complete = True
        else:
            self._next = int(number) + 1
            self._lateness.add(now - float(at))

    def _end(self, complaint: str) -> None:
        self._is_over = True
        if complaint:
            self._complain(f"stream {self._path}: {complaint} after {self._next} events")
        self.begun.set()
        self.ended.set()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._is_over:
            self._end(f"was closed ({exc!r})")


def take_chunk(data: bytes) -> tuple[bytes, bytes] | None:
    """The first chunk and the rest; ``None`` until it is whole."""
    line, found, rest = data.partition(b"\r\n")
    if not found:
        return None
    size = int(line, 16)
    return (rest[:size], rest[size + 2 :]) if len(rest) >= size + 2 else None
