"""A record's spans: SERVER for the inbound leg, CLIENT for each attempt, INTERNAL for each tool's run that was inferred."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tracer_proxy.genai.requests import provider_name
from tracer_proxy.limits import CAPTURE_BYTES, SPAN_NAME_CHARS_MAX
from tracer_proxy.telemetry.record import Attempt, Link, Record, ToolRun
from tracer_proxy.telemetry.spans import names
from tracer_proxy.telemetry.spans.content import Redaction
from tracer_proxy.telemetry.spans.data import Attributes, Kind, SpanData, SpanEvent, SpanLink
from tracer_proxy.telemetry.spans.http import client_attributes, method_in_name, server_attributes
from tracer_proxy.telemetry.spans.llm import (
    content_attributes,
    conversation_of,
    llm_span_name,
    request_attributes,
    response_attributes,
)
from tracer_proxy.telemetry.spans.names import PROFILES, Profile
from tracer_proxy.telemetry.spans.rpc import add_rpc
from tracer_proxy.telemetry.spans.status import SIDES, client_error, is_client_gone, server_error
from tracer_proxy.telemetry.spans.urls import cut


@dataclass(frozen=True, slots=True)
class SpanOptions:
    profile: str = "v1.41"
    """A key of ``names.PROFILES``."""
    redact: Sequence[re.Pattern[str]] = ()
    """What matches in captured text is replaced."""
    text_chars_max: int = CAPTURE_BYTES
    """Of each captured text."""


def span_count(record: Record) -> int:
    """How many spans ``spans_of`` will make."""
    return (record.shadow != "copy") + len(record.attempts) + len(record.tools)


def spans_of(record: Record, options: SpanOptions) -> list[SpanData]:
    """SERVER first, but for a copy, which has none of its own. Content is in them if the record has it."""
    profile = PROFILES[options.profile]
    redaction = Redaction(options.redact, options.text_chars_max)
    common = _common(record)
    answered = _answered_attempt(record.attempts)
    server = _server(record, common)
    add_rpc(server, record, redaction)
    spans = [server]
    for number, attempt in enumerate(record.attempts):
        span = _client(record, attempt, number, common)
        if attempt is answered:
            _add_llm(span, record, attempt, profile, redaction)
            add_rpc(span, record, redaction)
        spans.append(span)
    spans += [_tool(record, run, common, profile, redaction) for run in record.tools]
    return spans[1:] if record.shadow == "copy" else spans


def _server(record: Record, common: Attributes) -> SpanData:
    name = f"{method_in_name(record.method)} {record.http_route}".rstrip()[:SPAN_NAME_CHARS_MAX]
    span = _span(record, name, Kind.SERVER, record.span_id, record.parent_id, record.began, record.ended)
    span.is_parent_remote = True
    span.attributes |= server_attributes(record)
    span.attributes |= common | _own(record)
    span.links += [_link(link) for link in record.links]
    if error := server_error(record):
        _fail(span, error, record.error_message if record.error else "")
    if record.is_stream and record.first_byte is not None:
        _add_bytes_events(span, record.first_byte, record.ended, record.events)
    return span


def _client(record: Record, attempt: Attempt, number: int, common: Attributes) -> SpanData:
    name = method_in_name(record.method)
    span = _span(record, name, Kind.CLIENT, attempt.span_id, record.span_id, attempt.began, attempt.ended)
    span.attributes |= client_attributes(record, attempt, number)
    span.attributes |= common
    span.attributes[names.POOL] = attempt.pool
    span.attributes[names.ENDPOINT] = endpoint_of(attempt)
    span.attributes[names.REUSED] = attempt.reused
    if attempt.pool != record.attempts[0].pool:
        span.attributes[names.FAILOVER] = True
    if error := client_error(attempt):
        _fail(span, error, record.error_message if attempt.error == record.error else "")
    if record.is_stream and attempt.first_byte is not None:
        _add_bytes_events(span, attempt.first_byte, attempt.ended, record.events)
    return span


def _add_llm(span: SpanData, record: Record, attempt: Attempt, profile: Profile, redaction: Redaction) -> None:
    """On one span only, so that backends count tokens once."""
    asked, answered = record.asked, record.answered
    if asked is None:
        return
    provider = provider_name(record.llm_api, attempt.host)
    span.name = llm_span_name(asked)
    span.attributes |= request_attributes(asked, provider, profile)
    if conversation := conversation_of(asked, answered):
        span.attributes[names.CONVERSATION] = cut(conversation)
    if answered is not None:
        span.attributes |= response_attributes(answered, attempt, provider, profile)
        if answered.error:
            _fail(span, cut(answered.error), span.description)
    span.attributes |= content_attributes(asked, answered, profile, redaction)


def _tool(record: Record, run: ToolRun, common: Attributes, profile: Profile, redaction: Redaction) -> SpanData:
    name = f"execute_tool {run.tool}".rstrip()[:SPAN_NAME_CHARS_MAX]
    span = _span(record, name, Kind.INTERNAL, run.span_id, run.parent_id, run.began, run.ended)
    span.attributes |= {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.type": "function", names.INFERRED: True}
    if run.tool:
        span.attributes["gen_ai.tool.name"] = cut(run.tool)
    if run.call_id:
        span.attributes["gen_ai.tool.call.id"] = cut(run.call_id)
    if profile.has_conversation_on_tools and (conversation := conversation_of(record.asked, record.answered)):
        span.attributes[names.CONVERSATION] = cut(conversation)
    if run.result:
        span.attributes["gen_ai.tool.call.result"] = redaction.text(run.result)
    span.attributes |= common
    if run.handed_out_by:
        span.links.append(_link(Link(record.trace_id, run.handed_out_by, "handed_out")))
    if run.failed:
        _fail(span, "tool_error", "")
    return span


def _span(record: Record, name: str, kind: Kind, span_id: bytes, parent_id: bytes, began: float, ended: float) -> SpanData:
    return SpanData(
        name=name,
        kind=kind,
        trace_id=record.trace_id.decode(),
        span_id=span_id.decode(),
        parent_id=parent_id.decode(),
        is_parent_remote=False,
        trace_state=record.trace_state.decode("ascii", "replace"),
        start_ns=_ns(began),
        end_ns=_ns(max(began, ended)),
        attributes={},
        events=[],
        links=[],
        is_error=False,
        description="",
    )


def _answered_attempt(attempts: Sequence[Attempt]) -> Attempt | None:
    """The last that got an answer, or else the last: what was asked is worth to be seen also when nobody answered."""
    answered = [attempt for attempt in attempts if attempt.status is not None]
    return next(reversed(answered or attempts), None)


def _common(record: Record) -> Attributes:
    """On all spans of a record: by these one looks for spans, of whatever kind."""
    pairs = (
        (names.SESSION, cut(record.session)),
        (names.ROUTE, record.route),
        (names.LANE, record.lane),
        (names.COLOR, record.color),
    )
    found: Attributes = {name: value for name, value in pairs if value}
    if record.shadow:
        found[names.SHADOW] = True
    return found


def _own(record: Record) -> Attributes:
    pairs = (
        (names.COLOR_SOURCE, record.color_source),
        (names.LANE_INTENDED, record.lane_intended if record.lane_intended != record.lane else ""),
        (names.SESSION_SOURCE, record.session_source),
        (names.SESSION_KEY, cut(record.session_key)),
        (names.AGENT, cut(record.agent)),
        (names.CONFIG, record.config),
        (names.JOINED_BY, record.joined_by),
        (names.EXTERNAL_ID, record.external_id.decode("ascii", "replace")),
    )
    found: Attributes = {name: value for name, value in pairs if value}
    found[names.WORKER] = record.worker
    if is_client_gone(record):
        found[names.CLIENT_GONE] = True
    elif record.error:
        found[names.ERROR] = record.error
        if side := SIDES.get(record.error):
            found[names.ERROR_SIDE] = side.value
    return found


def endpoint_of(attempt: Attempt) -> str:
    if not attempt.port:
        return f"unix:{attempt.host}"
    host = f"[{attempt.host}]" if ":" in attempt.host else attempt.host
    return f"{attempt.scheme}://{host}:{attempt.port}"


def _link(link: Link) -> SpanLink:
    return SpanLink(link.trace_id.decode(), link.span_id.decode(), {names.LINK_REASON: link.reason})


def _fail(span: SpanData, error: str, description: str) -> None:
    span.is_error = True
    span.attributes[names.ERROR_TYPE] = error
    span.description = description


def _add_bytes_events(span: SpanData, first: float, last: float, count: int) -> None:
    span.events.append(SpanEvent(names.FIRST_BYTE, _ns(first), {}))
    span.events.append(SpanEvent(names.LAST_BYTE, _ns(max(first, last)), {names.STREAM_EVENTS: count}))


def _ns(seconds: float) -> int:
    return round(seconds * 1e9)
