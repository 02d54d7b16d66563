"""Exchanges with MCP servers and A2A agents: whose trace they are in, and what they are told of it."""

import json
from typing import Any

from harness import Upstream, answering, field, one_route, proxy, request, say, upstream
from records_kept import EXPORTED, Kept

TRACE, PARENT = b"4bf92f3577b34da6a3ce929d0e0e4736", b"00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE.decode()}-{PARENT.decode()}-01"
ARGUMENTS = {"city": "Oslo", "days": 2}


def calling(arguments: Any = ARGUMENTS, **meta: str) -> bytes:
    params = {"name": "get_weather", "arguments": arguments} | ({"_meta": meta} if meta else {})
    return json.dumps({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).encode()


def replying(document: Any) -> bytes:
    body = json.dumps(document).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


RESULT = replying({"jsonrpc": "2.0", "id": 7, "result": {"content": [{"type": "text", "text": "rain"}]}})
FAILED = replying({"jsonrpc": "2.0", "id": 7, "error": {"code": -32602, "message": "no such city"}})


def mcp(endpoint: Upstream, key: str = "mcp: {}") -> str:
    return one_route(endpoint.url, top=EXPORTED, route=f"match: {{path: /mcp}}\n{key}")


async def test_what_a_call_says_is_recorded() -> None:
    async with upstream(answering(RESULT, FAILED)) as endpoint, proxy(mcp(endpoint)) as running:
        kept = Kept(running)
        for _ in range(2):
            await say(running.port, request("POST /mcp HTTP/1.1", "mcp-session-id: s-1", body=calling()))
        first, failed = await kept.next(2)
    assert first.rpc_asked is not None
    assert (first.rpc_asked.method, first.rpc_asked.tool, first.rpc_asked.request_id) == ("tools/call", "get_weather", "7")
    assert first.session == "s-1"
    assert first.rpc_answered is not None
    assert failed.rpc_answered is not None
    assert (first.rpc_answered.error_code, failed.rpc_answered.error_code) == ("", "-32602")


async def test_the_context_in_a_call_is_its_parent() -> None:
    """SEP-414; that of the HTTP request around it becomes a link."""
    body = calling(traceparent=TRACEPARENT)
    around = f"traceparent: 00-{'b' * 32}-{'c' * 16}-01"
    async with upstream(answering(RESULT)) as endpoint, proxy(mcp(endpoint)) as running:
        kept = Kept(running)
        await say(running.port, request("POST /mcp HTTP/1.1", around, body=body))
        record = await kept.one()
    assert (record.trace_id, record.parent_id, record.joined_by) == (TRACE, PARENT, "meta")
    assert [(link.trace_id, link.reason) for link in record.links] == [(b"b" * 32, "http")]
    told = field(endpoint.heard[0], "traceparent")
    assert told == b"00-%b-%b-01" % (TRACE, record.attempts[0].span_id)
    assert endpoint.bodies == [body]


async def test_a_call_is_told_its_context_where_the_route_asks_for_that() -> None:
    async with upstream(answering(RESULT)) as endpoint, proxy(mcp(endpoint, "mcp: {meta: true}")) as running:
        kept = Kept(running)
        await say(running.port, request("POST /mcp HTTP/1.1", body=calling(progressToken="p-1")))
        record = await kept.one()
    meta = json.loads(endpoint.bodies[0])["params"]["_meta"]
    assert meta["progressToken"] == "p-1"
    assert meta["traceparent"].encode().split(b"-")[1:3] == [record.trace_id, record.attempts[0].span_id]
    assert field(endpoint.heard[0], "traceparent") == meta["traceparent"].encode()


async def test_each_attempt_is_told_its_own() -> None:
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    key = "mcp: {meta: true}\nretries: {on: [503], non_idempotent: true, backoff: 1ms}"
    async with upstream(answering(busy, RESULT)) as endpoint, proxy(mcp(endpoint, key)) as running:
        kept = Kept(running)
        await say(running.port, request("POST /mcp HTTP/1.1", body=calling()))
        record = await kept.one()
    told = [json.loads(body)["params"]["_meta"]["traceparent"].split("-")[2].encode() for body in endpoint.bodies]
    assert told == [attempt.span_id for attempt in record.attempts]
    assert len(set(told)) == 2


async def test_an_untrusted_call_is_not_believed() -> None:
    top = f"{EXPORTED}\ntrust: [10.0.0.0/8]"
    config = one_route("http://127.0.0.1:1", top=top, route="mcp: {}")
    async with (
        upstream(answering(RESULT)) as endpoint,
        proxy(config.replace("http://127.0.0.1:1", endpoint.url)) as running,
    ):
        kept = Kept(running)
        await say(running.port, request("POST / HTTP/1.1", body=calling(traceparent=TRACEPARENT)))
        record = await kept.one()
    assert record.trace_id != TRACE


async def test_a_call_that_a_model_handed_out_is_part_of_its_trace() -> None:
    """And hangs under the tool's run, which is told when its result goes back to the model."""
    call: dict[str, Any] = {"id": "call_Ab3dEf6hIj9kLm2nOp5qRs8t", "type": "function"}
    call |= {"function": {"name": "get_weather", "arguments": json.dumps(ARGUMENTS)}}
    said = {"role": "assistant", "content": None, "tool_calls": [call]}
    answer = {"id": "c-1", "object": "chat.completion", "model": "m"}
    hands_out = replying(answer | {"choices": [{"index": 0, "finish_reason": "tool_calls", "message": said}]})
    done = {"role": "assistant", "content": "rain"}
    ends = replying(answer | {"choices": [{"index": 0, "finish_reason": "stop", "message": done}]})
    config = """
version: 1
proxy: {{listen: 127.0.0.1:0}}
tracing: {{exporter: otlp}}
routes:
  - {{name: openai, match: {{path: /openai}}, llm: {{api: openai}}, lanes: [{{name: only, pool: only}}]}}
  - {{name: mcp, match: {{path: /mcp}}, mcp: {{}}, lanes: [{{name: only, pool: only}}]}}
pools: {{only: {{endpoints: [{url}]}}}}
"""
    asked: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "rain?"}]}
    asked["tools"] = [{"type": "function", "function": {"name": "get_weather"}}]
    again = asked | {"messages": [*asked["messages"], said, {"role": "tool", "tool_call_id": call["id"], "content": "rain"}]}
    chat = "POST /openai/v1/chat/completions HTTP/1.1"
    async with upstream(answering(hands_out, RESULT, ends)) as endpoint, proxy(config.format(url=endpoint.url)) as running:
        kept = Kept(running)
        await say(running.port, request(chat, body=json.dumps(asked).encode()))
        await say(running.port, request("POST /mcp HTTP/1.1", body=calling({"days": 2, "city": "Oslo"})))
        await say(running.port, request(chat, body=json.dumps(again).encode()))
        first, tool_call, then = await kept.next(3)
    assert tool_call.joined_by == "mcp_call"
    assert first.trace_id == tool_call.trace_id == then.trace_id
    (run,) = then.tools
    assert tool_call.parent_id == run.span_id


async def test_a2a() -> None:
    message = {"messageId": "m-1", "contextId": "ctx-1", "role": "user", "parts": [{"kind": "text", "text": "hi"}]}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": message}}).encode()
    reply = replying({"jsonrpc": "2.0", "id": 1, "result": {"kind": "task", "id": "t-1", "status": {"state": "completed"}}})
    async with upstream(answering(reply)) as endpoint, proxy(mcp(endpoint, "a2a: {}")) as running:
        kept = Kept(running)
        await say(running.port, request("POST /mcp HTTP/1.1", body=body))
        record = await kept.one()
    assert record.rpc_asked is not None
    assert (record.rpc_asked.protocol, record.rpc_asked.message_id, record.session) == ("a2a", "m-1", "ctx-1")
    assert record.rpc_answered is not None
    assert record.rpc_answered.task_id == "t-1"
