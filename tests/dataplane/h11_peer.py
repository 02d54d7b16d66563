"""Both ends of a proxied conversation as h11 sees them: a parser that shares no line with ours says what the bytes mean."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import h11
from harness import OK, Upstream

OURS = frozenset((b"traceparent", b"tracestate", b"x-trace-id-ext", b"host", b"x-forwarded-host"))
"""Fields that differ from exchange to exchange, or from test to test."""


@dataclass
class Message:
    """One request or answer. ``start`` is method and target, or the status; header names are as they were written."""

    start: tuple[bytes | int, ...]
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    complete: bool = False

    @property
    def target(self) -> bytes:
        """Of a request."""
        target = self.start[1]
        assert isinstance(target, bytes)
        return target

    @property
    def stable(self) -> tuple[object, ...]:
        """Everything that must be the same however the bytes were cut."""
        headers = [header for header in self.headers if header[0].lower() not in OURS]
        return self.start, headers, self.body, self.trailers, self.complete

    def values(self, name: bytes) -> list[bytes]:
        return [value for written, value in self.headers if written.lower() == name]


def take(connection: h11.Connection, messages: list[Message]) -> bool:
    """Moves what ``connection`` has understood to ``messages``. True when a whole request or final answer is there."""
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Request):
            messages.append(Message((event.method, event.target), event.headers.raw_items()))
        elif isinstance(event, h11.InformationalResponse | h11.Response):
            messages.append(Message((event.status_code,), event.headers.raw_items()))
            messages[-1].complete = isinstance(event, h11.InformationalResponse)
        elif isinstance(event, h11.Data):
            messages[-1].body += event.data
        elif isinstance(event, h11.EndOfMessage):
            messages[-1].trailers = event.headers.raw_items()
            messages[-1].complete = True
            return True
        else:
            return False


def answers(received: bytes, methods: Sequence[str] = ("GET",)) -> list[Message]:
    """What a client makes of ``received`` and a close behind it. The last answer is incomplete when h11 calls it so."""
    messages: list[Message] = []
    try:
        for method in methods:
            # One connection an answer: what h11 did not use of one is the beginning of the next.
            connection = h11.Connection(h11.CLIENT)
            connection.send(h11.Request(method=method, target="/", headers=[("Host", "t")]))
            connection.send(h11.EndOfMessage())
            connection.receive_data(received)
            if not take(connection, messages):
                connection.receive_data(b"")
                take(connection, messages)
            received = connection.trailing_data[0]
    except h11.RemoteProtocolError:
        return messages
    assert not received, f"bytes behind the last answer: {received!r}"
    return messages


Reply = Callable[[Message, asyncio.StreamWriter], Awaitable[bool]]
"""Answers a request; true when the connection may carry another one."""


async def ok(message: Message, writer: asyncio.StreamWriter) -> bool:
    writer.write(OK)
    return True


class Listener:
    """An endpoint that answers whole requests and remembers what it heard."""

    def __init__(self, reply: Reply = ok) -> None:
        self._reply = reply
        self.heard: list[Message] = []
        self.faults: list[str] = []
        """What h11 would not read: the proxy must never write such bytes."""

    @property
    def whole(self) -> list[Message]:
        return [message for message in self.heard if message.complete]

    def forget(self) -> None:
        self.heard.clear()
        self.faults.clear()

    async def handle(self, endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h11.Connection(h11.SERVER)
        while data := await reader.read(65536):
            connection.receive_data(data)
            try:
                while take(connection, self.heard):
                    if not await self._reply(self.heard[-1], writer):
                        return
                    rest = connection.trailing_data[0]
                    connection = h11.Connection(h11.SERVER)
                    if rest:
                        connection.receive_data(rest)
            except h11.RemoteProtocolError as error:
                self.faults.append(str(error))
                return
