"""An endpoint that does not read stops its client from being read, whatever came between; and slow readers are waited for."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from harness import Upstream as Endpoint
from harness import connection, one_route, proxy, request, upstream

from tracer_proxy.dataplane.worker import Worker

SENT_AHEAD = 60_000_000
HELD_AT_MOST = 2_000_000


@asynccontextmanager
async def deaf_endpoint(*answers: bytes) -> AsyncIterator[str]:
    """Accepts with a small window, reads one head each time, answers, and reads nothing more."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    listener.bind(("127.0.0.1", 0))
    listener.listen(8)
    listener.setblocking(False)
    loop = asyncio.get_running_loop()
    accepted: list[socket.socket] = []

    async def serve() -> None:
        for answer in (*answers, b""):
            sock, _ = await loop.sock_accept(listener)
            accepted.append(sock)
            if answer:
                await loop.sock_recv(sock, 500)
                await asyncio.sleep(0.2)
                await loop.sock_sendall(sock, answer)

    serving = asyncio.ensure_future(serve())
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        serving.cancel()
        for sock in (listener, *accepted):
            sock.close()


async def pour(writer: asyncio.StreamWriter) -> None:
    """Sends until the proxy takes no more, or far too much."""
    try:
        async with asyncio.timeout(1.5):
            for _ in range(SENT_AHEAD // 100_000):
                writer.write(b"A" * 100_000)
                await writer.drain()
    except (TimeoutError, ConnectionError):
        pass


def held(worker: Worker) -> int:
    """Bytes that wait in the proxy for an endpoint."""
    tunnelled = [end.transport for tunnel in worker.tunnels for end in tunnel.ends]
    dialled = [up.transport for up in worker.upstreams if up.transport is not None]
    return sum(transport.get_write_buffer_size() for transport in (*tunnelled, *dialled))


UPLOAD = b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000000\r\n\r\n"
UNLIMITED = "limits: {request_body: unlimited}"


async def test_an_upload_that_had_to_wait_for_a_connection() -> None:
    async with (
        deaf_endpoint() as url,
        proxy(one_route(url, route=UNLIMITED)) as running,
        connection(running.port) as (_, writer),
    ):
        writer.write(UPLOAD + b"A" * 1_000_000)
        await pour(writer)
        assert held(running.worker) < HELD_AT_MOST


async def test_bytes_sent_ahead_of_a_tunnel() -> None:
    switching = b"HTTP/1.1 101 S\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    async with deaf_endpoint(switching) as url, proxy(one_route(url)) as running, connection(running.port) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: t\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        await pour(writer)
        assert held(running.worker) < HELD_AT_MOST


async def test_an_endpoint_that_answered_without_reading_is_not_kept() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    async with (
        deaf_endpoint(answer) as url,
        proxy(one_route(url, route=UNLIMITED)) as on,
        connection(on.port) as (reader, writer),
    ):
        writer.write(request("POST / HTTP/1.1", body=b"A" * 360_000, close=False))
        await reader.readuntil(b"\r\n\r\n")
        writer.write(UPLOAD)
        await pour(writer)
        assert held(on.worker) < HELD_AT_MOST


async def test_slow_readers_get_all_of_a_complete_answer() -> None:
    """The limits for idle connections and bodies are far shorter than the reading takes."""
    body = b"x" * 600_000

    async def handle(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()
        await reader.read(-1)

    limits = {"listener": "timeouts: {keep_alive: 200ms}", "route": "timeouts: {idle: 200ms}"}
    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url, **limits)) as running:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(client, ("127.0.0.1", running.port))
        await loop.sock_sendall(client, request(close=False))
        received = 0
        while received < len(body):
            piece = await loop.sock_recv(client, 65_536)
            if not piece:
                break
            received += len(piece)
            await asyncio.sleep(0.02)
        client.close()
    assert received >= len(body)
