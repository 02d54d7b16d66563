"""A gigabyte each way past a reader that pauses: the proxy, a process of its own, holds no more than its buffers."""

import asyncio
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO

import pytest
from harness import one_route, request, say
from proxy_process import START_S, proxy_process

GIB = 1024**3
PIECE = bytes(1024**2)
CHUNK = b"%x\r\n" % len(PIECE) + PIECE + b"\r\n"
GROWTH_MAX = 10_000_000
PAUSES = 8
"""Of the reader, spread over the body."""


def send(to: socket.socket, *, chunked: bool) -> None:
    for _ in range(GIB // len(PIECE)):
        to.sendall(CHUNK if chunked else PIECE)
    if chunked:
        to.sendall(b"0\r\n\r\n")


def head_of(stream: BinaryIO) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += stream.readline()
    return head


def receive(stream: BinaryIO, *, chunked: bool) -> int:
    """Reads a body and keeps nothing of it; its size. Pauses now and then, so that whoever sends must wait."""
    total, pause_at, buffer = 0, 0, memoryview(bytearray(256 * 1024))
    while True:
        left = int(stream.readline(), 16) if chunked else GIB
        total += left
        while left:
            left -= stream.readinto(buffer[: min(left, len(buffer))])  # type: ignore[attr-defined]
            if total - left >= pause_at:
                pause_at += GIB // PAUSES
                time.sleep(0.1)
        if chunked:
            assert stream.readline() == b"\r\n"
        if not chunked or total == GIB:
            return total


def framing(chunked: bool) -> bytes:
    return b"Transfer-Encoding: chunked\r\n\r\n" if chunked else b"Content-Length: %d\r\n\r\n" % GIB


def is_chunked(head: bytes) -> bool:
    return b"transfer-encoding: chunked" in head.lower()


def endpoint(listener: socket.socket) -> None:
    """Takes an upload and tells its size, or gives a download; ends when the listener is closed."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        with connection, connection.makefile("rb") as stream:
            while (line := stream.readline()).startswith((b"POST", b"GET")):
                head = line + head_of(stream)
                if line.startswith(b"POST"):
                    size = b"%d" % receive(stream, chunked=is_chunked(head))
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(size) + size)
                elif line.startswith(b"GET /small"):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                else:
                    chunked = line.startswith(b"GET /chunked")
                    connection.sendall(b"HTTP/1.1 200 OK\r\n" + framing(chunked))
                    send(connection, chunked=chunked)


def upload(port: int, chunked: bool) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=START_S) as client, client.makefile("rb") as stream:
        client.sendall(b"POST / HTTP/1.1\r\nHost: t\r\n" + framing(chunked))
        send(client, chunked=chunked)
        head_of(stream)
        return int(stream.read(len(str(GIB))))


def download(port: int, chunked: bool) -> int:
    with socket.create_connection(("127.0.0.1", port), timeout=START_S) as client, client.makefile("rb") as stream:
        client.sendall(b"GET /%b HTTP/1.1\r\nHost: t\r\n\r\n" % (b"chunked" if chunked else b"sized"))
        assert is_chunked(head_of(stream)) == chunked
        return receive(stream, chunked=chunked)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
@pytest.mark.parametrize("transfer", [upload, download])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
async def test_a_gigabyte_costs_no_memory(transfer: Callable[[int, bool], int], chunked: bool, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(2) as threads:
        serving = threads.submit(endpoint, listener)
        config = one_route(f"http://127.0.0.1:{listener.getsockname()[1]}", route="limits: {request_body: 2GiB}")
        async with proxy_process(config, tmp_path) as running:
            await say(running.port, request("GET /small HTTP/1.1"))
            before = running.memory_bytes("VmRSS")
            assert await loop.run_in_executor(threads, transfer, running.port, chunked) == GIB
            grown = running.memory_bytes("VmHWM") - before
        listener.shutdown(socket.SHUT_RDWR)
        serving.result()
    assert grown < GROWTH_MAX
