"""Reads what passes on routes to models and tools, beside the traffic: after the bytes went on, and within bounds.

The loop writes what it was given at the end of each round, and calls back what was asked for soon in the next one. So a look
that is asked for when bytes are forwarded comes after them, and before the client can send anything in return.
"""

from abc import ABC, abstractmethod
from time import monotonic
from typing import TYPE_CHECKING

from tracer_proxy.context.trace import extract
from tracer_proxy.dataplane import tracing
from tracer_proxy.genai.answered import Answered, Usage
from tracer_proxy.genai.answers import AnswerReader
from tracer_proxy.genai.asked import Asked
from tracer_proxy.genai.requests import operation_of, provider_name, read_request
from tracer_proxy.genai.rpc import RpcAsked
from tracer_proxy.genai.rpc_answers import RpcAnswerReader
from tracer_proxy.genai.rpc_meta import with_trace_meta
from tracer_proxy.genai.rpc_requests import read_rpc_request
from tracer_proxy.limits import LOOK_AHEAD_BYTES_MAX
from tracer_proxy.routing.route import Route
from tracer_proxy.stitching.turn import Turn
from tracer_proxy.telemetry.catalogue import Abandoned
from tracer_proxy.telemetry.record import Link, Record
from tracer_proxy.wire.request import RequestHead
from tracer_proxy.wire.response import ResponseHead

if TYPE_CHECKING:
    from tracer_proxy.dataplane.exchange import Exchange


class Reading(ABC):
    """What is read of the exchanges of one plan."""

    @abstractmethod
    def witness(self, exchange: "Exchange") -> "Witness": ...


class ModelReading(Reading):
    def __init__(self, route: Route, path: bytes, api: str, operation: str) -> None:
        self.route = route
        self.path = path
        self.unread = Asked(api, operation, "", False, {}, "", "", "", (), (), b"")
        """What is known without the body."""

    def witness(self, exchange: "Exchange") -> "Witness":
        return ModelWitness(exchange, self)


class RpcReading(Reading):
    def __init__(self, route: Route) -> None:
        self.route = route

    def witness(self, exchange: "Exchange") -> "Witness":
        return RpcWitness(exchange, self.route)


def reading_of(route: Route | None, head: RequestHead) -> Reading | None:
    if route is None or not route.is_read or head.method != b"POST":
        return None
    if route.rpc:
        return RpcReading(route)
    path = route.path_out(head.path)
    kind = operation_of(route.llm_api, path)
    return ModelReading(route, path, *kind) if kind is not None else None


class Witness(ABC):
    """``request`` and ``answer`` are told of each piece of the bodies, bare; ``conclude`` comes last."""

    def __init__(self, exchange: "Exchange", route: Route) -> None:
        self._exchange = exchange
        self._route = route
        self._request: list[bytes] = []
        self._request_bytes = 0
        self.has_enough = False
        """The request's body is longer than what may be held of it, and is not looked at."""
        self._head: ResponseHead | None = None
        self._pieces: list[tuple[float, bytes]] = []
        self._is_scheduled = self._is_over = False
        self._record: Record | None = None

    # The request.

    def hangs_on_body(self, length: int | None) -> bool:
        """Whether the trace is found only with the body, and it is not too long to wait for."""
        if length is not None and length > LOOK_AHEAD_BYTES_MAX:
            self._give_up_request()
            return False
        return self._needs_body() and b"expect" not in self._exchange.plan.head.fields.values

    @abstractmethod
    def _needs_body(self) -> bool: ...

    def request(self, payload: bytes) -> None:
        self._request_bytes += len(payload)
        if self._request_bytes <= LOOK_AHEAD_BYTES_MAX:
            self._request.append(payload)
        else:
            self._give_up_request()

    def _give_up_request(self) -> None:
        if not self.has_enough:
            self.has_enough = True
            self._request.clear()
            self._abandon("too_large")

    @abstractmethod
    def find_trace(self) -> None:
        """The body is there, and nothing has gone on."""

    def outgoing(self, body: bytes) -> bytes:
        """What goes on in place of the request's body."""
        return body

    # The answer.

    def answer_begins(self, head: ResponseHead) -> None:
        self._head = head

    def answer(self, payload: bytes) -> None:
        self._pieces.append((monotonic(), payload))
        self._look_soon()

    def conclude(self, record: Record | None) -> None:
        """The exchange has ended. What was read completes its record, if there is one."""
        self._record, self._is_over = record, True
        self._look_soon()

    def _look_soon(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._exchange.worker.loop.call_soon(self._look)

    def _look(self) -> None:
        self._is_scheduled = False
        try:
            self._read()
        except Exception as bug:
            # Whatever it is, it must not cost more than what there was to read.
            self._exchange.worker.loop.call_exception_handler({"message": "an exchange could not be read", "exception": bug})
        if self._is_over:
            if self._record is not None:
                self._exchange.worker.records.put(self._record)
            self._request.clear()

    def _read(self) -> None:
        pieces, self._pieces = self._pieces, []
        if self._head is not None:
            self._read_answer(self._head, pieces)
        if self._is_over:
            self._end()

    @abstractmethod
    def _read_answer(self, head: ResponseHead, pieces: list[tuple[float, bytes]]) -> None:
        """``pieces`` of the body, with the times at which they came."""

    @abstractmethod
    def _end(self) -> None:
        """The exchange has ended, and all of it has been read."""

    def _abandon(self, reason: str) -> None:
        self._exchange.worker.meters.worker.observations_abandoned[Abandoned(reason)] += 1


class ModelWitness(Witness):
    """One call of a model."""

    def __init__(self, exchange: "Exchange", reading: ModelReading) -> None:
        super().__init__(exchange, reading.route)
        self._reading = reading
        self._asked: Asked | None = None
        self._reader: AnswerReader | None = None
        self._has_joined = False
        self._is_remembered = False

    def _needs_body(self) -> bool:
        return self._route.stitch and self._exchange.context.source == "new"

    @property
    def asked(self) -> Asked:
        if self._asked is None:
            self._asked = self._read_request() or self._reading.unread
            self._request.clear()
        return self._asked

    def _read_request(self) -> Asked | None:
        if self.has_enough:
            return None
        body = self._request[0] if len(self._request) == 1 else b"".join(self._request)
        asked = read_request(self._route.llm_api, self._reading.path, body, content_chars=self._route.capture_chars)
        if asked is None:
            self._abandon("unreadable")
        return asked

    def find_trace(self) -> None:
        exchange = self._exchange
        stitcher = exchange.worker.stitcher
        tracing.take(exchange, stitcher.join(self.asked, tracing.scope_of(exchange), tracing.began(exchange)))
        self._has_joined = True

    def _reader_for(self, head: ResponseHead) -> AnswerReader:
        values = head.values
        return AnswerReader(
            self.asked.api,
            status=head.status,
            content_type=values.get(b"content-type", b""),
            content_encoding=values.get(b"content-encoding", b""),
            prefix=self.asked.prefix,
            content_chars=self._route.capture_chars,
        )

    def _read_answer(self, head: ResponseHead, pieces: list[tuple[float, bytes]]) -> None:
        reader = self._reader
        if reader is None:
            reader = self._reader = self._reader_for(head)
        for at, piece in pieces:
            reader.feed(piece, at)
        if reader.is_whole and self._route.stitch and not self._is_remembered:
            # The client may go on at once, long before the connection has told that this was all.
            self._remember(reader.finish())

    def _remember(self, answered: Answered | None) -> None:
        self._is_remembered = True
        if answered is not None:
            exchange, turn = self._exchange, self._turn()
            now = monotonic() + exchange.worker.clock.unix_offset
            stitcher, scope = exchange.worker.stitcher, tracing.scope_of(exchange)
            stitcher.remember(turn, scope, exchange.span_id, answered, self.asked, now)

    def _turn(self) -> Turn:
        exchange = self._exchange
        if not self._has_joined:
            self._has_joined = True
            self._join_beside()
        assert exchange.joined is not None
        return tracing.turn_of(exchange, exchange.joined)

    def _join_beside(self) -> None:
        """The caller, or the path, said which trace: that wins. What ids say counts where it fits, and else is a link."""
        exchange = self._exchange
        stitcher, scope = exchange.worker.stitcher, tracing.scope_of(exchange)
        stitcher.counts.joins[exchange.context.source] += exchange.joined is None
        beside = stitcher.beside(self.asked, scope, exchange.trace_id, tracing.began(exchange))
        exchange.joined = exchange.joined or beside
        exchange.links = [*exchange.links, *beside.links]
        exchange.tools = beside.tools
        exchange.session = exchange.session or beside.session

    def _end(self) -> None:
        answered = self._reader.finish() if self._reader is not None else None
        if self._route.stitch and not self._is_remembered:
            self._remember(answered)
        self._count(answered)
        if self._reader is not None and self._reader.gave_up:
            self._abandon(self._reader.gave_up)
        if self._record is not None:
            self._complete(self._record, answered)

    def _complete(self, record: Record, answered: Answered | None) -> None:
        record.asked, record.answered = self.asked, answered
        if self._route.stitch:
            exchange, turn = self._exchange, self._turn()
            record.links, record.tools = exchange.links, list(exchange.tools)
            record.session = record.session or turn.session

    def _count(self, answered: Answered | None) -> None:
        exchange, asked = self._exchange, self.asked
        endpoint = exchange.endpoint
        if endpoint is None:
            return
        error = exchange.attempt_error or (answered.error if answered is not None else "")
        if not error and exchange.answer_status >= 400:
            error = str(exchange.answer_status)
        first_at = answered.first_chunk_at if answered is not None else None
        exchange.worker.meters.gen_ai.done(
            asked.operation,
            provider_name(self._route.llm_api, endpoint.host),
            asked.model,
            answered.model if answered is not None else "",
            endpoint.host,
            endpoint.port,
            error,
            exchange.attempt_ended - exchange.attempt_began,
            answered.usage if answered is not None else Usage(),
            first_at - exchange.sent_at if first_at is not None else None,
            answered.gaps if answered is not None else (),
            exchange.trace_id if exchange.sampled else b"",
            exchange.span_id,
        )


class RpcWitness(Witness):
    """One call of a tool or an agent by JSON-RPC."""

    def __init__(self, exchange: "Exchange", route: Route) -> None:
        super().__init__(exchange, route)
        self._reader: RpcAnswerReader | None = None
        self._asked: RpcAsked | None = None
        self._is_read = False

    def _needs_body(self) -> bool:
        return True

    @property
    def asked(self) -> RpcAsked | None:
        if not self._is_read:
            self._is_read = True
            values = self._exchange.plan.head.fields.values
            self._asked = read_rpc_request(
                self._route.rpc, values, b"".join(self._request), content_chars=self._route.capture_chars
            )
            self._request.clear()
        return self._asked

    def find_trace(self) -> None:
        exchange, asked = self._exchange, self.asked
        if asked is None:
            return
        if asked.traceparent and exchange.plan.trusted:
            self._take_meta(asked)
        if exchange.context.source == "new" and self._route.stitch:
            pending = exchange.worker.stitcher.pending
            joined = pending.join(asked, exchange.downstream.listener, tracing.began(exchange))
            if joined is not None:
                tracing.take(exchange, joined)

    def _take_meta(self, asked: RpcAsked) -> None:
        """SEP-414: the call's own context is the parent; that of the HTTP request around it is beside the point."""
        exchange = self._exchange
        context = extract({b"traceparent": asked.traceparent, b"tracestate": asked.tracestate})
        if context is None:
            return
        around = exchange.context
        if around.parent_id and around.trace_id != context.trace_id:
            exchange.links = [*exchange.links, Link(around.trace_id, around.parent_id, "http")]
        context.source = "meta"
        exchange.take_context(context)

    def outgoing(self, body: bytes) -> bytes:
        exchange = self._exchange
        if not self._route.rpc_meta or not body or exchange.length is None or not exchange.request_done:
            return body
        context, baggage = exchange.context, exchange.plan.baggage
        parent = b"00-%b-%b-%02d" % (exchange.trace_id, exchange.span_id, exchange.sampled | context.random << 1)
        marked = with_trace_meta(body, parent, context.tracestate, baggage)
        if marked is None:
            return body
        exchange.length = len(marked)
        return marked

    def _reader_for(self, head: ResponseHead) -> RpcAnswerReader:
        values = head.values
        return RpcAnswerReader(
            self._route.rpc,
            status=head.status,
            content_type=values.get(b"content-type", b""),
            content_encoding=values.get(b"content-encoding", b""),
            mcp_session=values.get(b"mcp-session-id", b""),
            content_chars=self._route.capture_chars,
        )

    def _read_answer(self, head: ResponseHead, pieces: list[tuple[float, bytes]]) -> None:
        if self._reader is None:
            self._reader = self._reader_for(head)
        for at, piece in pieces:
            self._reader.feed(piece, at)

    def _end(self) -> None:
        reader, record, asked = self._reader, self._record, self.asked
        answered = reader.finish() if reader is not None else None
        if reader is not None and reader.gave_up:
            self._abandon(reader.gave_up)
        if record is not None:
            record.rpc_asked, record.rpc_answered = asked, answered
            if asked is not None:
                record.session = record.session or asked.session_id
