"""Which exporter a config asks for."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Protocol

from tracer_proxy.config.tracing import Tracing
from tracer_proxy.control.export.console import ConsoleSink
from tracer_proxy.telemetry.spans import SpanData


class Sink(Protocol):
    """Called from one thread only; each call may take as long as the config's ``timeout``."""

    target: str
    """For people."""

    def export(self, spans: Sequence[SpanData]) -> int:
        """Returns how many of them the other side did not keep. Raises ``NotTaken`` for the batch as a whole."""

    def tick(self) -> None:
        """Comes about once a second."""

    def close(self) -> None: ...


def complaint(tracing: Tracing) -> str:
    """What keeps the exporter from working at all; empty when nothing does."""
    if tracing.protocol == "thrift" and not _has_thrift():
        return (
            "tracing.protocol: thrift needs a package that is not installed; "
            "install it with: pip install 'tracer-proxy[jaeger-thrift]', or use protocol: otlp, which Jaeger knows since 1.35"
        )
    return ""


def sink_of(tracing: Tracing) -> Sink | None:
    """``None`` when nothing is to be exported. Raises whatever the exporter raises when it cannot be made."""
    # Imported only where they are wanted: the SDK takes its time and 15 MB, and thrift is an extra.
    if tracing.protocol == "thrift":
        from tracer_proxy.control.export.jaeger_thrift import JaegerThriftSink

        return JaegerThriftSink(tracing)
    if tracing.exporter == "console":
        return ConsoleSink(tracing)
    if tracing.exporter == "none":
        return None
    from tracer_proxy.control.export.otlp import OtlpSink

    return OtlpSink(tracing)


def _has_thrift() -> bool:
    try:
        return all(find_spec(name) for name in ("opentelemetry.exporter.jaeger.thrift", "deprecated"))
    except ImportError:
        return False
