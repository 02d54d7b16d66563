"""OTLP over HTTP by the official exporter, but for its encoder."""

import os
from collections.abc import Callable, Sequence
from typing import Any, cast

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.http import Compression, trace_exporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult

from tracer_proxy import __version__
from tracer_proxy.config.tracing import Tracing
from tracer_proxy.control.export import environment
from tracer_proxy.control.export.collector import CollectorSession
from tracer_proxy.control.export.not_taken import NotTaken
from tracer_proxy.control.export.otlp_encoding import Encoder
from tracer_proxy.control.export.sdk_spans import SCOPE, resource
from tracer_proxy.telemetry.spans import SpanData
from tracer_proxy.telemetry.spans.names import PROFILES

_PATH = "/v1/traces"
_ENDPOINT = "http://localhost:4318"


class _Encoded(list[Any]):
    """What the exporter takes for spans, and for what it makes of them: a batch that is encoded already."""

    def __init__(self, body: bytes) -> None:
        super().__init__()
        self._body = body

    def SerializePartialToString(self) -> bytes:
        return self._body


def _unless_encoded(encode: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda spans: spans if isinstance(spans, _Encoded) else encode(spans)


# The exporter has no other place to put an encoder in. All else of it, from endpoints to certificates, stays in use.
vars(trace_exporter)["encode_spans"] = _unless_encoded(encode_spans)


class OtlpSink:
    def __init__(self, tracing: Tracing) -> None:
        schema_url = PROFILES[environment.profile(tracing)].schema_url
        self._encoder = Encoder(resource(tracing.service).attributes or {}, SCOPE, __version__, schema_url)
        self._session = CollectorSession()
        self.target = traces_url(tracing.endpoint)
        tls = tracing.tls
        self._exporter = trace_exporter.OTLPSpanExporter(
            endpoint=self.target,
            certificate_file=str(tls.ca) if tls.ca else None,
            client_key_file=str(tls.key) if tls.key else None,
            client_certificate_file=str(tls.cert) if tls.cert else None,
            headers=dict(tracing.headers),
            timeout=None if environment.decides(tracing, "timeout") else tracing.timeout,
            compression=None if environment.decides(tracing, "compression") else _COMPRESSIONS[tracing.compression],
            session=self._session,
        )

    def export(self, spans: Sequence[SpanData]) -> int:
        encoded = _Encoded(self._encoder.request(spans))
        result = self._exporter.export(cast("Sequence[ReadableSpan]", encoded))
        if result is not SpanExportResult.SUCCESS:
            raise self._session.failure or NotTaken("the batch is too large", is_transient=False)
        return self._session.rejected

    def tick(self) -> None:
        pass

    def close(self) -> None:
        self._session.close()


_COMPRESSIONS = {"gzip": Compression.Gzip, "none": Compression.NoCompression}


def traces_url(endpoint: str | None) -> str:
    """Of a base URL, as the SDK makes it of ``OTEL_EXPORTER_OTLP_ENDPOINT``; a whole URL stays as it is."""
    if endpoint is None:
        if whole := os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
            return whole
        endpoint = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or _ENDPOINT
    endpoint = endpoint.rstrip("/")
    return endpoint if endpoint.endswith(_PATH) else endpoint + _PATH
