"""Exchanges with models, through a proxy: which trace they are in, what is read of them, and that nothing of that is felt."""

import asyncio
import gzip
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from harness import OK, Proxy, Upstream, answering, body_of, connection, field, one_route, proxy, request, say, status, upstream
from hypothesis import given, settings
from hypothesis import strategies as st
from records_kept import EXPORTED, Kept

from tracer_proxy.limits import LOOK_AHEAD_BYTES_MAX

ROUTE = "match: {path: /openai}\nrewrite: {prefix: /}\nllm: {api: openai}"
PATH = "POST /openai/v1/chat/completions HTTP/1.1"
CALL_ID, ARGUMENTS = "call_Ab3dEf6hIj9kLm2nOp5qRs8t", '{"city": "Oslo"}'
CALL = {"id": CALL_ID, "type": "function", "function": {"name": "get_weather", "arguments": ARGUMENTS}}
USER = {"role": "user", "content": "Will it rain in Oslo?"}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": CALL_ID, "content": "rain"}
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}]


def asking(*messages: Mapping[str, Any], **more: Any) -> bytes:
    return json.dumps({"model": "gpt-4o", "messages": messages, "tools": TOOLS, **more}).encode()


def saying(message: Mapping[str, Any], *headers: str, encode: Callable[[bytes], bytes] = bytes) -> bytes:
    reason = "tool_calls" if message.get("tool_calls") else "stop"
    document = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "gpt-4o-2024",
        "choices": [{"index": 0, "finish_reason": reason, "message": message}],
        "usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11},
    }
    body = encode(json.dumps(document).encode())
    lines = ["HTTP/1.1 200 OK", "Content-Type: application/json", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def streaming(*deltas: Mapping[str, Any], reason: str) -> list[bytes]:
    """The pieces of a chat stream, an event each."""
    head = {"id": "chatcmpl-2", "object": "chat.completion.chunk", "model": "gpt-4o-2024"}
    events = [{**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    events.append({**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    return [f"data: {json.dumps(event)}\n\n".encode() for event in events] + [b"data: [DONE]\n\n"]


DONE = {"role": "assistant", "content": "Yes."}


def config(endpoint: Upstream, route: str = ROUTE, top: str = EXPORTED) -> str:
    return one_route(endpoint.url, top=top, route=route)


async def post(running: Proxy, body: bytes, *headers: str) -> bytes:
    return await say(running.port, request(PATH, "Authorization: Bearer k", *headers, body=body))


async def test_the_steps_of_a_turn_are_one_trace() -> None:
    async with upstream(answering(saying(CALLING), saying(DONE))) as endpoint, proxy(config(endpoint)) as running:
        kept = Kept(running)
        await post(running, asking(USER))
        second = await post(running, asking(USER, CALLING, RESULT))
        await post(running, asking(USER, CALLING, RESULT, DONE, {"role": "user", "content": "And tomorrow?"}))
        first, then, next_turn = await kept.next(3)
    assert (first.joined_by, then.joined_by, next_turn.joined_by) == ("new", "tool_call", "new")
    assert first.trace_id == then.trace_id != next_turn.trace_id
    assert field(second, "x-trace-id-ext") == first.trace_id
    assert (first.parent_id, then.parent_id) == (b"", first.span_id)
    (tool,) = then.tools
    assert (tool.tool, tool.call_id, tool.parent_id) == ("get_weather", CALL_ID, first.span_id)
    assert tool.handed_out_by == first.attempts[0].span_id
    assert first.ended <= tool.began <= tool.ended <= then.attempts[0].began
    assert [(link.trace_id, link.reason) for link in next_turn.links] == [(first.trace_id, "previous_turn")]
    assert first.session == then.session == next_turn.session == first.trace_id.decode()
    assert first.asked is not None
    assert first.answered is not None
    assert (first.asked.model, first.answered.model, first.answered.usage.input) == ("gpt-4o", "gpt-4o-2024", 9)


async def test_the_endpoint_is_told_the_trace_that_was_joined() -> None:
    route = ROUTE + "\negress: trace"
    async with upstream(answering(saying(CALLING), saying(DONE))) as endpoint, proxy(config(endpoint, route)) as running:
        kept = Kept(running)
        await post(running, asking(USER))
        await post(running, asking(USER, CALLING, RESULT))
        first, then = await kept.next(2)
    told = field(endpoint.heard[1], "traceparent")
    assert told is not None
    assert told.split(b"-")[1:3] == [first.trace_id, then.attempts[0].span_id]


async def test_a_body_that_comes_in_pieces_is_waited_for() -> None:
    """The head goes on only when the trace is known; the body arrives whole and once."""
    body = asking(USER, CALLING, RESULT)
    route = ROUTE + "\negress: trace"
    async with upstream(answering(saying(CALLING), saying(DONE))) as endpoint, proxy(config(endpoint, route)) as running:
        kept = Kept(running)
        await post(running, asking(USER))
        whole = request(PATH, "Authorization: Bearer k", body=body)
        cuts = [whole[start : start + 97] for start in range(0, len(whole), 97)]
        answer = await say(running.port, *cuts, pause_s=0.001)
        first, then = await kept.next(2)
    assert status(answer) == 200
    assert endpoint.bodies[1] == body
    assert then.trace_id == first.trace_id
    assert running.worker.held_bytes == 0


async def test_a_chunked_body_is_waited_for_too() -> None:
    body = asking(USER, CALLING, RESULT)
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (body[:50], body[50:])) + b"0\r\n\r\n"
    head = request(PATH, "Authorization: Bearer k", "Transfer-Encoding: chunked")
    async with upstream(answering(saying(CALLING), saying(DONE))) as endpoint, proxy(config(endpoint)) as running:
        kept = Kept(running)
        await post(running, asking(USER))
        await say(running.port, head, chunks[:60], chunks[60:], pause_s=0.01)
        first, then = await kept.next(2)
    assert endpoint.bodies[1] == body
    assert then.trace_id == first.trace_id


async def test_a_body_too_long_to_wait_for_goes_on_at_once() -> None:
    body = asking({"role": "user", "content": "x" * (LOOK_AHEAD_BYTES_MAX + 1)})
    began = asyncio.Event()

    async def answers(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        began.set()
        await reader.readexactly(len(body))
        writer.write(saying(DONE))

    async with upstream(answers) as endpoint, proxy(config(endpoint)) as running:
        kept = Kept(running)
        async with connection(running.port) as (reader, writer):
            whole = request(PATH, body=body)
            writer.write(whole[:1000])
            await began.wait()
            writer.write(whole[1000:])
            assert b"200 OK" in await reader.readuntil(b"\r\n")
        record = await kept.one()
    assert record.asked is not None
    assert (record.asked.operation, record.asked.model) == ("chat", "")
    assert record.answered is not None
    assert running.worker.meters.worker.observations_abandoned["too_large"] == 1


async def test_a_client_that_waits_for_leave_to_send_is_not_kept_waiting() -> None:
    async def answers(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await endpoint.head(reader)
        assert field(head, "expect") == b"100-continue"
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await reader.readexactly(len(body))
        writer.write(saying(DONE))

    body = asking(USER)
    async with (
        upstream(answers) as endpoint,
        proxy(config(endpoint)) as running,
        connection(running.port) as (reader, writer),
    ):
        writer.write(request(PATH, "Expect: 100-continue", body=body)[: -len(body)])
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        writer.write(body)
        assert b"200 OK" in await reader.readuntil(b"\r\n")


async def test_a_client_that_stops_in_the_midst_of_its_body_is_told() -> None:
    route = ROUTE + "\ntimeouts: {idle: 200ms}"
    async with upstream(answering(saying(DONE))) as endpoint, proxy(config(endpoint, route)) as running:
        answer = await say(running.port, request(PATH, body=asking(USER))[:-5])
        assert status(answer) == 408
        assert endpoint.connections == 0
        assert running.worker.held_bytes == 0


async def test_a_caller_that_names_its_trace_is_believed() -> None:
    """P19: ids that say another trace become a link."""
    other = "b" * 32
    async with upstream(answering(saying(CALLING), saying(DONE))) as endpoint, proxy(config(endpoint)) as running:
        kept = Kept(running)
        await post(running, asking(USER))
        await post(running, asking(USER, CALLING, RESULT), f"traceparent: 00-{other}-{'c' * 16}-01")
        first, then = await kept.next(2)
    assert (then.trace_id, then.parent_id, then.joined_by) == (b"b" * 32, b"c" * 16, "traceparent")
    assert [(link.trace_id, link.reason) for link in then.links] == [(first.trace_id, "stitch")]
    assert not then.tools


async def test_tool_runs_show_for_callers_that_pass_their_trace_on() -> None:
    trace = f"traceparent: 00-{'b' * 32}-{'c' * 16}-01"
    async with upstream(answering(saying(CALLING), saying(DONE))) as endpoint, proxy(config(endpoint)) as running:
        kept = Kept(running)
        await post(running, asking(USER), trace)
        await post(running, asking(USER, CALLING, RESULT), trace)
        _, then = await kept.next(2)
    assert [tool.tool for tool in then.tools] == ["get_weather"]
    assert then.links == []


@pytest.mark.parametrize("how", ["stitch: false", "tracing: {stitch: false}"])
async def test_stitching_can_be_switched_off(how: str) -> None:
    top = "tracing: {exporter: otlp, stitch: false}" if how == "stitch: false" else EXPORTED
    route = ROUTE if how == "stitch: false" else f"{ROUTE}\n{how}"
    async with upstream(answering(saying(CALLING), saying(DONE))) as endpoint, proxy(config(endpoint, route, top)) as running:
        kept = Kept(running)
        await post(running, asking(USER))
        await post(running, asking(USER, CALLING, RESULT))
        first, then = await kept.next(2)
    assert first.trace_id != then.trace_id
    assert then.tools == []
    assert then.asked is not None


async def test_another_credential_is_another_agent() -> None:
    async with upstream(answering(saying(CALLING), saying(DONE))) as endpoint, proxy(config(endpoint)) as running:
        kept = Kept(running)
        await post(running, asking(USER))
        await say(running.port, request(PATH, "Authorization: Bearer other", body=asking(USER, CALLING, RESULT)))
        first, then = await kept.next(2)
        assert +running.worker.stitcher.counts.misses == {"unknown_id": 1}
    assert first.trace_id != then.trace_id


async def test_a_retry_of_the_agent_joins_as_well() -> None:
    """P6: an id is not used up; but a tool has run once."""
    async with upstream(answering(saying(CALLING), saying(DONE))) as endpoint, proxy(config(endpoint)) as running:
        kept = Kept(running)
        await post(running, asking(USER))
        for _ in range(2):
            await post(running, asking(USER, CALLING, RESULT))
        first, then, again = await kept.next(3)
    assert first.trace_id == then.trace_id == again.trace_id
    assert (len(then.tools), len(again.tools)) == (1, 0)


async def stream_of(
    pieces: Sequence[bytes], endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    await endpoint.request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
    for piece in pieces:
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
        await asyncio.sleep(0.002)


async def test_a_stream_is_read_as_it_passes() -> None:
    """And the next step may come as soon as the stream has said that it is over, before its connection has."""
    call = {"index": 0, "id": CALL_ID, "type": "function", "function": {"name": "get_weather", "arguments": ""}}
    opening = {"role": "assistant", "content": None, "tool_calls": [call]}
    rest = {"tool_calls": [{"index": 0, "function": {"arguments": ARGUMENTS}}]}
    pieces = streaming(opening, rest, reason="tool_calls")
    may_end = asyncio.Event()

    async def answers(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if endpoint.connections > 1:
            await endpoint.request(reader)
            writer.write(saying(DONE))
            return
        await stream_of(pieces, endpoint, reader, writer)
        await may_end.wait()
        writer.write(b"0\r\n\r\n")

    async with upstream(answers) as endpoint, proxy(config(endpoint)) as running:
        kept = Kept(running)
        async with connection(running.port) as (reader, writer):
            writer.write(request(PATH, "Authorization: Bearer k", body=asking(USER, stream=True)))
            await reader.readuntil(b"data: [DONE]\n\n")
            await post(running, asking(USER, CALLING, RESULT))
            may_end.set()
            await reader.read()
        then, first = await kept.next(2)
    assert then.trace_id == first.trace_id
    assert [tool.tool for tool in then.tools] == ["get_weather"]
    assert first.answered is not None
    assert (first.answered.chunks >= 2, first.answered.is_whole) == (True, True)
    assert first.answered.first_chunk_at is not None
    assert first.attempts[0].began < first.answered.first_chunk_at < first.ended


async def test_compressed_answers_are_read_beside_the_traffic() -> None:
    answer = saying(CALLING, "Content-Encoding: gzip", encode=gzip.compress)
    async with upstream(answering(answer, saying(DONE))) as endpoint, proxy(config(endpoint)) as running:
        kept = Kept(running)
        passed = await post(running, asking(USER))
        await post(running, asking(USER, CALLING, RESULT))
        first, then = await kept.next(2)
    assert body_of(passed) == answer.partition(b"\r\n\r\n")[2]
    assert first.trace_id == then.trace_id


async def test_errors_of_the_provider() -> None:
    body = json.dumps({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}).encode()
    head = f"HTTP/1.1 429 Too Many\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    async with upstream(answering(head + body)) as endpoint, proxy(config(endpoint)) as running:
        kept = Kept(running)
        assert status(await post(running, asking(USER))) == 429
        record = await kept.one()
    assert record.answered is not None
    assert record.answered.error == "rate_limit_exceeded"


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff\xfe", b'{"messages": 7}', b"{}"])
async def test_what_is_no_request_to_a_model_passes_all_the_same(body: bytes) -> None:
    async with (
        upstream(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{{{")) as endpoint,
        proxy(config(endpoint)) as running,
    ):
        kept = Kept(running)
        assert body_of(await post(running, body)) == b"{{{"
        record = await kept.one()
    assert endpoint.bodies == [body]
    assert record.status == 200


pieces_of_json = st.sampled_from(
    [b'{"messages":[', b'{"role":"tool",', b'"tool_call_id":"call_1"', b"}", b"]", b'"', b"\\u", b"\xc3"]
)


@settings(max_examples=30, deadline=None)
@given(st.lists(pieces_of_json, max_size=12), st.lists(pieces_of_json, max_size=12), st.booleans())
def test_bytes_are_the_same_with_and_without_stitching(asked: list[bytes], said: list[bytes], has_stitching: bool) -> None:
    """P12: whatever is said, nothing of it is changed."""

    async def run() -> None:
        body, answer = b"".join(asked) or b"x", b"".join(said)
        top = f"tracing: {{exporter: otlp, capture: content, stitch: {str(has_stitching).lower()}}}"
        reply = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(answer) + answer
        async with upstream(answering(reply)) as endpoint, proxy(config(endpoint, top=top)) as running:
            passed = await post(running, body)
        assert endpoint.bodies == [body]
        assert body_of(passed) == answer

    asyncio.run(run())


# Colours that agents forget.


def colored(endpoint: Upstream) -> str:
    text = config(
        endpoint,
        "match: {path: /openai}\nllm: {api: openai}",
        f"{EXPORTED}\ncoloring: [{{color: canary, when: {{header: {{x-canary: '1'}}}}}}]",
    )
    return text.replace(
        "lanes: [{name: only, pool: only}]", "lanes: [{name: stable, pool: only}, {name: canary, pool: only, colors: [canary]}]"
    )


async def test_a_step_without_colour_keeps_the_lane_of_its_trace() -> None:
    async with upstream(answering(saying(CALLING), saying(DONE))) as endpoint, proxy(colored(endpoint)) as running:
        kept = Kept(running)
        await post(running, asking(USER), "x-canary: 1")
        await post(running, asking(USER, CALLING, RESULT))
        await post(running, asking(USER, CALLING, RESULT, DONE, {"role": "user", "content": "And tomorrow?"}))
        await post(running, asking({"role": "user", "content": "Somebody else."}))
        first, then, next_turn, other = await kept.next(4)
    assert [(each.lane, each.color) for each in (first, then, next_turn)] == [("canary", "canary")] * 3
    assert (first.color_source, then.color_source) == ("rule 1", "remembered")
    assert (other.lane, other.color) == ("stable", "")


@pytest.mark.parametrize(
    "header", [f"traceparent: 00-{'b' * 32}-{'c' * 16}-01", "x-session-id: s-1", "x-claude-code-session-id: s-1"]
)
async def test_an_agent_that_drops_the_colour_keeps_its_lane(header: str) -> None:
    """What it says of its trace or its session is enough."""
    async with upstream(answering(saying(DONE))) as endpoint, proxy(colored(endpoint)) as running:
        kept = Kept(running)
        await post(running, asking(USER), header, "x-canary: 1")
        await post(running, asking(USER), header)
        _, then = await kept.next(2)
    assert (then.lane, then.color, then.color_source) == ("canary", "canary", "remembered")


async def test_a_session_that_a_lane_painted_is_not_held_to_its_colour() -> None:
    """The weight is what gives it the lane; taken back, the session must go."""
    lanes = (
        "lanes: [{name: stable, pool: only, weight: 0}, {name: canary, pool: only, weight: 1, colors: [canary], color: canary}]"
    )
    async with upstream(answering(OK)) as endpoint:
        text = one_route(endpoint.url, top=EXPORTED).replace("lanes: [{name: only, pool: only}]", lanes)
        async with proxy(text) as running:
            kept = Kept(running)
            asks = request("GET / HTTP/1.1", "x-session-id: s-1")
            await say(running.port, asks)
            running.reload(text.replace("weight: 0", "weight: 9").replace("weight: 1,", "weight: 0,"))
            await say(running.port, asks)
            painted, after = await kept.next(2)
    assert (painted.lane, painted.color_source) == ("canary", "lane")
    assert (after.lane, after.color) == ("stable", "")


async def test_a_conversation_without_headers_stays_on_its_lane() -> None:
    """Each turn is a trace of its own; the session they share is what the lane hangs on."""
    lanes = "lanes: [{name: stable, pool: only, weight: 50}, {name: canary, pool: only, weight: 50}]"
    said = [saying({**CALLING, "tool_calls": [{**CALL, "id": f"{CALL_ID}{turn:02}x9Q"}]}) for turn in range(12)]
    async with upstream(answering(*said)) as endpoint:
        text = config(endpoint).replace("lanes: [{name: only, pool: only}]", lanes)
        async with proxy(text) as running:
            kept, messages = Kept(running), list[Any]([USER])
            for turn in range(12):
                await post(running, asking(*messages))
                call: dict[str, Any] = {**CALL, "id": f"{CALL_ID}{turn:02}x9Q"}
                messages += [dict[str, Any](CALLING, tool_calls=[call]), {**RESULT, "tool_call_id": call["id"]}, DONE, USER]
            records = await kept.next(12)
    assert len({record.trace_id for record in records}) == 12
    assert len({record.session for record in records}) == 1
    assert len({record.lane for record in records}) == 1


async def test_a_share_that_is_taken_back_lets_its_sessions_go() -> None:
    lanes = "lanes: [{name: stable, pool: only}, {name: canary, pool: only, colors: [canary]}]"
    rule = "coloring: [{color: canary, when: {percent: 100}}]"
    async with upstream(answering(OK)) as endpoint:
        text = one_route(endpoint.url, top=f"{EXPORTED}\n{rule}").replace("lanes: [{name: only, pool: only}]", lanes)
        async with proxy(text) as running:
            kept = Kept(running)
            asks = request("GET / HTTP/1.1", "x-session-id: s-1")
            await say(running.port, asks)
            running.reload(text.replace("percent: 100", "percent: 0"))
            await say(running.port, asks)
            before, after = await kept.next(2)
    assert (before.lane, after.lane) == ("canary", "stable")


async def test_each_request_of_a_connection_counts_with_its_own_session() -> None:
    """Also where another route alone makes its lane hang on that header."""
    text = """
version: 1
proxy: {listen: 127.0.0.1:0}
tracing: {exporter: otlp}
routes:
  - name: openai
    match: {path: /openai}
    rewrite: {prefix: /}
    llm: {api: openai}
    sticky: [trace]
    lanes: [{name: a, pool: p}]
  - {name: other, sticky: [header:x-session-id], lanes: [{name: a, pool: p}]}
pools: {p: {endpoints: [URL]}}
"""
    async with upstream(answering(saying(DONE))) as endpoint, proxy(text.replace("URL", endpoint.url)) as running:
        kept = Kept(running)
        async with connection(running.port) as (reader, writer):
            for number in range(4):
                writer.write(request(PATH, f"x-session-id: session-{number}", body=asking(USER), close=False))
                await reader.readuntil(b'"total_tokens": 11}}')
        records = await kept.next(4)
    assert [record.session for record in records] == [f"session-{number}" for number in range(4)]
