"""What is read of calls of tools and agents by JSON-RPC, and the trace context that they carry in their bodies."""

from typing import TYPE_CHECKING

from tracer_proxy.context.trace import extract
from tracer_proxy.dataplane import tracing
from tracer_proxy.dataplane.witness import Reading, Witness
from tracer_proxy.genai.rpc import RpcAsked
from tracer_proxy.genai.rpc_answers import RpcAnswerReader
from tracer_proxy.genai.rpc_meta import with_trace_meta
from tracer_proxy.genai.rpc_requests import read_rpc_request
from tracer_proxy.routing.route import Route
from tracer_proxy.telemetry.record import Link
from tracer_proxy.wire.response import ResponseHead

if TYPE_CHECKING:
    from tracer_proxy.dataplane.exchange import Exchange


class RpcReading(Reading):
    def __init__(self, route: Route) -> None:
        self.route = route

    def witness(self, exchange: "Exchange") -> "Witness":
        return RpcWitness(exchange, self.route)


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

    def _find_trace(self) -> None:
        exchange, asked = self._exchange, self.asked
        if asked is None:
            return
        if asked.traceparent and exchange.plan.trusted:
            self._take_meta(asked)
        if exchange.context.source == "new" and self._route.stitch:
            pending = exchange.worker.stitcher.pending
            joined = pending.join(asked, tracing.scope_of(exchange).place, tracing.began(exchange))
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
        exchange.worker.stitcher.counts.joins["meta"] += 1

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
