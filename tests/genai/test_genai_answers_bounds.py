"""An answer's reader never raises and never grows without bound, whatever comes."""

import json
from itertools import pairwise
from typing import Any

import pytest
from answer_cases import CASES, JSON, PREFIX, SSE, case_named
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer_proxy import limits
from tracer_proxy.genai.answered import Answered
from tracer_proxy.genai.answers import AnswerReader

APIS = ["chat_completions", "completions", "responses", "embeddings", "messages", "generate_content", "embed_content"]
KEYS = sorted(
    {"error", "delta", "parts", "candidates", "tool_calls", "function_call", "content", "usage", "index", "item", "response"}
)
each_api = pytest.mark.parametrize("api", APIS)


def read(api: str, *pieces: bytes, content_type: bytes = SSE, encoding: bytes = b"") -> tuple[Answered | None, str]:
    reader = AnswerReader(
        api, status=200, content_type=content_type, content_encoding=encoding, prefix=PREFIX, content_chars=100
    )
    for piece in pieces:
        reader.feed(piece, 1.0)
    return reader.finish(), reader.gave_up


def event(value: Any) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


@each_api
@settings(max_examples=100)
@given(
    data=st.binary(max_size=300),
    content_type=st.sampled_from([SSE, JSON, b"", b"text/plain; x"]),
    encoding=st.sampled_from([b"", b"gzip", b"br", b"zstd", b"deflate", b"gzip, br", b"\xff"]),
    cut=st.integers(0, 300),
)
def test_random_bytes(api: str, data: bytes, content_type: bytes, encoding: bytes, cut: int) -> None:
    read(api, data[:cut], data[cut:], content_type=content_type, encoding=encoding)


def json_values() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers(-2, 2**70) | st.floats(allow_nan=False) | st.text(max_size=5)
    keys = st.sampled_from(KEYS) | st.text(max_size=3)
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
    )


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, part in inner for place in places(part, (*path, key)))]


def replaced(value: Any, path: tuple[Any, ...], by: Any) -> Any:
    if not path:
        return by
    key, *rest = path
    changed = value.copy()
    changed[key] = replaced(value[key], tuple(rest), by)
    return changed


BODIES = [(case.api, json.loads(case.body)) for case in CASES if case.name.endswith(".json")]
EVENTS = [
    (case.api, json.loads(part.removeprefix(b"data: ")))
    for case in CASES
    if case.name.endswith(".sse") and b"\r" not in case.body
    for part in case.body.split(b"\n")
    if part.startswith(b"data: {")
]


@settings(max_examples=200)
@given(st.data())
def test_a_value_replaced_by_any_other(data: st.DataObject) -> None:
    is_stream = data.draw(st.booleans())
    api, value = data.draw(st.sampled_from(EVENTS if is_stream else BODIES))
    path = data.draw(st.sampled_from(places(value)))
    changed = replaced(value, path, data.draw(json_values()))
    if is_stream:
        read(api, event(changed), event(value), b"data: [DONE]\n\n")
    else:
        read(api, json.dumps(changed).encode(), content_type=JSON)


@settings(max_examples=200)
@given(st.sampled_from(CASES), st.data())
def test_bytes_cut_out_or_changed(case: Any, data: st.DataObject) -> None:
    body = case.body
    begin, end = sorted((data.draw(st.integers(0, len(body))), data.draw(st.integers(0, len(body)))))
    changed = body[:begin] + data.draw(st.binary(max_size=5)) + body[end:]
    reader = case.reader(content_chars=50)
    cuts = [0, *sorted(data.draw(st.lists(st.integers(0, len(changed)), max_size=4))), len(changed)]
    for left, right in pairwise(cuts):
        reader.feed(changed[left:right], 1.0)
    reader.finish()


@each_api
@pytest.mark.parametrize("text", [b"[" * 100_000, b'{"choices":' * 50_000, b'{"error":' + b"[" * 100_000])
def test_nesting_bombs(api: str, text: bytes) -> None:
    assert read(api, b"data: " + text + b"\n\n")[0] is None
    assert read(api, text, content_type=JSON)[0] is None


def test_a_body_that_is_too_large_is_given_up() -> None:
    body = case_named("chat_text.json").body
    padding = b" " * (limits.ANSWER_READ_BYTES_MAX - len(body))
    answered, gave_up = read("chat_completions", body, padding, content_type=JSON)
    assert (answered is not None, gave_up) == (True, "")
    assert read("chat_completions", body, padding + b" ", content_type=JSON) == (None, "too_large")


def chat(delta: dict[str, Any], finish: str | None = None, index: int = 0) -> bytes:
    return event({"id": "c", "model": "m", "choices": [{"index": index, "delta": delta, "finish_reason": finish}]})


def chat_call(index: int, arguments: str = "{}") -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "id": f"call_{index}", "function": {"name": "f", "arguments": arguments}}]}


def test_an_event_that_is_too_large_is_passed_over() -> None:
    large = chat({"content": "x" * limits.ANSWER_EVENT_BYTES_MAX})
    answered, gave_up = read("chat_completions", chat({"content": "a"}), large, chat(chat_call(0), "tool_calls"))
    assert gave_up == "too_large"
    assert answered is not None
    assert (answered.finish_reasons, answered.chunks) == (("tool_calls",), 2)
    # What the large event said is not known: it may have been part of a call.
    assert answered.calls == ()


def test_a_long_text_costs_the_anchors_only() -> None:
    piece = chat({"content": "x" * (limits.ANSWER_TEXT_CHARS_MAX // 4)})
    call = chat(chat_call(0), "tool_calls")
    for pieces, has_anchor in ((4, True), (5, False)):
        answered, gave_up = read("chat_completions", *[piece] * pieces, call)
        assert gave_up == ""
        assert answered is not None
        assert [bool(call.anchor) for call in answered.calls] == [has_anchor]


def test_long_arguments_cost_the_call() -> None:
    piece = chat({"tool_calls": [{"index": 1, "function": {"arguments": "x" * (limits.ANSWER_TEXT_CHARS_MAX // 4)}}]})
    pieces = [chat(chat_call(0)), chat(chat_call(1)), *[piece] * 5, chat({}, "tool_calls")]
    answered, _ = read("chat_completions", *pieces)
    assert answered is not None
    assert [call.call_id for call in answered.calls] == ["call_0"]


def test_calls_beyond_the_bound_are_given_up() -> None:
    count = limits.ANSWER_CALLS_MAX
    answered, _ = read("chat_completions", *[chat(chat_call(place)) for place in range(count)], chat({}, "tool_calls"))
    assert answered is not None
    assert len(answered.calls) == count
    answered, _ = read("chat_completions", *[chat(chat_call(place)) for place in range(count + 50)], chat({}, "tool_calls"))
    assert answered is not None
    assert len(answered.calls) <= count


def test_choices_beyond_the_bound_are_left_out() -> None:
    answered, _ = read("chat_completions", *[chat({"content": "a"}, "stop", index) for index in range(1000)])
    assert answered is not None
    assert answered.content is not None
    assert len(answered.finish_reasons) == len(answered.content) == limits.ANSWER_CHOICES_MAX


def test_names_that_are_too_long_are_left_out() -> None:
    long = "x" * (limits.ANSWER_NAME_CHARS_MAX + 1)
    answered, _ = read("chat_completions", event({"id": long, "model": long, "service_tier": long, "choices": []}))
    assert answered is not None
    assert (answered.id, answered.model, answered.parameters) == ("", "", {})


def test_gaps_beyond_the_bound_are_not_measured() -> None:
    pieces = [chat({"content": "a"})] * (limits.ANSWER_GAPS_MAX + 10)
    answered, _ = read("chat_completions", *pieces)
    assert answered is not None
    assert (answered.chunks, len(answered.gaps)) == (limits.ANSWER_GAPS_MAX + 10, limits.ANSWER_GAPS_MAX)
