"""One exchange as one flat JSON object: the attributes of its spans under their names, so that log and traces agree.

What was said to models and tools is never in it, nor is a header's value but ``User-Agent``.
"""

from datetime import UTC, datetime

from tracer_proxy.limits import LOG_VALUE_CHARS_MAX
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.selection import has_failed
from tracer_proxy.telemetry.spans import AttributeValue, SpanData, SpanOptions, spans_of
from tracer_proxy.telemetry.spans.names import CONTENT, ERROR_TYPE, REUSED

Line = dict[str, AttributeValue]

_OF_THE_CALL = ("gen_ai.", "openai.", "tracer_proxy.")
"""What an attempt's span may say beyond what the inbound leg's does."""
_LEFT_OUT = CONTENT | {"network.peer.address", "network.peer.port", "network.transport", REUSED}
"""Content, and what a line is shorter without: the peer is ``client.address``, the rest is the connection's."""


def line_of(record: Record, *, profile: str = "v1.41", text_chars_max: int = LOG_VALUE_CHARS_MAX) -> Line:
    """What is not known is left out. Times are seconds with microseconds; longer texts are cut."""
    server, *others = spans_of(record, SpanOptions(profile))
    told: dict[str, AttributeValue | None] = {
        "time": time_of(record.began),
        "level": "warning" if has_failed(record) else "info",
        "event": "exchange",
        "trace_id": server.trace_id,
        "span_id": server.span_id,
        "parent_id": server.parent_id,
        "duration_s": seconds(record.began, record.ended),
        "first_byte_s": seconds(record.began, record.first_byte),
        **server.attributes,
        **_of_the_call(others[: len(record.attempts)], server),
        "tracer_proxy.attempts": len(record.attempts),
        "tracer_proxy.sampled": record.sampled,
        "tracer_proxy.error.message": record.error_message,
    }
    return {
        name: _shown(value, text_chars_max)
        for name, value in told.items()
        if value is not None and value not in ("", []) and name not in _LEFT_OUT
    }


def _of_the_call(attempts: list[SpanData], server: SpanData) -> Line:
    """Where the last attempt went and what became of it, and what the one that was answered says of a model."""
    found: Line = {}
    for attempt in attempts:
        found |= {name: value for name, value in attempt.attributes.items() if name.startswith(_OF_THE_CALL)}
    found = {name: value for name, value in found.items() if name not in server.attributes}
    if attempts and ERROR_TYPE in attempts[-1].attributes:
        found["tracer_proxy.call.error"] = attempts[-1].attributes[ERROR_TYPE]
    return found


def time_of(unix_s: float) -> str:
    """As RFC 3339 has it, in UTC."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds(began: float, ended: float | None) -> float | None:
    """Never less than nothing: clocks are set back."""
    return None if ended is None else round(max(0.0, ended - began), 6)


def _shown(value: AttributeValue, chars_max: int) -> AttributeValue:
    if isinstance(value, float):
        return round(value, 6)
    if isinstance(value, str):
        return value if len(value) <= chars_max else value[: chars_max - 1] + "…"
    if isinstance(value, list):
        return [str(_shown(each, chars_max)) for each in value]
    return value
