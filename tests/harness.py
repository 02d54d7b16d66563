"""A real proxy between raw sockets: the config is YAML, the bytes are exact, and upstreams do what a test tells them.

``proxy(...)`` starts everything a config asks for in the test's own loop, ``Upstream`` is an endpoint whose every connection is
handed to a function of the test, and ``say`` is a client that sends bytes as they stand and returns what came back.
"""

import asyncio
import pickle
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from textwrap import dedent, indent

from tracer_proxy.config.compile import DEFAULT_MOCK_LLM, compile_settings, compile_table
from tracer_proxy.config.load import load_text
from tracer_proxy.control.sockets import address_of, bind, close
from tracer_proxy.dataplane.failures import FailureLog, WriteEvent
from tracer_proxy.dataplane.worker import Worker
from tracer_proxy.mocks import llm

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
WAIT_S = 10.0
"""How long a test waits for what must come; never a measure of speed."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Upstream:
    """An endpoint. ``heard`` holds the heads it got, ``connections`` counts how often somebody connected."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self.heard: list[bytes] = []
        self.bodies: list[bytes] = []
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            await self._handler(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def head(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heard.append(head)
        return head

    async def request(self, reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
        """A whole request: head and body, chunks taken apart."""
        head = await self.head(reader)
        fields = head.lower()
        body = b""
        if b"\r\ncontent-length: " in fields:
            length = int(fields.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
            body = await reader.readexactly(length)
        elif b"\r\ntransfer-encoding: chunked" in fields:
            body = await read_chunked(reader)
        self.bodies.append(body)
        return head, body


async def read_chunked(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return body


@asynccontextmanager
async def upstream(
    handler: Callable[[Upstream, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]],
) -> AsyncIterator[Upstream]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await handler(endpoint, reader, writer)

    endpoint = Upstream(handle)
    server = await asyncio.start_server(endpoint._serve, "127.0.0.1", 0)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()


def answering(*answers: bytes) -> Callable[[Upstream, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
    """A handler that reads whole requests and sends the answers in turn, the last one again and again, on kept connections."""
    left = list(answers)

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await endpoint.request(reader)
            writer.write(left.pop(0) if len(left) > 1 else left[0])
            await writer.drain()

    return handle


def one_route(*endpoints: str, route: str = "", top: str = "", pool: str = "", listener: str = "") -> str:
    """A config with one route to one pool. The others add YAML to their sections; ``listener`` are keys of ``proxy``."""
    return (
        "version: 1\n"
        f"proxy: {{listen: 127.0.0.1:0{', ' if listener else ''}{listener}}}\n"
        f"{dedent(top)}\n"
        "routes:\n"
        "  - name: all\n"
        "    lanes: [{name: only, pool: only}]\n"
        f"{indent(dedent(route), '    ')}\n"
        "pools:\n"
        "  only:\n"
        f"    endpoints: [{', '.join(endpoints)}]\n"
        f"{indent(dedent(pool), '    ')}\n"
    )


class Proxy:
    """A worker in this loop, on the addresses of its config."""

    def __init__(self, worker: Worker, addresses: Sequence[str]) -> None:
        self.worker = worker
        self.port = int(addresses[0].rpartition(":")[2]) if ":" in addresses[0].removeprefix("unix:") else 0
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def errors(self) -> dict[str, int]:
        """What the worker had to end itself, by kind."""
        return {kind: count for kind, count in self.worker.meters.worker.errors.items() if count}

    def reload(self, config: str) -> None:
        """As a worker process does it: the table has travelled."""
        loaded = load_text(config, "test.yaml", {})
        table = pickle.loads(pickle.dumps(compile_table(loaded, DEFAULT_MOCK_LLM)))
        self.worker.take(table, compile_settings(loaded.proxy))


@asynccontextmanager
async def proxy(config: str, *, grace_s: float = 0, write: WriteEvent | None = None) -> AsyncIterator[Proxy]:
    """A proxy by YAML with its mock LLM, if it has one; drained at the end. ``write`` hears of failed exchanges."""
    loaded = load_text(config, "test.yaml", {})
    mock = await llm.serve(loaded.mocks.llm.listen) if loaded.mocks.llm else None
    listeners, addresses = [], []
    for address in loaded.proxy.listen:
        bound = bind(address)
        listeners += bound
        addresses.append(address_of(bound[0], address))
    tell = FailureLog(write).tell if write else None
    table = compile_table(loaded, mock.address if mock else DEFAULT_MOCK_LLM)
    worker = Worker(table, compile_settings(loaded.proxy), tell=tell)
    for listener in listeners:
        await worker.listen(listener)
    try:
        yield Proxy(worker, addresses)
    finally:
        await worker.drain(grace_s)
        close(listeners)
        if mock is not None:
            await mock.stop()


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client's connection, gone when the block ends, however it ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def say(port: int, *pieces: bytes, pause_s: float = 0.0) -> bytes:
    """Sends ``pieces``, each in a segment of its own, and reads until the proxy closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
        async with asyncio.timeout(WAIT_S):
            return await reader.read(-1)
    finally:
        writer.close()


def request(line: str = "GET / HTTP/1.1", *headers: str, body: bytes = b"", close: bool = True) -> bytes:
    """A well-formed request; ``close`` makes ``say`` end with its answer."""
    lines: Iterable[str] = (
        line,
        "Host: test",
        *headers,
        *([f"Content-Length: {len(body)}"] if body else []),
        *(["Connection: close"] if close else []),
        "",
        "",
    )
    return "\r\n".join(lines).encode() + body


def status(answer: bytes) -> int:
    """The status of an answer's first line; 0 when there is no answer."""
    return int(answer[9:12]) if answer else 0


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def field(head: bytes, name: str) -> bytes | None:
    """The value of a header field; ``None`` when it is not there. Fails the test when it is there twice."""
    found = fields(head, name)
    assert len(found) <= 1, f"{name} stands there {len(found)} times: {found}"
    return found[0] if found else None


def fields(head: bytes, name: str) -> list[bytes]:
    lines = head.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    wanted = name.lower().encode()
    return [line.partition(b":")[2].strip() for line in lines if line.partition(b":")[0].lower() == wanted]
