"""The sections about what is recorded of exchanges and where that goes: traces, their export, and the log of exchanges."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from tracer_proxy.config.endpoint_headers import PoolHeaderValue
from tracer_proxy.config.matchers import HeaderName, read_regex
from tracer_proxy.config.part import Part
from tracer_proxy.config.tls import FilePath
from tracer_proxy.config.values import Flag, Form, OneOrMany, Timeout, choice_form, number_form, size_form, text, wrong
from tracer_proxy.limits import CAPTURE_BYTES, CAPTURE_BYTES_MAX, EXPORT_TIMEOUT_S, KiB

Exporter = Annotated[Literal["jaeger", "otlp", "console", "none"], choice_form("jaeger", "otlp", "console", "none")]
Protocol = Annotated[Literal["otlp", "thrift"], choice_form("otlp", "thrift")]
Compression = Annotated[Literal["gzip", "none"], choice_form("gzip", "none")]
Injected = Annotated[
    Literal["tracecontext", "baggage", "b3", "b3multi"], choice_form("tracecontext", "baggage", "b3", "b3multi")
]
Inbound = Annotated[Literal["parent", "link", "ignore"], choice_form("parent", "link", "ignore")]
Profile = Annotated[Literal["v1.41", "genai-dev", "dup"], choice_form("v1.41", "genai-dev", "dup")]
Capture = Annotated[Literal["none", "content"], choice_form("none", "content")]
Share = Annotated[float, number_form(0, 1)]

_COLLECTOR = "the URL of a collector, such as http://localhost:4318, or udp://localhost:6831 for a thrift agent"
_LOG = "none, stderr, or the absolute path of a file, such as /var/log/tracer-proxy/exchanges.jsonl"


def _read_collector(value: object) -> str:
    url = text(value, _COLLECTOR)
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https", "udp") and bool(parts.hostname) and (parts.port or 1) > 0
        is_plain = parts.username is None and re.fullmatch(r"[!-~]+", url) is not None
    except ValueError:
        is_one = is_plain = False
    if not is_one or not is_plain:
        raise wrong(f"expected {_COLLECTOR}; credentials belong into tracing.headers")
    return url


def _read_redaction(value: object) -> str:
    pattern = read_regex(value)
    if re.search(pattern, ""):
        raise wrong("expected a pattern that does not match the empty text, for it would be found between any two letters")
    return pattern


def _read_log(value: object) -> str:
    target = text(value, _LOG)
    if target not in ("none", "stderr") and (not target.startswith("/") or "\0" in target):
        raise wrong(f"expected {_LOG}")
    return target


CollectorUrl = Annotated[str, Form("URL", _read_collector, {"type": "string", "pattern": "^(https?|udp)://"})]
Redaction = Annotated[str, Form("regular expression", _read_redaction, {"type": "string", "format": "regex"})]
LogTarget = Annotated[str, Form("`none` \\| `stderr` \\| path", _read_log, {"type": "string"})]


class ExportTls(Part):
    """TLS to a collector, for an endpoint that starts with https."""

    ca: FilePath | None = Field(None, description="Certificates of those who may sign the collector's; else the system's.")
    cert: FilePath | None = Field(None, description="The certificate that the proxy shows; needs `key`.")
    key: FilePath | None = Field(None, description="The key of `cert`, without a passphrase.")


class Always(Part):
    """Exchanges whose spans are exported although their trace was not sampled; decided when they have ended."""

    errors: Flag = Field(False, description="Those that failed: a status of 5xx, an error of the proxy, a failed attempt.")
    slower: Timeout | None = Field(None, description="Those that took longer than this.")


class Tracing(Part):
    """What becomes of traces; [more](tracing.md)."""

    exporter: Exporter = Field(
        "none",
        description="Where spans go: `otlp`, any collector; `jaeger`, the same with Jaeger's defaults; "
        "`console`, a readable tree on stderr.",
    )
    endpoint: CollectorUrl | None = Field(
        None,
        description="Base URL of the collector; left out, `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT`, "
        "`OTEL_EXPORTER_OTLP_ENDPOINT` or `http://localhost:4318`.",
    )
    protocol: Protocol = Field("otlp", description="`thrift` is for old Jaeger agents; it needs the extra `jaeger-thrift`.")
    headers: Mapping[HeaderName, PoolHeaderValue] = Field(
        {}, repr=False, description="Sent to the collector with every batch; never shown."
    )
    compression: Compression = Field("gzip", description="Of batches on their way to the collector.")
    timeout: Timeout = Field(EXPORT_TIMEOUT_S, description="For one batch.")
    tls: ExportTls = Field(default_factory=ExportTls, description="TLS to the collector.")
    service: Annotated[str, Form("text", text, {"type": "string"})] | None = Field(
        None, description="`service.name` of all spans; left out, `OTEL_SERVICE_NAME` or `tracer-proxy`."
    )
    sample: Share = Field(1.0, description="Share of new traces that are sampled.")
    always: Always = Field(default_factory=Always, description="What is exported although it was not sampled.")
    inbound: Inbound = Field(
        "parent",
        description="What a believed trace header of a caller is: `parent`, its trace goes on; `link`, a trace of our own that "
        "points to it; `ignore`, nothing.",
    )
    believe_sampled: Flag = Field(True, description="A believed caller decides on sampling; `false` leaves it to `sample`.")
    inject: tuple[Injected, ...] = Field(
        ("tracecontext", "baggage"),
        description="Formats of the trace headers that endpoints get; `x-trace-id-ext` always goes with them.",
    )
    stitch: Flag = Field(True, description="Join the steps of one turn by the ids that model protocols carry.")
    profile: Profile = Field(
        "v1.41",
        description="Which GenAI conventions name the attributes; `dup` writes both spellings where they clash.",
    )
    capture: Capture = Field("none", description="`content` records what was said to models and tools, and by them.")
    capture_limit: Annotated[int, size_form(KiB, CAPTURE_BYTES_MAX)] = Field(
        CAPTURE_BYTES, description="Of each captured text; the rest is cut off."
    )
    redact: Annotated[tuple[Redaction, ...], OneOrMany()] = Field(
        (), description="What matches in captured text is replaced by `[redacted]`, before it leaves the proxy."
    )


class RouteTracing(Part):
    """What differs from `tracing` on this route."""

    sample: Share | None = Field(None, description="Share of new traces that are sampled.")
    capture: Capture | None = Field(None, description="`content` records what was said.")
    stitch: Flag | None = Field(None, description="Join the steps of one turn.")


class Rpc(Part):
    """Marks a route to MCP servers or A2A agents, whose calls become spans of their own kind."""

    meta: Flag = Field(
        False, description="Write the trace context into `params._meta` of requests, which changes their bodies."
    )


class Log(Part):
    """The log of exchanges; the proxy's own events go to stderr in any case."""

    exchanges: LogTarget = Field("none", description="One JSON line for each exchange, with the fields of its span.")
