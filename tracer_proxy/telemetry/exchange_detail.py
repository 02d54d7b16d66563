"""One exchange as the admin API shows it: its line of the log, and below it what makes a tree of a trace."""

from typing import Any

from tracer_proxy.limits import LOG_VALUE_CHARS_MAX
from tracer_proxy.telemetry.exchange_log import line_of, seconds, time_of
from tracer_proxy.telemetry.record import Attempt, Link, Record, ToolRun
from tracer_proxy.telemetry.redaction import redacted_query
from tracer_proxy.telemetry.spans import endpoint_of


def detail_of(record: Record, *, profile: str = "v1.41") -> dict[str, Any]:
    """``line_of`` with ``target``, ``events``, ``attempts``, ``tools`` and ``links``. ``start_s`` is Unix time."""
    path, mark, query = record.target.partition("?")
    return {
        **line_of(record, profile=profile),
        "start_s": record.began,
        "is_stream": record.is_stream,
        "events": record.events,
        "target": (path + mark + redacted_query(query))[:LOG_VALUE_CHARS_MAX],
        "attempts": [_attempt(each) for each in record.attempts],
        "tools": [_tool(each) for each in record.tools],
        "links": [_link(each) for each in record.links],
    }


def _attempt(attempt: Attempt) -> dict[str, Any]:
    return {
        "span_id": attempt.span_id.decode(),
        "time": time_of(attempt.began),
        "start_s": attempt.began,
        "duration_s": seconds(attempt.began, attempt.ended),
        "first_byte_s": seconds(attempt.began, attempt.first_byte),
        "pool": attempt.pool,
        "endpoint": endpoint_of(attempt),
        "peer": attempt.peer,
        "reused": attempt.reused,
        "status": attempt.status,
        "error": attempt.error or None,
    }


def _tool(run: ToolRun) -> dict[str, Any]:
    return {
        "span_id": run.span_id.decode(),
        "parent_id": run.parent_id.decode(),
        "handed_out_by": run.handed_out_by.decode(),
        "call_id": run.call_id,
        "tool": run.tool,
        "time": time_of(run.began),
        "start_s": run.began,
        "duration_s": seconds(run.began, run.ended),
        "failed": run.failed,
    }


def _link(link: Link) -> dict[str, Any]:
    return {"trace_id": link.trace_id.decode(), "span_id": link.span_id.decode(), "reason": link.reason}
