"""An MCP or A2A exchange on both legs: a gateway receives the call and makes it again (conventions for MCP)."""

from tracer_proxy.genai.rpc import RpcAnswered, RpcAsked
from tracer_proxy.genai.rpc_names import rpc_attributes, rpc_error, rpc_span_name
from tracer_proxy.limits import SPAN_NAME_CHARS_MAX
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.spans.content import Redaction
from tracer_proxy.telemetry.spans.data import Attributes, Kind, SpanData
from tracer_proxy.telemetry.spans.names import ERROR_TYPE
from tracer_proxy.telemetry.spans.urls import cut

_ARGUMENTS = "gen_ai.tool.call.arguments"
_RESULT = "gen_ai.tool.call.result"
_ONCE = frozenset(("gen_ai.operation.name", "gen_ai.tool.call.id", _ARGUMENTS, _RESULT))
"""On the outbound leg only, for backends take a span with an operation for a tool's run, and there was one run."""


def add_rpc(span: SpanData, record: Record, redaction: Redaction) -> None:
    if record.rpc_asked is not None:
        _add_call(span, record.rpc_asked, record.rpc_answered, redaction)
    # Also of a call whose request could not be read.
    if error := rpc_error(record.rpc_answered):
        span.is_error = True
        span.attributes[ERROR_TYPE] = cut(error[0])
        span.description = cut(error[1])


def _add_call(span: SpanData, asked: RpcAsked, answered: RpcAnswered | None, redaction: Redaction) -> None:
    span.name = rpc_span_name(asked)[:SPAN_NAME_CHARS_MAX] or span.name
    found: Attributes = dict(rpc_attributes(asked, answered))
    if asked.content is not None:
        found[_ARGUMENTS] = redaction.json(asked.content)
    if isinstance(result := found.get(_RESULT), str):
        found[_RESULT] = redaction.text(result)
    for name, value in found.items():
        if span.kind is Kind.CLIENT or name not in _ONCE:
            span.attributes[name] = cut(value) if isinstance(value, str) and name not in _ONCE else value
    peer = "client.address" if span.kind is Kind.SERVER else "server.port"
    span.attributes["network.transport"] = "tcp" if peer in span.attributes else "unix"
