"""Certificates made for one test, and both ends of a TLS connection that use them."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import trustme
from harness import OK, WAIT_S, Upstream


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, each in a file."""

    cert: Path
    key: Path


class Authority:
    """A CA with its file ``ca``; what it issues goes into files beside that."""

    def __init__(self, folder: Path, name: str = "ca") -> None:
        self._made = trustme.CA()
        self._folder = folder
        self._name = name
        self.ca = folder / f"{name}.pem"
        self._made.cert_pem.write_to_path(str(self.ca))

    def issue(self, *names: str, file: str = "server", **more: Any) -> Pair:
        issued = self._made.issue_cert(*names, **more)
        pair = Pair(self._folder / f"{self._name}-{file}.pem", self._folder / f"{self._name}-{file}.key")
        pair.cert.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(pair.key))
        return pair


def server_context(pair: Pair, client_ca: Path | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.cert, pair.key)
    if client_ca is not None:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    return context


def client_context(ca: Path, pair: Pair | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(ca))
    if pair is not None:
        context.load_cert_chain(pair.cert, pair.key)
    return context


@asynccontextmanager
async def tls_upstream(
    context: ssl.SSLContext, handler: Callable[[Upstream, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
) -> AsyncIterator[Upstream]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handler(endpoint, reader, writer)

    endpoint = Upstream(handle)
    server = await asyncio.start_server(endpoint._serve, "127.0.0.1", 0, ssl=context)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()


@contextmanager
def openssl_endpoint(context: ssl.SSLContext) -> Iterator[int]:
    """A port where OpenSSL itself answers ``OK`` to one request per connection. Unlike uvloop it says why it refuses one."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            with suppress(OSError), raw, context.wrap_socket(raw, server_side=True) as connected:
                connected.recv(65_536)
                connected.sendall(OK)

    serving = threading.Thread(target=serve)
    serving.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        serving.join(WAIT_S)


@asynccontextmanager
async def tls_connection(
    port: int, context: ssl.SSLContext
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client's connection, gone when the block ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        async with asyncio.timeout(WAIT_S):
            yield reader, writer
    finally:
        writer.transport.abort()


async def tls_say(port: int, context: ssl.SSLContext, *pieces: bytes) -> bytes:
    """Sends ``pieces`` and reads until the proxy closes."""
    async with tls_connection(port, context) as (reader, writer):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await reader.read(-1)


@asynccontextmanager
async def no_bugs() -> AsyncIterator[list[dict[str, Any]]]:
    """Fails the test if the loop hears of an exception that nobody caught."""
    heard: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: heard.append(context))
    try:
        yield heard
    finally:
        loop.set_exception_handler(None)
    assert heard == []


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not is_so():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
