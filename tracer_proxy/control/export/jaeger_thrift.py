"""Jaeger's thrift protocol, for agents and collectors before 1.35, by the last exporter there was for it."""

import os
import socket
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from opentelemetry.sdk import environment_variables

from tracer_proxy.config.tracing import Tracing
from tracer_proxy.control.export import environment
from tracer_proxy.control.export.collector import CollectorSession
from tracer_proxy.control.export.not_taken import NotTaken
from tracer_proxy.control.export.sdk_spans import SdkSpans
from tracer_proxy.limits import UDP_PACKET_BYTES_MAX
from tracer_proxy.telemetry.spans import SpanData

# The exporter ended at 1.21 and imports names that the SDK has dropped since.
for _name in ("AGENT_HOST", "AGENT_PORT", "AGENT_SPLIT_OVERSIZED_BATCHES", "ENDPOINT", "PASSWORD", "TIMEOUT", "USER"):
    if not hasattr(environment_variables, f"OTEL_EXPORTER_JAEGER_{_name}"):
        setattr(environment_variables, f"OTEL_EXPORTER_JAEGER_{_name}", f"OTEL_EXPORTER_JAEGER_{_name}")

from opentelemetry.exporter.jaeger.thrift import JaegerExporter  # noqa: E402
from opentelemetry.exporter.jaeger.thrift.gen.agent import Agent  # noqa: E402
from opentelemetry.exporter.jaeger.thrift.gen.jaeger.ttypes import Batch  # noqa: E402
from thrift.protocol import TBinaryProtocol, TCompactProtocol  # noqa: E402
from thrift.transport import TTransport  # noqa: E402

_COLLECTOR_PATH = "/api/traces?format=jaeger.thrift"
_AGENT_PORT = 6831


class JaegerThriftSink:
    def __init__(self, tracing: Tracing) -> None:
        self._spans = SdkSpans(environment.profile(tracing), tracing.service)
        self._exporter = JaegerExporter()
        self.target = tracing.endpoint or os.environ.get("OTEL_EXPORTER_JAEGER_ENDPOINT") or self._agent()
        parts = urlsplit(self.target)
        self._sender: _ToAgent | _ToCollector
        if parts.scheme == "udp":
            self._sender = _ToAgent(parts.hostname or "", parts.port or _AGENT_PORT)
        else:
            if parts.path in ("", "/"):
                self.target = self.target.rstrip("/") + _COLLECTOR_PATH
            self._sender = _ToCollector(self.target, tracing)
        # The exporter's own senders know neither our proxies, certificates and time limits, nor whether a batch was taken.
        self._exporter._collector = self._sender

    def export(self, spans: Sequence[SpanData]) -> int:
        self._sender.lost = 0
        self._exporter.export([self._spans.span(span) for span in spans])
        return self._sender.lost

    def tick(self) -> None:
        pass

    def close(self) -> None:
        self._sender.close()

    def _agent(self) -> str:
        return f"udp://{self._exporter.agent_host_name}:{self._exporter.agent_port}"


class _ToCollector:
    """Binary protocol over HTTP."""

    def __init__(self, url: str, tracing: Tracing) -> None:
        self.lost = 0
        self._url = url
        self._timeout_s = tracing.timeout
        self._session = CollectorSession()
        self._session.headers.update({"content-type": "application/x-thrift", **tracing.headers})
        user, password = (os.environ.get(f"OTEL_EXPORTER_JAEGER_{name}") for name in ("USER", "PASSWORD"))
        self._session.auth = (user, password) if user and password else None
        self._session.verify = str(tracing.tls.ca) if tracing.tls.ca else True
        self._session.cert = (str(tracing.tls.cert), str(tracing.tls.key)) if tracing.tls.cert else None

    def submit(self, batch: Any) -> None:
        memory = TTransport.TMemoryBuffer()
        batch.write(TBinaryProtocol.TBinaryProtocol(memory))
        self._session.request("POST", self._url, data=memory.getvalue(), timeout=self._timeout_s, allow_redirects=False)

    def close(self) -> None:
        self._session.close()


class _ToAgent:
    """Compact protocol over UDP. That nobody takes it is not noticed; what fits into no packet is lost."""

    def __init__(self, host: str, port: int) -> None:
        self.lost = 0
        self._address = host, port

    def submit(self, batch: Any) -> None:
        packet = _packet(batch)
        if len(packet) <= UDP_PACKET_BYTES_MAX:
            self._send(packet)
        elif len(batch.spans) == 1:
            self.lost += 1
        else:
            half = len(batch.spans) // 2
            for spans in (batch.spans[:half], batch.spans[half:]):
                self.submit(Batch(process=batch.process, spans=spans))

    def close(self) -> None:
        pass

    def _send(self, packet: bytes) -> None:
        try:
            family, kind, _, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
            with socket.socket(family, kind) as connection:
                connection.sendto(packet, address)
        except OSError as error:
            raise NotTaken(str(error), is_transient=True) from error


def _packet(batch: Any) -> bytes:
    memory = TTransport.TMemoryBuffer()
    Agent.Client(TCompactProtocol.TCompactProtocol(memory)).emitBatch(batch)
    return bytes(memory.getvalue())
