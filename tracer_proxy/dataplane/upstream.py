"""The side of an endpoint: one connection, serving one exchange at a time."""

import asyncio
import ssl
from typing import TYPE_CHECKING, cast

from tracer_proxy.dataplane import tls
from tracer_proxy.errors import Kind
from tracer_proxy.limits import NEW_HEADS_IN_A_ROW_MAX, PLANNED_HEAD_BYTES_MAX, WRITE_BUFFER_HIGH_BYTES, WRITE_BUFFER_LOW_BYTES
from tracer_proxy.routing.circuit import Circuit
from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.wire.fields import FieldReader
from tracer_proxy.wire.head_buffer import HeadBuffer
from tracer_proxy.wire.repeat import Layout, answer_layout
from tracer_proxy.wire.response import ResponseHead, read_response

if TYPE_CHECKING:
    from tracer_proxy.dataplane.copies import Copy
    from tracer_proxy.dataplane.exchange import Exchange
    from tracer_proxy.dataplane.worker import Worker


class Upstream(asyncio.Protocol):
    __slots__ = (
        "_answer",
        "_circuit",
        "_layout",
        "_new_heads",
        "endpoint",
        "exchange",
        "heads",
        "idle_until",
        "is_full",
        "peer",
        "reused",
        "transport",
        "worker",
    )

    def __init__(self, worker: "Worker", endpoint: Endpoint) -> None:
        self.worker = worker
        self.endpoint = endpoint
        self.transport: asyncio.Transport | None = None
        self.exchange: Exchange | Copy | None = None
        self.heads = HeadBuffer(Kind.UPSTREAM_BROKEN)
        self.peer = ""
        """The address that was dialled."""
        self.reused = False
        self.is_full = False
        """The endpoint reads more slowly than the client writes."""
        self._circuit: Circuit | None = None
        self._answer: ResponseHead | None = None
        self._layout: Layout | None = None
        """The last answer with a length, and where in its head that stood."""
        self._new_heads = 0
        """In a row, none of which had come before: many an endpoint gives each answer an id of its own."""
        self.idle_until = 0.0
        """Read while the connection is idle; an exchange under way has its own limits."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(WRITE_BUFFER_HIGH_BYTES, WRITE_BUFFER_LOW_BYTES)
        self.worker.upstreams.add(self)

    def read_answer(self, data: bytes, fields: FieldReader, method: bytes) -> tuple[ResponseHead, bytes] | None:
        """The head that ``data`` completes and what stands behind it; ``None`` while it is incomplete.

        Reads it, or knows it again: an endpoint sends the same one many times, but for the body's length.
        """
        answer, layout = self._answer, self._layout
        if answer is not None and layout is not None and not self.heads.partial and method != b"HEAD":
            values = layout.values(data)
            if values is not None and values[0].isdigit():
                answer.values[b"content-length"] = length = values[0]
                answer.length = int(length)
                self._new_heads = 0
                return answer, data[layout.size :]
        found = self.heads.feed(data)
        if found is None:
            return None
        raw, rest = found
        answer = read_response(raw, fields, method)
        if method != b"HEAD" and self._new_heads < NEW_HEADS_IN_A_ROW_MAX:
            self._expect_again(answer, raw)
        return answer, rest

    def _expect_again(self, answer: ResponseHead, raw: bytes) -> None:
        length = answer.values.get(b"content-length")
        self._answer = self._layout = None
        self._new_heads += 1
        if self._new_heads < NEW_HEADS_IN_A_ROW_MAX and length and answer.has_body and len(raw) <= PLANNED_HEAD_BYTES_MAX:
            self._answer, self._layout = answer, answer_layout(raw, length)

    def data_received(self, data: bytes) -> None:
        if self.exchange is not None:
            self.exchange.from_upstream(data)
        else:
            # Bytes nobody asked for must never become the answer to the next request (RFC 9112 9.2).
            self.close()

    def eof_received(self) -> bool:
        if self.exchange is not None:
            self.exchange.upstream_ended()
        return False

    def join_circuit(self, circuit: Circuit) -> None:
        """From here on it counts as one of the pool's connections, unless it has been lost already."""
        if self in self.worker.upstreams:
            self._circuit = circuit
            circuit.connections += 1

    def leave_circuit(self) -> None:
        if self._circuit is not None:
            self._circuit.connections -= 1
            self._circuit = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.worker.upstreams.discard(self)
        self.leave_circuit()
        exchange = self.exchange
        if exchange is not None:
            exchange.upstream_lost(tls.reason(exc) if isinstance(exc, ssl.SSLError) else "")
        else:
            self.worker.connections.forget(self)

    def pause_writing(self) -> None:
        self.is_full = True
        if self.exchange is not None:
            self.exchange.upstream_is_full()

    def resume_writing(self) -> None:
        self.is_full = False
        if self.exchange is not None:
            self.exchange.upstream_drained()

    def rest(self, until: float) -> None:
        """Between two exchanges."""
        self.exchange = None
        self.reused = True
        self.idle_until = until
        assert self.transport is not None
        self.transport.resume_reading()

    def close(self) -> None:
        """Closes without a word to the exchange, which has had its answer or has given up."""
        self.exchange = None
        self.worker.connections.forget(self)
        self.leave_circuit()
        if self.transport is not None:
            self.transport.abort()
