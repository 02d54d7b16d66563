"""One exchange as one flat JSON object: the attributes of its spans under their names, so that log and traces agree.

What was said to models and tools is never in it, nor is a header's value but ``User-Agent``.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from tracer_proxy.limits import LOG_VALUE_CHARS_MAX
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.spans import AttributeValue, SpanData, SpanOptions, answered_attempt, spans_of
from tracer_proxy.telemetry.spans.names import CONTENT, ERROR_TYPE

Line = dict[str, AttributeValue]

_OF_THE_CALL = ("gen_ai.", "openai.", "tracer_proxy.", "llm.")
"""What the last attempt's span says and that of the inbound leg does not."""


def line_of(record: Record, *, profile: str = "v1.41", text_chars_max: int = LOG_VALUE_CHARS_MAX) -> Line:
    """What is not known is left out. Times are seconds with microseconds; longer texts are cut."""
    spans = spans_of(record, SpanOptions(profile))
    server = spans[0]
    answered = answered_attempt(record.attempts)
    call = spans[1 + record.attempts.index(answered)] if answered is not None else None
    failed = server.is_error or (record.answered is not None and bool(record.answered.error))
    told: Mapping[str, AttributeValue | None] = {
        "time": time_of(record.began),
        "level": "warning" if failed else "info",
        "event": "exchange",
        "trace_id": server.trace_id,
        "span_id": server.span_id,
        "parent_id": server.parent_id,
        "duration_s": seconds(record.began, record.ended),
        "first_byte_s": seconds(record.began, record.first_byte),
        **server.attributes,
        **(_of_the_call(call, server) if call is not None else {}),
        "tracer_proxy.attempts": len(record.attempts),
        "tracer_proxy.sampled": record.sampled,
        "tracer_proxy.error.message": record.error_message,
    }
    return {name: _cut(value, text_chars_max) for name, value in told.items() if value is not None and value not in ("", [])}


def _of_the_call(call: SpanData, server: SpanData) -> Line:
    found = {
        name: value
        for name, value in call.attributes.items()
        if name not in server.attributes and name not in CONTENT and name.startswith(_OF_THE_CALL)
    }
    error = call.attributes.get(ERROR_TYPE)
    return found | ({"tracer_proxy.call.error": error} if error is not None else {})


def time_of(unix_s: float) -> str:
    """As RFC 3339 has it, in UTC."""
    return datetime.fromtimestamp(unix_s, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds(began: float, ended: float | None) -> float | None:
    """Never less than nothing: clocks are set back."""
    return None if ended is None else round(max(0.0, ended - began), 6)


def _cut(value: AttributeValue, chars_max: int) -> AttributeValue:
    if isinstance(value, str):
        return value if len(value) <= chars_max else value[: chars_max - 1] + "…"
    if isinstance(value, list):
        return [str(_cut(each, chars_max)) for each in value]
    return value
