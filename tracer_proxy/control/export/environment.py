"""Where the config leaves something to the environment variables that OpenTelemetry's users know."""

import os

from tracer_proxy.config.tracing import Tracing


def profile(tracing: Tracing) -> str:
    """``OTEL_SEMCONV_STABILITY_OPT_IN`` is the conventions' own switch."""
    opted_in = os.environ.get("OTEL_SEMCONV_STABILITY_OPT_IN", "").split(",")
    if "profile" not in tracing.model_fields_set and "gen_ai_latest_experimental" in map(str.strip, opted_in):
        return "genai-dev"
    return tracing.profile


def decides(tracing: Tracing, key: str) -> bool:
    """The config's default must not stand before what the environment says; what the config says does."""
    names = (f"OTEL_EXPORTER_OTLP_TRACES_{key.upper()}", f"OTEL_EXPORTER_OTLP_{key.upper()}")
    return key not in tracing.model_fields_set and any(os.environ.get(name) for name in names)
