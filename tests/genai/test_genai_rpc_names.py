"""How an MCP or A2A exchange is named in spans (OpenTelemetry's conventions for MCP v1.41, and for A2A)."""

import json
from typing import Any

import pytest
from rpc_traffic import Exchange, answered, exchanges

from tracer_proxy.genai.rpc import RpcAnswered, RpcAsked
from tracer_proxy.genai.rpc_names import rpc_attributes, rpc_error, rpc_span_name
from tracer_proxy.genai.rpc_requests import read_rpc_request


def both(exchange: Exchange, content_chars: int = 0) -> tuple[RpcAsked, RpcAnswered | None]:
    asked = read_rpc_request(exchange.protocol, exchange.headers, exchange.body, content_chars=content_chars)
    assert asked is not None
    return asked, answered(exchange, content_chars=content_chars)


def asked_of(protocol: str, method: str, **params: Any) -> RpcAsked:
    asked = read_rpc_request(protocol, {}, json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode())
    assert asked is not None
    return asked


@pytest.mark.parametrize(
    ("protocol", "method", "params", "name"),
    [
        ("mcp", "tools/call", {"name": "add"}, "tools/call add"),
        ("mcp", "tools/call", {}, "tools/call"),
        ("mcp", "prompts/get", {"name": "greet"}, "prompts/get greet"),
        ("mcp", "resources/read", {"uri": "toy://readme"}, "resources/read"),
        ("mcp", "tools/list", {}, "tools/list"),
        ("a2a", "message/send", {}, "SendMessage"),
        ("a2a", "SendMessage", {}, "SendMessage"),
        ("a2a", "tasks/resubscribe", {}, "SubscribeToTask"),
        ("a2a", "tasks/invented", {}, "tasks/invented"),
    ],
)
def test_a_span_is_called_by_method_and_target(protocol: str, method: str, params: dict[str, Any], name: str) -> None:
    assert rpc_span_name(asked_of(protocol, method, **params)) == name


def test_a_tool_call_in_a_session() -> None:
    asked, said = both(exchanges("mcp-1.30")[3])
    assert rpc_attributes(asked, said) == {
        "mcp.method.name": "tools/call",
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "add",
        "jsonrpc.request.id": "2",
        "mcp.protocol.version": "2025-11-25",
        "mcp.session.id": "da52d684cd474a80bbd451ae873cdd55",
    }
    assert rpc_error(said) is None


def test_initialize_takes_version_and_session_from_the_answer() -> None:
    asked, said = both(exchanges("mcp-1.30")[0])
    assert asked.session_id == ""
    assert rpc_attributes(asked, said) == {
        "mcp.method.name": "initialize",
        "jsonrpc.request.id": "0",
        "mcp.protocol.version": "2025-11-25",
        "mcp.session.id": "da52d684cd474a80bbd451ae873cdd55",
    }


def test_a_notification_has_no_request_id_and_only_a_tool_call_is_an_operation() -> None:
    notification = rpc_attributes(*both(exchanges("mcp-1.30")[1]))
    assert notification["mcp.method.name"] == "notifications/initialized"
    assert not {"jsonrpc.request.id", "gen_ai.operation.name"} & notification.keys()
    resource = rpc_attributes(*both(exchanges("mcp-2.3-modern")[6]))
    assert resource["mcp.resource.uri"] == "toy://readme"
    assert not {"mcp.session.id", "gen_ai.operation.name"} & resource.keys()


def test_a_tool_that_failed_is_tool_error_and_its_words_are_no_description() -> None:
    asked, said = both(exchanges("mcp-2.3-modern")[4])
    assert rpc_error(said) == ("tool_error", "")
    found = rpc_attributes(asked, said)
    assert found["error.type"] == "tool_error"
    assert "rpc.response.status_code" not in found


def test_an_error_of_json_rpc_is_told_by_code_and_described_by_message() -> None:
    asked, said = both(exchanges("mcp-2.3-modern")[8])
    assert rpc_error(said) == ("-32603", "Internal server error")
    found = rpc_attributes(asked, said)
    assert (found["error.type"], found["rpc.response.status_code"]) == ("-32603", "-32603")
    assert found["gen_ai.prompt.name"] == "nix"


def test_without_an_answer_there_is_no_error_and_what_was_asked_is_told() -> None:
    assert rpc_error(None) is None
    assert rpc_attributes(asked_of("mcp", "tools/call", name="t"), None)["gen_ai.tool.name"] == "t"


def test_content_is_told_only_when_it_was_captured_and_a_failed_tool_has_no_result() -> None:
    arguments, result = "gen_ai.tool.call.arguments", "gen_ai.tool.call.result"
    good, failed = exchanges("mcp-1.30")[3:5]
    assert not {arguments, result} & rpc_attributes(*both(good)).keys()
    captured = rpc_attributes(*both(good, content_chars=100))
    assert (captured[arguments], captured[result]) == ('{"a":1,"b":2}', "3")
    captured = rpc_attributes(*both(failed, content_chars=100))
    assert captured[arguments] == "{}"
    assert result not in captured


@pytest.mark.parametrize("file", ["a2a-0.3", "a2a-1.3"])
def test_both_versions_of_a2a_are_told_in_the_words_of_the_newer(file: str) -> None:
    stream = next(each for each in exchanges(file) if b"tream" in each.body)
    asked, said = both(stream)
    assert said is not None
    expected = {
        "a2a.method.name": "SendStreamingMessage",
        "a2a.message.id": "m-1",
        "a2a.task.id": said.task_id,
        "a2a.task.state": "TASK_STATE_COMPLETED",
        "gen_ai.conversation.id": said.context_id,
    }
    assert rpc_attributes(asked, said) == expected | ({"a2a.protocol.version": "1.0"} if file == "a2a-1.3" else {})


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("input-required", "TASK_STATE_INPUT_REQUIRED"),
        ("unknown", "TASK_STATE_UNSPECIFIED"),
        ("TASK_STATE_FAILED", "TASK_STATE_FAILED"),
    ],
)
def test_a_tasks_state_has_the_name_of_version_1(state: str, expected: str) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"id": "t", "contextId": "c", "status": {"state": state}}}).encode()
    said = answered(Exchange("a2a", "POST", {}, b"", 200, {}, body))
    assert rpc_attributes(asked_of("a2a", "tasks/get", id="t"), said)["a2a.task.state"] == expected


def test_an_a2a_error_keeps_the_task_that_was_asked_for() -> None:
    found = rpc_attributes(*both(exchanges("a2a-0.3")[3]))
    assert (found["a2a.task.id"], found["error.type"]) == ("nope", "-32001")
    assert "a2a.task.state" not in found


def test_a_failed_task_is_no_failed_call() -> None:
    body = b'{"jsonrpc":"2.0","id":1,"result":{"id":"t","contextId":"c","status":{"state":"failed"}}}'
    said = answered(Exchange("a2a", "POST", {}, b"", 200, {}, body))
    assert rpc_error(said) is None
