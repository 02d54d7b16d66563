"""Spans as objects of the OpenTelemetry SDK, for its exporters."""

import uuid
from collections.abc import Mapping

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags, TraceState
from opentelemetry.trace.status import Status, StatusCode

from tracer_proxy import __version__
from tracer_proxy.telemetry.spans import AttributeValue, Kind, SpanData
from tracer_proxy.telemetry.spans.names import PROFILES

SCOPE = "tracer_proxy"
SERVICE = "tracer-proxy"

_KINDS = {Kind.SERVER: SpanKind.SERVER, Kind.CLIENT: SpanKind.CLIENT, Kind.INTERNAL: SpanKind.INTERNAL}
_SAMPLED = TraceFlags(TraceFlags.SAMPLED)
_UNSET = Status(StatusCode.UNSET)
_NO_STATE = TraceState()
_INSTANCE = str(uuid.uuid4())


class SdkResource(Resource):
    """The OTLP encoder looks each span's resource up by its hash, which the SDK makes from JSON every time."""

    def __hash__(self) -> int:
        return id(self)

    def __eq__(self, other: object) -> bool:
        return self is other


def resource(service: str | None) -> Resource:
    """``service`` comes before ``OTEL_SERVICE_NAME``, that before ``OTEL_RESOURCE_ATTRIBUTES``, and those before ours."""
    found = dict(Resource.create().attributes or {})
    named = str(found.pop(SERVICE_NAME, ""))
    ours: dict[str, AttributeValue] = {SERVICE_VERSION: __version__, SERVICE_INSTANCE_ID: _INSTANCE}
    # The SDK's stand-in for a service without a name would hide what the spans are of.
    name = service or (SERVICE if named.startswith("unknown_service") else named)
    return SdkResource({SERVICE_NAME: name, **ours, **found})


class SdkSpans:
    def __init__(self, profile: str, service: str | None) -> None:
        self.resource = resource(service)
        self._scope = InstrumentationScope(SCOPE, __version__, PROFILES[profile].schema_url)

    def span(self, data: SpanData) -> ReadableSpan:
        """What it has is bounded already. The SDK's limits would drop the oldest attributes, which are the required ones."""
        trace_id = int(data.trace_id, 16)
        parent = _context(trace_id, data.parent_id, data.is_parent_remote) if data.parent_id else None
        state = TraceState.from_header([data.trace_state]) if data.trace_state else _NO_STATE
        return ReadableSpan(
            name=data.name,
            context=SpanContext(trace_id, int(data.span_id, 16), False, _SAMPLED, state),
            parent=parent,
            resource=self.resource,
            attributes=_attributes(data.attributes),
            events=[Event(event.name, _bounded(event.attributes), event.at_ns) for event in data.events],
            links=[
                Link(_context(int(link.trace_id, 16), link.span_id, True), _bounded(link.attributes)) for link in data.links
            ],
            kind=_KINDS[data.kind],
            status=Status(StatusCode.ERROR, data.description or None) if data.is_error else _UNSET,
            start_time=data.start_ns,
            end_time=data.end_ns,
            instrumentation_scope=self._scope,
        )


def _context(trace_id: int, span_id: str, is_remote: bool) -> SpanContext:
    return SpanContext(trace_id, int(span_id, 16), is_remote, _SAMPLED)


def _attributes(found: Mapping[str, AttributeValue]) -> dict[str, str | bool | int | float | tuple[str, ...]]:
    """Lists as tuples, for the thrift exporter leaves lists out."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in found.items()}


def _bounded(found: Mapping[str, AttributeValue]) -> BoundedAttributes:
    """The thrift exporter asks events how many attributes they have dropped."""
    return BoundedAttributes(attributes=_attributes(found))
