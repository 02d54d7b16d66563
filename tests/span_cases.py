"""Records as a worker makes them: a call of a model that went well, to be changed by the test."""

from typing import Any

import msgspec

from tracer_proxy.genai.answered import Answered, Usage
from tracer_proxy.genai.asked import Asked
from tracer_proxy.telemetry.record import Attempt, Record, ToolRun
from tracer_proxy.telemetry.spans import AttributeValue, SpanData, SpanOptions, spans_of

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
SERVER = b"00f067aa0ba902b7"
CALLER = b"1111111111111111"
CLIENT = b"2222222222222222"
OTHER = b"3333333333333333"
TOOL = b"4444444444444444"
BEGAN = 1_790_000_000.25


def attempt(**changes: Any) -> Attempt:
    made = Attempt(
        span_id=CLIENT,
        began=BEGAN + 0.01,
        ended=BEGAN + 0.9,
        first_byte=BEGAN + 0.5,
        pool="openai",
        scheme="https",
        host="api.openai.com",
        port=443,
        peer="192.0.2.7",
        reused=True,
        status=200,
        error="",
    )
    return msgspec.structs.replace(made, **changes)


def record(**changes: Any) -> Record:
    """Plain HTTP, one attempt."""
    made = Record(
        trace_id=TRACE,
        span_id=SERVER,
        parent_id=CALLER,
        sampled=True,
        joined_by="traceparent",
        trace_state=b"vendor=1",
        external_id=b"",
        links=[],
        began=BEGAN,
        first_byte=BEGAN + 0.5,
        ended=BEGAN + 1,
        method="POST",
        scheme="http",
        host="localhost:8080",
        path="/openai/v1/chat/completions",
        query="",
        version="1.1",
        client="127.0.0.1",
        client_port=50_123,
        user_agent="OpenAI/Python 3",
        request_bytes=300,
        response_bytes=900,
        status=200,
        error="",
        error_message="",
        is_stream=False,
        route="openai",
        http_route="/openai",
        lane="stable",
        lane_intended="stable",
        color="canary",
        color_source="baggage",
        session="s-1",
        session_source="header:x-session-id",
        config="abc123",
        target="/v1/chat/completions",
        attempts=[attempt()],
        tools=[],
        llm_api="openai",
        asked=None,
        answered=None,
        rpc_asked=None,
        rpc_answered=None,
        worker=1,
    )
    return msgspec.structs.replace(made, **changes)


def asked(**changes: Any) -> Asked:
    made = Asked(
        api="chat_completions",
        operation="chat",
        model="gpt-4o",
        stream=False,
        parameters={"gen_ai.request.temperature": 0.5, "gen_ai.request.stop_sequences": ["end"]},
        conversation_id="",
        session_id="",
        previous_response_id="",
        results=(),
        history=(),
        prefix=b"",
    )
    return msgspec.structs.replace(made, **changes)


def answered(**changes: Any) -> Answered:
    made = Answered(
        id="chatcmpl-1",
        model="gpt-4o-2024-08-06",
        finish_reasons=("stop",),
        usage=Usage(input=120, output=45, cache_read=100, cache_creation=7, reasoning=30),
        calls=(),
        conversation_id="",
        error="",
        is_whole=True,
        parameters={"openai.response.service_tier": "default"},
        chunks=0,
        first_chunk_at=None,
        gaps=(),
    )
    return msgspec.structs.replace(made, **changes)


def llm_record(**changes: Any) -> Record:
    """The same as a call of a model."""
    return record(**{"asked": asked(), "answered": answered()} | changes)


def tool_run(**changes: Any) -> ToolRun:
    made = ToolRun(
        span_id=TOOL,
        parent_id=SERVER,
        handed_out_by=OTHER,
        call_id="call_1",
        tool="get_weather",
        began=BEGAN - 2,
        ended=BEGAN,
        failed=False,
    )
    return msgspec.structs.replace(made, **changes)


def spans(made: Record, **options: Any) -> list[SpanData]:
    return spans_of(made, SpanOptions(**options))


def server_of(made: Record, **options: Any) -> SpanData:
    return spans(made, **options)[0]


def client_of(made: Record, **options: Any) -> SpanData:
    return spans(made, **options)[1]


def of(span: SpanData, *prefixes: str) -> dict[str, AttributeValue]:
    """Attributes whose names begin so."""
    return {name: value for name, value in span.attributes.items() if name.startswith(prefixes)}
