"""MCP and A2A exchanges: both legs are named after the call, and a tool's run shows once."""

import json
import re
from typing import Any

import msgspec
from span_cases import OTHER, attempt, of, record, spans

from tracer_proxy.genai.rpc import RpcAnswered, RpcAsked
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.spans import Kind


def rpc_asked(**changes: Any) -> RpcAsked:
    made = RpcAsked(
        protocol="mcp",
        method="tools/call",
        request_id="7",
        tool="get_weather",
        prompt="",
        resource="",
        arguments_digest=b"",
        protocol_version="2025-11-25",
        session_id="mcp-1",
        message_id="",
        task_id="",
        traceparent=b"",
        tracestate=b"",
        baggage=b"",
    )
    return msgspec.structs.replace(made, **changes)


def rpc_answered(**changes: Any) -> RpcAnswered:
    made = RpcAnswered(
        error_code="",
        error_message="",
        tool_failed=False,
        task_id="",
        task_state="",
        context_id="",
        protocol_version="",
        session_id="",
    )
    return msgspec.structs.replace(made, **changes)


def rpc_record(**changes: Any) -> Record:
    return record(**{"llm_api": "", "http_route": "/mcp", "rpc_asked": rpc_asked(), "rpc_answered": rpc_answered()} | changes)


def test_both_legs_are_named_after_the_call() -> None:
    server, client = spans(rpc_record())
    assert [(span.name, span.kind) for span in (server, client)] == [
        ("tools/call get_weather", Kind.SERVER),
        ("tools/call get_weather", Kind.CLIENT),
    ]
    shared = {
        "mcp.method.name": "tools/call",
        "mcp.protocol.version": "2025-11-25",
        "mcp.session.id": "mcp-1",
        "jsonrpc.request.id": "7",
        "gen_ai.tool.name": "get_weather",
        "network.transport": "tcp",
    }
    names = ("mcp.", "jsonrpc.", "rpc.", "gen_ai.", "network.transport")
    assert of(server, *names) == shared
    assert of(client, *names) == shared | {"gen_ai.operation.name": "execute_tool"}
    assert server.attributes["http.route"] == "/mcp"


def test_an_error_of_the_protocol() -> None:
    failed = rpc_record(rpc_answered=rpc_answered(error_code="-32602", error_message="No such tool."))
    for span in spans(failed):
        assert (span.is_error, span.attributes["error.type"], span.description) == (True, "-32602", "No such tool.")
        assert span.attributes["rpc.response.status_code"] == "-32602"


def test_an_error_of_a_call_that_could_not_be_read() -> None:
    failed = rpc_record(rpc_asked=None, rpc_answered=rpc_answered(error_code="-32700", error_message="No JSON."))
    assert [(span.name, span.attributes["error.type"]) for span in spans(failed)] == [
        ("POST /mcp", "-32700"),
        ("POST", "-32700"),
    ]


def test_a_tool_that_says_that_it_failed() -> None:
    failed = rpc_record(rpc_answered=rpc_answered(tool_failed=True))
    assert [(span.is_error, span.attributes["error.type"]) for span in spans(failed)] == [(True, "tool_error")] * 2


def test_content_is_redacted_and_on_one_span_only() -> None:
    made = rpc_record(
        rpc_asked=rpc_asked(content={"card": "4111 1111", "n": 1}), rpc_answered=rpc_answered(content="paid by 4111 1111")
    )
    server, client = spans(made, redact=[re.compile(r"\d{4} \d{4}")])
    assert json.loads(str(client.attributes["gen_ai.tool.call.arguments"])) == {"card": "[redacted]", "n": 1}
    assert client.attributes["gen_ai.tool.call.result"] == "paid by [redacted]"
    assert of(server, "gen_ai.tool.call") == {}


def test_a_retried_call_is_one_run() -> None:
    refused = attempt(span_id=OTHER, status=None, error="upstream_unreachable")
    _, first, second = spans(rpc_record(attempts=[refused, attempt()]))
    assert (first.name, second.name) == ("POST", "tools/call get_weather")


def test_a2a_has_its_conversation() -> None:
    made = rpc_record(
        rpc_asked=rpc_asked(protocol="a2a", method="message/send", tool="", session_id="ctx-1"),
        rpc_answered=rpc_answered(task_id="t-1", task_state="working"),
    )
    for span in spans(made):
        assert span.name == "SendMessage"
        assert span.attributes["gen_ai.conversation.id"] == "ctx-1"
        assert span.attributes["a2a.task.id"] == "t-1"
