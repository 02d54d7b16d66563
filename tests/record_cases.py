"""Records of exchanges as a worker would make them: one turn of an agent, from the caller's request to the last answer."""

from typing import Any

from msgspec.structs import replace

from tracer_proxy.genai.answered import Answered, Usage
from tracer_proxy.genai.asked import Asked
from tracer_proxy.telemetry.record import Attempt, Link, Record, ToolRun

TRACE = b"0af7651916cd43dd8448eb211c80319c"
BEGAN = 1_767_225_600.0
"""2026-01-01T00:00:00Z."""
SECRET = "sk-never-shown"


def record(**changes: Any) -> Record:
    """A call of the agent ``planner`` by a user, on the canary, that went well; with ``changes``."""
    made = Record(
        trace_id=TRACE,
        span_id=b"b7ad6b7169203331",
        parent_id=b"",
        sampled=True,
        joined_by="new",
        trace_state=b"",
        external_id=b"",
        links=[],
        began=BEGAN,
        first_byte=BEGAN + 2.0,
        ended=BEGAN + 2.5,
        method="POST",
        scheme="http",
        host="agents.test:8080",
        path="/agents/planner/run",
        query=f"city=Oslo&api_key={SECRET}",
        version="1.1",
        client="127.0.0.1",
        client_port=50_000,
        user_agent="curl/8.5",
        request_bytes=27,
        response_bytes=310,
        status=200,
        error="",
        error_message="",
        is_stream=False,
        route="planner",
        http_route="/agents/planner",
        lane="canary",
        lane_intended="canary",
        color="canary",
        color_source="lane",
        session="alice",
        session_source="header:x-session-id",
        config="0123456789ab",
        target=f"/agents/planner/run?city=Oslo&api_key={SECRET}",
        attempts=[attempt(b"00f067aa0ba902b7", BEGAN + 0.001, BEGAN + 2.5)],
        tools=[],
        llm_api="",
        asked=None,
        answered=None,
        rpc_asked=None,
        rpc_answered=None,
        events=0,
        worker=1,
    )
    return replace(made, **changes)


def attempt(span_id: bytes, began: float, ended: float, **changes: Any) -> Attempt:
    made = Attempt(
        span_id=span_id,
        began=began,
        ended=ended,
        first_byte=ended - 0.1,
        pool="planner-v2",
        scheme="http",
        host="127.0.0.1",
        port=7002,
        peer="127.0.0.1",
        reused=False,
        status=200,
        error="",
    )
    return replace(made, **changes)


def asked(**changes: Any) -> Asked:
    made = Asked(
        api="chat_completions",
        operation="chat",
        model="gpt-4o-mini",
        stream=False,
        parameters={"gen_ai.request.temperature": 0.5},
        conversation_id="",
        session_id="",
        previous_response_id="",
        results=(),
        history=(),
        prefix=b"",
    )
    return replace(made, **changes)


def answered(**changes: Any) -> Answered:
    made = Answered(
        id="chatcmpl-1",
        model="gpt-4o-mini-2026",
        finish_reasons=("tool_calls",),
        usage=Usage(input=123, output=45),
        calls=(),
        conversation_id="",
        error="",
        is_whole=True,
        parameters={},
        chunks=0,
        first_chunk_at=None,
        gaps=(),
    )
    return replace(made, **changes)


def model_call(number: int, after_s: float, **changes: Any) -> Record:
    """The agent asks its model, which takes half a second, below the span that the agent was told."""
    began = BEGAN + after_s
    sent = attempt(b"%016x" % (0xB0 + number), began + 0.001, began + 0.5, pool="openai", scheme="https", port=443)
    called = record(
        span_id=b"%016x" % (0xA0 + number),
        parent_id=b"00f067aa0ba902b7",
        joined_by="traceparent",
        began=began,
        first_byte=began + 0.4,
        ended=began + 0.5,
        host="127.0.0.1:8080",
        path="/openai/v1/chat/completions",
        query="",
        target="/v1/chat/completions",
        user_agent="OpenAI/Python",
        route="openai",
        http_route="/openai",
        lane="openai",
        lane_intended="openai",
        color_source="inbound",
        session="",
        session_source="trace",
        attempts=[replace(sent, host="api.openai.com", peer="203.0.113.7")],
        llm_api="openai",
        asked=asked(),
        answered=answered(),
    )
    return replace(called, **changes)


def turn() -> list[Record]:
    """One trace in the order in which its exchanges end: two calls of the model, a tool between them, and the turn itself."""
    run = ToolRun(
        span_id=b"00000000000000c1",
        parent_id=b"00f067aa0ba902b7",
        handed_out_by=b"00000000000000b1",
        call_id="call_1",
        tool="look",
        began=BEGAN + 0.7,
        ended=BEGAN + 1.2,
        failed=False,
        result=SECRET,
    )
    again = attempt(b"%016x" % 0xB3, BEGAN + 1.201, BEGAN + 1.3, status=503, pool="openai", scheme="https", port=443)
    second = model_call(2, 1.3)
    link = Link(b"f" * 32, b"e" * 16, "previous_turn")
    first_try = replace(again, host="api.openai.com")
    second = replace(second, began=BEGAN + 1.2, attempts=[first_try, *second.attempts], tools=[run])
    return [model_call(1, 0.2), second, record(links=[link])]
