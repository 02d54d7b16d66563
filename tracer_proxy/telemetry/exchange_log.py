"""One exchange as one flat JSON object, under the names that OpenTelemetry gives the attributes of its spans.

What was said to models and tools is never in it, nor is a header's value but ``User-Agent``.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from tracer_proxy.errors import Kind
from tracer_proxy.genai.answered import Usage
from tracer_proxy.limits import LOG_VALUE_CHARS_MAX
from tracer_proxy.telemetry.record import Attempt, Record
from tracer_proxy.telemetry.redaction import redacted_query

Value = str | int | float | bool | list[str]
Line = dict[str, Value]

_PROVIDERS = {"openai": "openai", "anthropic": "anthropic", "gemini": "gcp.gemini"}
_CACHE_CREATION = {
    "v1.41": ("gen_ai.usage.cache_creation.input_tokens",),
    "genai-dev": ("gen_ai.usage.cache_write.input_tokens",),
    "dup": ("gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens"),
}


def line_of(record: Record, *, profile: str = "v1.41", text_chars_max: int = LOG_VALUE_CHARS_MAX) -> Line:
    """What is not known is left out. Times are seconds with microseconds; longer texts are cut."""
    failed = error_type(record)
    told: Mapping[str, Value | None] = {
        "time": time_of(record.began),
        "level": "warning" if failed else "info",
        "event": "exchange",
        "trace_id": record.trace_id.decode(),
        "span_id": record.span_id.decode(),
        "parent_id": record.parent_id.decode(),
        "duration_s": seconds(record.began, record.ended),
        "first_byte_s": seconds(record.began, record.first_byte),
        **_http(record),
        "error.type": failed,
        "session.id": record.session,
        **_model(record, profile),
        **_rpc(record),
        **_own(record),
    }
    return {name: _cut(value, text_chars_max) for name, value in told.items() if value is not None and value not in ("", [])}


def error_type(record: Record) -> str:
    """What made the exchange fail, by the rule for ``error.type`` of a server's span; empty when it did not.

    A client that leaves is no failure, and an answer of 4xx is the client's; what a model or a tool says of itself counts.
    """
    if record.error:
        return "" if record.error == Kind.CLIENT_GONE else record.error
    if record.answered is not None and record.answered.error:
        return record.answered.error
    if record.rpc_answered is not None and (record.rpc_answered.error_code or record.rpc_answered.tool_failed):
        return record.rpc_answered.error_code or "tool_error"
    return str(record.status) if record.status >= 500 else ""


def time_of(unix_s: float) -> str:
    """As RFC 3339 has it, in UTC."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds(began: float, ended: float | None) -> float | None:
    """Never less than nothing: clocks are set back."""
    return None if ended is None else round(max(0.0, ended - began), 6)


def endpoint_of(attempt: Attempt) -> str:
    """As the config and the metrics write it."""
    if attempt.scheme == "unix":
        return f"unix:{attempt.host}"
    host = f"[{attempt.host}]" if ":" in attempt.host else attempt.host
    default = {"http": 80, "https": 443}.get(attempt.scheme)
    return f"{attempt.scheme}://{host}" + (f":{attempt.port}" if attempt.port != default else "")


def _http(record: Record) -> dict[str, Value | None]:
    host, port = _split(record.host)
    return {
        "http.request.method": record.method,
        "url.scheme": record.scheme,
        "url.path": record.path,
        "url.query": redacted_query(record.query),
        "http.route": record.http_route,
        "http.response.status_code": record.status or None,
        "http.request.body.size": record.request_bytes,
        "http.response.body.size": record.response_bytes,
        "network.protocol.version": record.version,
        "server.address": host,
        "server.port": port,
        "client.address": record.client,
        "client.port": record.client_port or None,
        "user_agent.original": record.user_agent,
    }


def _split(host: str) -> tuple[str, int | None]:
    """Name and port of a ``Host`` field; an IPv6 address loses its brackets."""
    name, _, port = host.rpartition("@")[2].rpartition(":")
    if name and port.isascii() and port.isdigit() and not name.endswith(":"):
        return name.strip("[]"), int(port)
    return host.rpartition("@")[2].strip("[]"), None


def _model(record: Record, profile: str) -> dict[str, Value | None]:
    asked, answered = record.asked, record.answered
    told: dict[str, Value | None] = {}
    if asked is not None:
        told |= {
            "gen_ai.operation.name": asked.operation,
            "gen_ai.provider.name": _PROVIDERS.get(record.llm_api, record.llm_api),
            "gen_ai.request.model": asked.model,
            "gen_ai.request.stream": asked.stream or None,
            "gen_ai.conversation.id": asked.conversation_id,
            **asked.parameters,
        }
    if answered is not None:
        sent = record.attempts[-1].began if record.attempts else record.began
        told |= {
            "gen_ai.response.id": answered.id,
            "gen_ai.response.model": answered.model,
            "gen_ai.response.finish_reasons": list(answered.finish_reasons),
            "gen_ai.response.time_to_first_chunk": seconds(sent, answered.first_chunk_at),
            **_usage(answered.usage, profile),
            **answered.parameters,
        }
        told["gen_ai.conversation.id"] = told.get("gen_ai.conversation.id") or answered.conversation_id
    return told


def _usage(usage: Usage, profile: str) -> dict[str, Value | None]:
    return {
        "gen_ai.usage.input_tokens": usage.input,
        "gen_ai.usage.output_tokens": usage.output,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        **dict.fromkeys(_CACHE_CREATION[profile], usage.cache_creation),
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
    }


def _rpc(record: Record) -> dict[str, Value | None]:
    asked, answered = record.rpc_asked, record.rpc_answered
    if asked is None:
        return {}
    protocol = asked.protocol
    told: dict[str, Value | None] = {f"{protocol}.method.name": asked.method, "jsonrpc.request.id": asked.request_id}
    if answered is not None:
        told["rpc.response.status_code"] = answered.error_code
    if protocol == "mcp":
        return told | {
            "gen_ai.operation.name": "execute_tool" if asked.method == "tools/call" else None,
            "gen_ai.tool.name": asked.tool,
            "gen_ai.prompt.name": asked.prompt,
            "mcp.resource.uri": asked.resource,
            "mcp.protocol.version": asked.protocol_version or (answered.protocol_version if answered else ""),
            "mcp.session.id": asked.session_id or (answered.session_id if answered else ""),
        }
    return told | {
        "a2a.message.id": asked.message_id,
        "a2a.task.id": asked.task_id or (answered.task_id if answered else ""),
        "a2a.task.state": answered.task_state if answered else "",
        "gen_ai.conversation.id": asked.session_id or (answered.context_id if answered else ""),
    }


def _own(record: Record) -> dict[str, Value | None]:
    last = record.attempts[-1] if record.attempts else None
    told: dict[str, Value | None] = {
        "route": record.route,
        "lane": record.lane,
        "lane.intended": record.lane_intended if record.lane_intended != record.lane else "",
        "color": record.color,
        "color.source": record.color_source if record.color else "",
        "pool": last.pool if last else "",
        "endpoint": endpoint_of(last) if last else "",
        "attempts": len(record.attempts),
        "session.source": record.session_source,
        "joined_by": record.joined_by,
        "external_id": record.external_id.decode(errors="replace"),
        "sampled": record.sampled,
        "error.message": record.error_message,
        "config.hash": record.config,
        "worker": record.worker,
    }
    return {f"tracer_proxy.{name}": value for name, value in told.items()}


def _cut(value: Value, chars_max: int) -> Value:
    if isinstance(value, str):
        return value if len(value) <= chars_max else value[: chars_max - 1] + "…"
    if isinstance(value, list):
        return [str(_cut(each, chars_max)) for each in value]
    return value
