"""What an MCP or A2A answer says, in one piece or as a stream, however it is cut."""

import gzip
import json
import zlib
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rpc_traffic import FILES, Exchange, answered, everything, exchanges, reader

from tracer_proxy.genai.rpc import RpcAnswered
from tracer_proxy.genai.rpc_answers import RpcAnswerReader
from tracer_proxy.limits import ANSWER_EVENT_BYTES_MAX, RPC_ANSWER_BYTES_MAX, RPC_MESSAGE_CHARS_MAX

JSON, SSE = b"application/json", b"text/event-stream"


def told(
    body: bytes,
    protocol: str = "mcp",
    content_type: bytes = JSON,
    encoding: bytes = b"",
    session: bytes = b"",
    content_chars: int = 0,
) -> RpcAnswered | None:
    reading = RpcAnswerReader(
        protocol,
        status=200,
        content_type=content_type,
        content_encoding=encoding,
        mcp_session=session,
        content_chars=content_chars,
    )
    reading.feed(body, 0.0)
    return reading.finish()


def known(found: RpcAnswered | None) -> RpcAnswered:
    assert found is not None
    return found


def answer(**members: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 1} | members).encode()


def tool_answer(text: str = "3", **members: Any) -> bytes:
    return answer(result={"content": [{"type": "text", "text": text}], **members})


def events(*messages: bytes, end: bytes = b"\n") -> bytes:
    return b"".join(b"event: message" + end + b"data: " + message + end + end for message in messages)


def outcomes(file: str) -> list[str]:
    found = []
    for each in exchanges(file):
        one = answered(each)
        if one is None:
            found.append("none")
        elif each.protocol == "a2a":
            found.append(f"{one.error_code} {one.error_message} {one.task_state} {one.context_id[:5]}".strip())
        else:
            found.append(f"{one.error_code} {one.error_message} {'failed' * one.tool_failed} {one.protocol_version}".strip())
    return found


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("mcp-1.30", ["2025-11-25", "", "", "", "failed", "", "", "0 Unknown prompt: nix", "", ""]),
        ("mcp-2.3-handshake", ["2025-11-25", "", "", "", "", "failed", "failed", "", "", "0 Unknown prompt: nix", "", ""]),
        ("mcp-2.3-modern", ["", "", "", "", "failed", "failed", "", "", "-32603 Internal server error"]),
        ("a2a-0.3", ["completed ctx-7", "completed ctx-7", "completed ctx-7", "-32001 Task not found"]),
        (
            "a2a-1.3",
            [
                "TASK_STATE_COMPLETED c99b8",
                "TASK_STATE_COMPLETED c99b8",
                "-32001 Task not found",
                "TASK_STATE_COMPLETED 33f73",
                "TASK_STATE_COMPLETED 33f73",
                "-32001 Task not found",
            ],
        ),
    ],
)
def test_every_answer_of_an_official_server_is_known(file: str, expected: list[str]) -> None:
    assert outcomes(file) == expected


def test_the_session_of_an_answer_is_told_and_a2a_tasks_are_those_of_the_body() -> None:
    for each in everything():
        found = answered(each)
        if found is not None:
            assert found.session_id.encode() == each.answer_headers.get(b"mcp-session-id", b"")
            assert found.task_id.encode() in each.answer
            assert bool(found.task_id) == bool(found.task_state)


@pytest.mark.parametrize("file", FILES)
def test_where_an_answer_is_cut_makes_no_difference(file: str) -> None:
    for each in exchanges(file):
        whole = answered(each, content_chars=100)
        for at in range(1, len(each.answer)):
            assert answered(each, each.answer[:at], each.answer[at:], content_chars=100) == whole
        assert answered(each, *(each.answer[at : at + 1] for at in range(len(each.answer))), content_chars=100) == whole


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress])
def test_compressed_answers_are_read_too_however_they_are_cut(compress: Any) -> None:
    name = b"gzip" if compress is gzip.compress else b"deflate"
    for each in exchanges("mcp-1.30")[:5]:
        body = compress(each.answer)
        packed = replace(each, answer=body, answer_headers=each.answer_headers | {b"content-encoding": name})
        for at in range(1, len(body), 7):
            assert answered(packed, body[:at], body[at:]) == answered(each)


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_events_end_in_any_line_end_and_what_breaks_off_is_dropped(end: bytes) -> None:
    stream = events(answer(method="notifications/progress"), tool_answer(isError=True), end=end)
    half = b"data: " + tool_answer() + end
    exchange = Exchange("mcp", "POST", {}, b"", 200, {b"content-type": SSE + b"; charset=utf-8"}, stream)
    for at in range(len(stream + half)):
        found = known(answered(exchange, (stream + half)[:at] or b"\n", (stream + half)[at:] or b""))
        assert found.tool_failed


def test_comments_ids_and_data_over_several_lines_are_read_as_they_should() -> None:
    lines = json.dumps(json.loads(tool_answer(isError=True)), indent=1).splitlines()
    stream = ":ping\n\nid: 1\nretry: 5\n" + "".join(f"data:{line}\n" for line in lines) + "\n"
    assert known(told(stream.encode(), content_type=SSE)).tool_failed


def test_the_last_answer_counts_and_what_the_server_asks_does_not() -> None:
    asks = answer(method="sampling/createMessage", params={}, result={"isError": True})
    stream = events(answer(error={"code": -1, "message": "first"}), tool_answer(), asks)
    found = known(told(stream, content_type=SSE))
    assert (found.error_code, found.tool_failed) == ("", False)
    batch = b"[" + tool_answer() + b"," + answer(error={"code": -32602, "message": "last"}) + b"]"
    assert known(told(batch)).error_code == "-32602"


def test_an_a2a_stream_tells_the_newest_of_each_thing() -> None:
    stream = events(
        answer(result={"task": {"id": "t", "contextId": "c", "status": {"state": "TASK_STATE_SUBMITTED"}}}),
        answer(result={"statusUpdate": {"taskId": "t", "status": {"state": "TASK_STATE_FAILED"}}}),
        answer(result={"artifactUpdate": {"taskId": "t", "artifact": {"artifactId": "a"}}}),
        answer(result={"message": {"messageId": "m"}}),
    )
    found = known(told(stream, protocol="a2a", content_type=SSE))
    assert (found.task_id, found.task_state, found.context_id) == ("t", "TASK_STATE_FAILED", "c")


def test_an_a2a_answer_that_is_a_message_has_no_task_of_its_own() -> None:
    found = known(told(answer(result={"message": {"messageId": "m", "contextId": "c"}}), protocol="a2a"))
    assert (found.task_id, found.task_state, found.context_id) == ("", "", "c")
    config = known(told(answer(result={"id": "config", "url": "http://push"}), protocol="a2a"))
    assert config.task_id == ""


def test_a_tools_result_is_kept_only_when_asked_for_and_is_cut() -> None:
    body = answer(
        result={"content": [{"type": "text", "text": "ab"}, {"type": "image", "data": "x"}, {"type": "text", "text": "cd"}]}
    )
    assert known(told(body)).content is None
    assert known(told(body, content_chars=100)).content == "ab\ncd"
    assert known(told(body, content_chars=4)).content == "ab\nc"
    structured = answer(result={"content": [], "structuredContent": {"a": 1}})
    assert known(told(structured, content_chars=100)).content == '{"a": 1}'
    assert known(told(answer(result={}), content_chars=100)).content is None


def test_errors_are_told_by_code_and_message_and_the_message_is_cut() -> None:
    found = known(told(answer(error={"code": -32020, "message": "x" * 2 * RPC_MESSAGE_CHARS_MAX})))
    assert (found.error_code, found.error_message) == ("-32020", "x" * RPC_MESSAGE_CHARS_MAX)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"Not Found",
        b'{"error":"invalid_token","error_description":"x"}',
        b'{"detail":"no"}',
        b"[]",
        answer(method="ping"),
        answer(result=None),
        b'{"result":' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_what_is_no_answer_is_none_unless_it_hands_out_a_session(body: bytes) -> None:
    assert told(body) is None
    found = known(told(body, session=b"s-1"))
    assert (found.session_id, found.error_code, found.tool_failed) == ("s-1", "", False)


def test_members_of_the_wrong_type_spoil_only_themselves() -> None:
    found = known(told(answer(result={"isError": "true", "content": 7, "protocolVersion": 1}), content_chars=9))
    assert (found.tool_failed, found.content, found.protocol_version) == (False, None, "")
    assert known(told(answer(error={"code": [], "message": 7}))).error_code == "_OTHER"
    assert known(told(answer(result=[1]), protocol="a2a")).task_id == ""


@pytest.mark.parametrize(
    ("content_type", "encoding", "body", "why"),
    [
        (b"text/html", b"", b"<html>", "unreadable"),
        (JSON, b"lzma", b"x", "encoding"),
        (JSON, b"gzip", b"not gzip", "encoding"),
        (JSON, b"", b" " * (RPC_ANSWER_BYTES_MAX + 1), "too_large"),
        (JSON, b"gzip", gzip.compress(b" " * (RPC_ANSWER_BYTES_MAX + 1)), "too_large"),
        (SSE, b"gzip", gzip.compress(b" " * (RPC_ANSWER_BYTES_MAX + 1)), "too_large"),
    ],
)
def test_it_gives_up_and_says_why(content_type: bytes, encoding: bytes, body: bytes, why: str) -> None:
    reading = RpcAnswerReader("mcp", status=200, content_type=content_type, content_encoding=encoding)
    reading.feed(body, 0.0)
    reading.feed(tool_answer(), 0.0)
    assert reading.gave_up == why
    assert reading.finish() is None


def test_an_event_that_is_too_long_is_skipped_and_the_next_is_read() -> None:
    exchange = Exchange("mcp", "POST", {}, b"", 200, {b"content-type": SSE}, b"")
    long = events(tool_answer("x" * ANSWER_EVENT_BYTES_MAX))
    in_many = [long[at : at + 65536] for at in range(0, len(long), 65536)]
    for pieces in ([long], in_many, [long[:-1], long[-1:]]):
        reading = reader(exchange)
        for piece in pieces:
            reading.feed(piece, 0.0)
        assert reading.finish() is None
        reading.feed(events(tool_answer(isError=True)), 0.0)
        assert known(reading.finish()).tool_failed


@given(
    st.binary(max_size=300), st.lists(st.integers(0, 300)), st.sampled_from([JSON, SSE]), st.sampled_from([b"", b"gzip", b"br"])
)
def test_no_bytes_ever_raise(body: bytes, cuts: list[int], content_type: bytes, encoding: bytes) -> None:
    for protocol in ("mcp", "a2a"):
        reading = RpcAnswerReader(protocol, status=200, content_type=content_type, content_encoding=encoding, content_chars=9)
        ends = sorted({0, *(cut for cut in cuts if cut < len(body)), len(body)})
        for start, end in pairwise(ends):
            reading.feed(body[start:end], 0.0)
        reading.finish()


names = st.sampled_from(
    ["result", "error", "method", "code", "message", "task", "status", "state", "content", "text", "type", "isError"]
)
odd_answers = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just("text"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=5),
    max_leaves=20,
)


@given(odd_answers)
def test_no_json_ever_raises_and_a_stream_says_the_same_as_one_piece(message: object) -> None:
    body = json.dumps(message).encode()
    for protocol in ("mcp", "a2a"):
        in_one_piece = told(body, protocol=protocol, content_chars=20)
        if isinstance(message, dict):
            assert told(events(body), protocol=protocol, content_type=SSE, content_chars=20) == in_one_piece
