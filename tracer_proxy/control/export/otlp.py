"""OTLP over HTTP by the official exporter."""

import os
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace.export import SpanExportResult

from tracer_proxy.config.tracing import Tracing
from tracer_proxy.control.export import environment
from tracer_proxy.control.export.collector import CollectorSession, NotTaken
from tracer_proxy.control.export.sdk_spans import SdkSpans
from tracer_proxy.telemetry.spans import SpanData

_PATH = "/v1/traces"
_ENDPOINT = "http://localhost:4318"


class OtlpSink:
    def __init__(self, tracing: Tracing) -> None:
        self._spans = SdkSpans(environment.profile(tracing), tracing.service)
        self._session = CollectorSession()
        self.target = traces_url(tracing.endpoint)
        tls = tracing.tls
        self._exporter = OTLPSpanExporter(
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
        result = self._exporter.export([self._spans.span(span) for span in spans])
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
