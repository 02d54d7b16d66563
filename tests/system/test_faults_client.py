"""Clients that fail in every way: the endpoint is let go at once, and nothing is left behind."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from harness import WAIT_S, Upstream, one_route, status, upstream
from left_behind import leaves_nothing
from proxy_process import proxy_process

ADMIN = "admin: {listen: 127.0.0.1:0}"
ROUTE = "timeouts: {idle: 800ms, first_byte: 30s}"
LISTENER = "timeouts: {head: 400ms}"
ROUNDS, AT_ONCE = 5, 20
HEAD = b"POST / HTTP/1.1\r\nHost: t\r\n"
LENGTH = HEAD + b"Content-Length: 100\r\n\r\nten bytes."
CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
GET = b"GET /%s HTTP/1.1\r\nHost: t\r\n\r\n"

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Leave = Callable[[Client], Awaitable[None]]


async def closes(client: Client) -> None:
    client[1].close()


async def resets(client: Client) -> None:
    client[1].get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client[1].transport.abort()


async def hears_400(client: Client) -> None:
    assert status(await client[0].read(-1)) == 400


async def hears_408(client: Client) -> None:
    assert status(await client[0].read(-1)) == 408


async def hears_of_a_broken_off_answer(client: Client) -> None:
    """It does not read while megabytes wait for it, until it is given up."""
    client[1].transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(3.0)
    client[1].transport.abort()


class Endpoint:
    """Never answers ``/silent``, streams ``/stream`` without end, and pours ``/flood``."""

    def __init__(self) -> None:
        self.here = 0

    async def handle(self, endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.here += 1
        try:
            head = await endpoint.head(reader)
            if b"/stream" in head or b"/flood" in head:
                writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                piece = b"5\r\nevent\r\n" if b"/stream" in head else b"10000\r\n" + bytes(0x10000) + b"\r\n"
                while not (reader.at_eof() or writer.transport.is_closing()):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.02 if b"/stream" in head else 0)
            else:
                await reader.read(-1)
        finally:
            self.here -= 1


@dataclass(frozen=True)
class Fault:
    name: str
    sent: bytes
    leave: Leave
    kind: str
    """As ``/api/status`` counts it; empty for what is no exchange."""
    wait_for: bytes = b""
    """What the client reads before it goes."""


FAULTS = [
    Fault("closes without a word", b"", closes, ""),
    Fault("closes mid-head", HEAD, closes, ""),
    Fault("resets mid-head", HEAD, resets, ""),
    Fault("stops mid-head", HEAD, hears_408, "slow_request"),
    Fault("cuts a body with a length", LENGTH, closes, "client_gone"),
    Fault("resets a body with a length", LENGTH, resets, "client_gone"),
    Fault("stops in a body", LENGTH, hears_408, "slow_request"),
    Fault("cuts a chunked body", CHUNKS, closes, "client_gone"),
    Fault("sends a bad chunk", CHUNKS + b"zz\r\n", hears_400, "malformed"),
    Fault("sends garbage", bytes(range(128, 256)) + b"\r\n\r\n", hears_400, "malformed"),
    Fault("vanishes before the first token", GET % b"silent", closes, "client_gone"),
    Fault("resets before the first token", GET % b"silent", resets, "client_gone"),
    Fault("vanishes after the first token", GET % b"stream", closes, "client_gone", b"event"),
    Fault("resets after the first token", GET % b"stream", resets, "client_gone", b"event"),
    Fault("vanishes with pipelined requests", GET % b"silent" + GET % b"silent", closes, "client_gone"),
    Fault("stops reading", GET % b"flood", hears_of_a_broken_off_answer, "client_gone", b"200 OK"),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_client_fails(fault: Fault, tmp_path: Path) -> None:
    serving = Endpoint()
    async with (
        upstream(serving.handle) as endpoint,
        proxy_process(one_route(endpoint.url, top=ADMIN, route=ROUTE, listener=LISTENER), tmp_path) as running,
    ):

        async def one_client() -> None:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(fault.sent)
            async with asyncio.timeout(WAIT_S):
                if fault.wait_for:
                    await reader.readuntil(fault.wait_for)
                elif fault.kind == "client_gone":
                    # So that it is an exchange before the client goes.
                    await asyncio.sleep(0.1)
                await fault.leave((reader, writer))
            writer.close()

        await asyncio.gather(*(one_client() for _ in range(AT_ONCE)))
        async with leaves_nothing(running) as seen:
            for _ in range(ROUNDS):
                await asyncio.gather(*(one_client() for _ in range(AT_ONCE)))
        assert seen.errors == ({fault.kind: ROUNDS * AT_ONCE} if fault.kind else {})
        async with asyncio.timeout(WAIT_S):
            while serving.here:  # noqa: ASYNC110  # the endpoint has no event for it
                await asyncio.sleep(0.02)
