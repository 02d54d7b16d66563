"""Records as spans, by OpenTelemetry's semantic conventions.

    make       a record's spans: who is whose child, their names and times (``spans_of``)
    data       what a span is here: plain, free of any SDK
    names      the project's own attributes, and what the GenAI profiles spell differently
    http       HTTP attributes of both legs
    urls       URLs without secrets
    status     which spans failed, and of what
    llm        a call of a model
    rpc        an MCP or A2A exchange
    content    captured text, redacted and as JSON

Enters: a record. Leaves: spans. Never: an SDK's object, a header, a secret of a query, a raw path as a name.
"""

from tracer_proxy.telemetry.spans.data import AttributeValue, Kind, SpanData, SpanEvent, SpanLink
from tracer_proxy.telemetry.spans.make import SpanOptions, endpoint_of, span_count, spans_of

__all__ = [
    "AttributeValue",
    "Kind",
    "SpanData",
    "SpanEvent",
    "SpanLink",
    "SpanOptions",
    "endpoint_of",
    "span_count",
    "spans_of",
]
