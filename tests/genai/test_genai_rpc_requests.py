"""What an MCP or A2A request says, from its headers or its body."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rpc_traffic import exchanges

from tracer_proxy.genai.anchor import arguments_digest
from tracer_proxy.genai.rpc import RpcAsked
from tracer_proxy.genai.rpc_requests import read_rpc_request
from tracer_proxy.limits import RPC_ARGUMENTS_BYTES_MAX, RPC_BATCH_BYTES_MAX, RPC_REQUEST_BYTES_MAX, RPC_TEXT_CHARS_MAX

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def mcp(message: object, headers: dict[bytes, bytes] | None = None, content_chars: int = 0) -> RpcAsked | None:
    return read_rpc_request("mcp", headers or {}, json.dumps(message).encode(), content_chars=content_chars)


def call(method: str = "tools/call", request_id: Any = 1, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method, "params": params}


def known(asked: RpcAsked | None) -> RpcAsked:
    assert asked is not None
    return asked


MCP_1_30 = """
initialize 0
notifications/initialized
tools/list 1
tools/call 2 add
tools/call 3 bad
resources/read 4 toy://readme
prompts/get 5 greet
prompts/get 6 nix
none
none
"""
MCP_2_3_MODERN = """
server/discover 1
tools/list 2
tools/call 3 add
tools/call 4 wetter_größe
tools/call 5 bad
tools/call 6 nope
resources/read 7 toy://readme
prompts/get 8 greet
prompts/get 9 nix
"""
MCP_2_3_HANDSHAKE = MCP_2_3_MODERN.replace("server/discover 1", "initialize 1\nnotifications/initialized") + "none\nnone\n"


@pytest.mark.parametrize(
    ("file", "version", "expected"),
    [
        ("mcp-1.30", "2025-11-25", MCP_1_30),
        ("mcp-2.3-handshake", "2025-11-25", MCP_2_3_HANDSHAKE),
        ("mcp-2.3-modern", "2026-07-28", MCP_2_3_MODERN),
    ],
)
def test_every_request_of_an_official_mcp_client_is_known(file: str, version: str, expected: str) -> None:
    found = []
    for each in exchanges(file):
        asked = read_rpc_request("mcp", each.headers, each.body)
        if asked is None:
            found.append("none")
            continue
        found.append(f"{asked.method} {asked.request_id} {asked.tool or asked.prompt or asked.resource}".rstrip())
        assert asked.protocol_version == version
        assert asked.session_id.encode() == each.headers.get(b"mcp-session-id", b"")
        assert bool(asked.arguments_digest) == (asked.method == "tools/call")
    assert found == expected.split("\n")[1:-1]


def test_headers_of_2026_07_28_alone_say_what_the_body_would() -> None:
    for each in exchanges("mcp-2.3-modern"):
        whole, head = (known(read_rpc_request("mcp", each.headers, body)) for body in (each.body, b""))
        for name in ("method", "tool", "prompt", "resource", "protocol_version"):
            assert getattr(head, name) == getattr(whole, name)
        assert (head.request_id, head.arguments_digest, head.traceparent) == ("", b"", b"")


def test_trace_context_of_an_official_client_is_found_in_meta() -> None:
    asked = known(read_rpc_request("mcp", {}, exchanges("mcp-2.3-modern")[2].body))
    assert (asked.traceparent, asked.tracestate, asked.baggage) == (TRACEPARENT.encode(), b"v=1", b"")


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        (
            "a2a-0.3",
            [("message/send", "m-1", "ctx-7", ""), ("message/stream", "m-1", "ctx-7", ""), ("tasks/get", "", "", "ID")],
        ),
        ("a2a-1.3", [("SendStreamingMessage", "m-1", "", ""), ("GetTask", "", "", "ID"), ("GetTask", "", "", "nope")]),
    ],
)
def test_every_request_of_an_official_a2a_client_is_known(file: str, expected: list[tuple[str, ...]]) -> None:
    for each, (method, message, context, task) in zip(exchanges(file), expected, strict=False):
        asked = known(read_rpc_request("a2a", each.headers, each.body))
        recorded = json.loads(each.body)
        assert (asked.protocol, asked.method, asked.message_id, asked.session_id) == ("a2a", method, message, context)
        assert asked.task_id == (recorded["params"]["id"] if task == "ID" else task)
        assert asked.request_id == recorded["id"]
        assert asked.protocol_version == ("1.0" if file == "a2a-1.3" else "")


def test_a2a_task_context_and_tenant_stand_in_several_places() -> None:
    message = {"messageId": "m", "contextId": "c", "taskId": "t"}
    asked = known(read_rpc_request("a2a", {}, json.dumps(call("SendMessage", message=message, tenant="billing")).encode()))
    assert (asked.message_id, asked.session_id, asked.task_id, asked.tenant) == ("m", "c", "t", "billing")
    config = call("GetTaskPushNotificationConfig", taskId="t", id="config")
    assert known(read_rpc_request("a2a", {}, json.dumps(config).encode())).task_id == "t"
    assert known(read_rpc_request("a2a", {}, json.dumps(call("ListTasks", contextId="c")).encode())).session_id == "c"


def test_the_digest_is_that_of_the_arguments_which_a_model_wrote() -> None:
    asked = known(mcp(call(name="add", arguments={"b": [1, {"y": 2, "x": "é"}], "a": 1})))
    assert asked.arguments_digest == arguments_digest('{"a":1,"b":[1,{"x":"é","y":2}]}')
    assert asked.arguments_digest != known(mcp(call(name="add", arguments={"a": 2}))).arguments_digest


@pytest.mark.parametrize("arguments", [{}, {"arguments": None}, {"arguments": {}}])
def test_no_arguments_are_the_same_as_empty_ones(arguments: dict[str, Any]) -> None:
    assert known(mcp(call(name="now", **arguments))).arguments_digest == arguments_digest("{}")


def test_only_a_tool_call_has_a_digest_and_large_arguments_have_none() -> None:
    assert known(mcp(call("prompts/get", name="p", arguments={"a": 1}))).arguments_digest == b""
    assert known(mcp(call(name="t", arguments={"a": "x" * RPC_ARGUMENTS_BYTES_MAX}))).arguments_digest == b""


@pytest.mark.parametrize(
    ("request_id", "expected"),
    [(7, "7"), (0, "0"), (-1, "-1"), (1.5, "1.5"), ("r-7", "r-7"), ("", ""), (None, ""), ([1], ""), ({}, ""), (True, "")],
)
def test_a_request_id_is_told_as_text(request_id: Any, expected: str) -> None:
    assert known(mcp(call(request_id=request_id, name="t"))).request_id == expected


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"hello", id="no JSON"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":"tools/call"', id="cut off"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"result":{}}', id="the client's answer to the server"),
        pytest.param(b'{"jsonrpc":"2.0","id":1,"method":7}', id="a method that is no text"),
        pytest.param(b'{"method":"%s"}' % (b"m" * (RPC_TEXT_CHARS_MAX + 1)), id="a method that is too long"),
        pytest.param(b'"tools/call"', id="a string"),
        pytest.param(b"[]", id="an empty batch"),
        pytest.param(b"[1,[],null]", id="a batch of nothing"),
        pytest.param(b'{"method":"m","x":' + b"[" * 5000 + b"]" * 5000 + b"}", id="too deep"),
        pytest.param(b'{"method":"m","x":"' + b"x" * RPC_REQUEST_BYTES_MAX + b'"}', id="too large"),
    ],
)
def test_what_is_no_call_is_none_but_headers_still_count(body: bytes) -> None:
    assert read_rpc_request("mcp", {}, body) is None
    assert read_rpc_request("a2a", {b"mcp-method": b"tools/call"}, body) is None
    assert known(read_rpc_request("mcp", {b"mcp-method": b"tools/call", b"mcp-name": b"t"}, body)).tool == "t"


def test_a_protocol_that_is_neither_has_no_calls() -> None:
    assert read_rpc_request("smtp", {b"mcp-method": b"tools/call"}, json.dumps(call(name="t")).encode()) is None


def test_members_of_the_wrong_type_spoil_only_themselves() -> None:
    asked = known(mcp(call(request_id="r", name=["t"], arguments=7, _meta=[])))
    assert (asked.method, asked.request_id, asked.tool, asked.traceparent) == ("tools/call", "r", "", b"")
    assert known(mcp({"method": "ping", "id": 3, "params": [1, 2]})).request_id == "3"
    assert known(read_rpc_request("a2a", {}, b'{"method":"message/send","params":{"message":7,"id":"t"}}')).task_id == "t"


def test_of_a_batch_the_first_call_counts() -> None:
    batch = [{"jsonrpc": "2.0", "id": 9, "result": {}}, call(request_id=1, name="first"), call(request_id=2, name="second")]
    assert known(mcp(batch)).tool == "first"
    assert mcp([*batch, {"x": "x" * RPC_BATCH_BYTES_MAX}]) is None


def test_the_body_counts_where_headers_say_otherwise() -> None:
    headers = {b"mcp-method": b"tools/list", b"mcp-name": b"other", b"mcp-protocol-version": b"2026-07-28"}
    asked = known(mcp(call(name="real"), headers))
    assert (asked.method, asked.tool, asked.protocol_version) == ("tools/call", "real", "2026-07-28")


@pytest.mark.parametrize(
    ("name", "tool"),
    [
        (b"plain", "plain"),
        (b'with space and "quotes"', 'with space and "quotes"'),
        (b"=?base64?" + base64.b64encode("größe".encode()) + b"?=", "größe"),
        (b"=?base64?" + base64.b64encode(b"=?base64?eA==?=") + b"?=", "=?base64?eA==?="),
        (b"=?base64?eA?=", ""),
        (b"=?base64?eB==?=", ""),
        (b"=?base64?!!!!?=", ""),
        (b"=?base64?/w==?=", ""),
        (b"=?base64?", "=?base64?"),
        (b"gr\xc3\xb6\xc3\x9fe", ""),
        (b"x" * (RPC_TEXT_CHARS_MAX + 1), ""),
        (b"", ""),
    ],
)
def test_a_name_in_the_header_is_plain_or_canonical_base64(name: bytes, tool: str) -> None:
    asked = known(read_rpc_request("mcp", {b"mcp-method": b"tools/call", b"mcp-name": name}, b""))
    assert asked.tool == tool


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        ({"traceparent": TRACEPARENT}, (TRACEPARENT.encode(), b"", b"")),
        ({"traceparent": TRACEPARENT, "tracestate": "a=1,b=2", "baggage": "k=v"}, (TRACEPARENT.encode(), b"a=1,b=2", b"k=v")),
        ({"tracestate": "a=1", "baggage": "k=ö"}, (b"", b"", "k=ö".encode())),
        ({"traceparent": TRACEPARENT.upper(), "tracestate": "a=1"}, (b"", b"", b"")),
        ({"traceparent": TRACEPARENT + "\r\nx: y"}, (b"", b"", b"")),
        ({"traceparent": TRACEPARENT, "tracestate": "a=1\r\nx: y", "baggage": "k=v\r\nx: y"}, (TRACEPARENT.encode(), b"", b"")),
        ({"traceparent": 7, "tracestate": [], "baggage": {}}, (b"", b"", b"")),
        ({"traceparent": "é"}, (b"", b"", b"")),
        ({"baggage": "k=" + "v" * 9000}, (b"", b"", b"")),
        ({"io.example/traceparent": TRACEPARENT}, (b"", b"", b"")),
    ],
)
def test_trace_context_of_meta_is_fit_for_a_header_or_empty(meta: dict[str, Any], expected: tuple[bytes, bytes, bytes]) -> None:
    asked = known(mcp(call(name="t", _meta=meta)))
    assert (asked.traceparent, asked.tracestate, asked.baggage) == expected


def test_a_client_may_say_which_of_the_models_calls_it_makes() -> None:
    assert known(mcp(call(name="t", _meta={"redpanda.com/llm-tool-call-id": "call_1"}))).call_id == "call_1"
    assert known(mcp(call(name="t", _meta={"copilot/toolCallId": "toolu_1"}))).call_id == "toolu_1"
    assert known(mcp(call("tools/list", _meta={"copilot/toolCallId": "toolu_1"}))).call_id == ""


def test_arguments_are_kept_only_when_asked_for_and_are_cut() -> None:
    message = call(name="t", arguments={"a": 1, "text": "x" * 50, "later": True})
    assert known(mcp(message)).content is None
    assert known(mcp(message, content_chars=1000)).content == message["params"]["arguments"]
    assert known(mcp(message, content_chars=11)).content == {"a": 1, "text": '"xxxxxxxxx'}
    assert known(mcp(call("tools/list"), content_chars=1000)).content is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
known_names = st.sampled_from(
    ["jsonrpc", "method", "id", "params", "name", "arguments", "uri", "_meta", "traceparent", "message", "contextId", "taskId"]
)
odd_messages = st.recursive(
    json_values | st.sampled_from(["tools/call", "message/send", "2.0", TRACEPARENT]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(known_names, inner, max_size=6),
    max_leaves=20,
)


@given(odd_messages, st.integers(0, 50), st.sampled_from(["mcp", "a2a"]))
def test_no_json_ever_raises(message: object, content_chars: int, protocol: str) -> None:
    asked = read_rpc_request(protocol, {}, json.dumps(message).encode(), content_chars=content_chars)
    assert asked is None or asked.method


@given(st.binary(max_size=200), st.dictionaries(st.sampled_from([b"mcp-method", b"mcp-name", b"mcp-session-id"]), st.binary()))
def test_no_bytes_ever_raise(body: bytes, headers: dict[bytes, bytes]) -> None:
    for protocol in ("mcp", "a2a"):
        asked = read_rpc_request(protocol, headers, body, content_chars=10)
        assert asked is None or asked.method
