"""Requests as agents send them, and the same requests damaged: they are read, or quietly not read."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer_proxy import limits
from tracer_proxy.genai.asked import Asked, Echo
from tracer_proxy.genai.requests import read_request

GOLDEN = {
    path.stem: json.loads(path.read_text()) for path in sorted(Path(__file__).with_name("golden").glob("requests/*.json"))
}
FAMILIES = {
    ("openai", b"/v1/chat/completions"): ("messages", "tools", "functions", "prompt", "metadata", "stop", "response_format"),
    ("openai", b"/v1/responses"): ("input", "tools", "conversation", "text", "instructions", "metadata"),
    ("openai", b"/v1/completions"): ("prompt",),
    ("openai", b"/v1/embeddings"): ("encoding_format",),
    ("anthropic", b"/v1/messages"): ("messages", "system", "tools", "metadata", "output_config"),
    ("gemini", b"/v1/models/g:generateContent"): ("contents", "tools", "generationConfig", "systemInstruction"),
    ("gemini", b"/v1/models/g:batchEmbedContents"): ("requests",),
}
# fmt: off
KEYS = st.sampled_from((
    "role", "content", "type", "text", "id", "name", "arguments", "input", "output", "call_id", "tool_calls",
    "function", "custom", "tool_call_id", "tool_use_id", "parts", "functionCall", "functionResponse", "response",
    "args", "source", "image_url", "url", "data", "function_call", "summary", "thought", "metadata", "format",
))
WORDS = st.sampled_from((
    "assistant", "user", "tool", "model", "system", "text", "tool_use", "tool_result", "function_call",
    "function_call_output", "reasoning", "image", "input_image", "custom_tool_call", "thinking", "item_reference",
    "data:image/png;base64,AA==",
))
# fmt: on
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | WORDS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=5),
    max_leaves=30,
)


def shown(asked: Asked) -> dict[str, Any]:
    def echoes(given: tuple[Echo, ...]) -> list[dict[str, Any]]:
        return [
            {"call_id": echo.call_id, "tool": echo.tool, "failed": echo.failed, "anchored": bool(echo.anchor)} for echo in given
        ]

    fields = {name: getattr(asked, name) for name in asked.__struct_fields__ if name != "content"}
    return {**fields, "results": echoes(asked.results), "history": echoes(asked.history), "prefix": bool(asked.prefix)}


def check(asked: Asked | None) -> None:
    """What is read holds the bounds and crosses to another process whole."""
    if asked is None:
        return
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(asked), type=Asked) == asked
    assert len(asked.results) <= limits.ECHOES_MAX
    assert len(asked.history) <= limits.HISTORY_MAX
    assert len(asked.prefix) in (0, 16)
    assert all(len(echo.anchor) in (0, 16) for echo in asked.results + asked.history)
    json.dumps(asked.content, allow_nan=False)


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_a_request_as_agents_send_it(name: str, separators: tuple[str, str]) -> None:
    golden = GOLDEN[name]
    for ensure_ascii in (True, False):
        body = json.dumps(golden["body"], ensure_ascii=ensure_ascii, separators=separators).encode()
        asked = read_request(golden["api"], golden["path"].encode(), body)
        assert asked is not None
        assert shown(asked) == golden["asked"]
        assert asked.content is None


@pytest.mark.parametrize("name", GOLDEN)
def test_a_request_that_is_cut_is_not_read(name: str) -> None:
    golden = GOLDEN[name]
    body = json.dumps(golden["body"], separators=(",", ":")).encode()
    for end in range(len(body)):
        assert read_request(golden["api"], golden["path"].encode(), body[:end]) is None


@settings(max_examples=300, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(GOLDEN)), chars=st.sampled_from([0, 5]))
def test_damaged_bytes_never_raise(data: st.DataObject, name: str, chars: int) -> None:
    golden = GOLDEN[name]
    body = bytearray(json.dumps(golden["body"], ensure_ascii=False).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place : place + data.draw(st.integers(0, 8))] = data.draw(
            st.binary(max_size=4) | st.sampled_from([b'"', b"{", b"]", b"\\"])
        )
        if not body:
            break
    check(read_request(golden["api"], golden["path"].encode(), bytes(body), content_chars=chars))


@settings(max_examples=300, deadline=None)
@given(data=st.data(), name=st.sampled_from(sorted(GOLDEN)), chars=st.sampled_from([0, 5]))
def test_a_value_of_any_other_type_anywhere_never_raises(data: st.DataObject, name: str, chars: int) -> None:
    golden = GOLDEN[name]
    body = json.loads(json.dumps(golden["body"]))
    held: Any = body
    while True:
        key = data.draw(st.sampled_from(sorted(held) if isinstance(held, dict) else range(len(held))))
        if not isinstance(held[key], dict | list) or not held[key] or data.draw(st.integers(0, 3)) == 0:
            break
        held = held[key]
    held[key] = data.draw(JSON)
    asked = read_request(golden["api"], golden["path"].encode(), json.dumps(body).encode(), content_chars=chars)
    assert asked is not None
    check(asked)


@settings(max_examples=400, deadline=None)
@given(data=st.data(), family=st.sampled_from(sorted(FAMILIES)), chars=st.sampled_from([0, 1, 100]))
def test_any_json_at_all_never_raises(data: st.DataObject, family: tuple[str, bytes], chars: int) -> None:
    api, path = family
    body = data.draw(st.dictionaries(st.sampled_from(FAMILIES[family]), JSON | st.lists(JSON, max_size=5)))
    asked = read_request(api, path, json.dumps(body).encode(), content_chars=chars)
    assert asked is not None
    check(asked)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(FAMILIES)), st.binary(max_size=200), st.binary(max_size=40))
def test_any_bytes_at_all_never_raise(family: tuple[str, bytes], body: bytes, path: bytes) -> None:
    check(read_request(family[0], family[1], body))
    check(read_request(family[0], path, b"{}"))


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_nesting_beyond_all_reason_never_raises(family: tuple[str, bytes]) -> None:
    for depth in (100, 1_000, 100_000):
        for field in FAMILIES[family]:
            for opened, closed in (("[", "]"), ('{"content":', "}"), ('[{"type":"tool_use","input":', "}]")):
                body = f'{{"{field}":{opened * depth}1{closed * depth}}}'.encode()
                check(read_request(*family, body, content_chars=100))
