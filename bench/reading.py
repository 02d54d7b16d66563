"""What reading calls of models costs a worker: requests with a history of a megabyte, and events of streamed answers."""

import json
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

from bench.report import markdown
from bench.stage import Stage, say
from tracer_proxy.genai.answers import AnswerReader
from tracer_proxy.genai.requests import read_request

TEXT = 'Some wörds of a tool\'s "result", with a line\n' * 100
STEPS = 100
"""Of a question, a call and its result each: about a megabyte."""
EVENTS = 2000
HISTORY_HEADER = ("request", "MB", "ms", "ms/MB", "json.loads ms")
EVENT_HEADER = ("streamed answer", "µs/event")


def run(stage: Stage, _only: Sequence[str]) -> dict[str, object]:
    histories = {name: _history(*case, rounds=10 * stage.rounds) for name, case in HISTORIES.items()}
    say(markdown([HISTORY_HEADER, *((name, *map("{:.2f}".format, row)) for name, row in histories.items())]))
    events = {name: _stream(api, event, rounds=stage.rounds) for name, (api, event) in EVENTS_OF.items()}
    say("\n" + markdown([EVENT_HEADER, *((name, f"{cost:.1f}") for name, cost in events.items())]))
    return {"histories": histories, "events": events}


def _history(api: str, path: bytes, document: dict[str, Any], rounds: int) -> tuple[float, float, float, float]:
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    size = len(body) / 1e6
    ours = _ms(lambda: read_request(api, path, body), rounds)
    return size, ours, ours / size, _ms(lambda: json.loads(body), rounds)


def _stream(api: str, event: dict[str, Any], rounds: int) -> float:
    data = f"data: {json.dumps(event)}\n\n".encode()

    def read() -> None:
        reader = AnswerReader(api, status=200, content_type=b"text/event-stream", content_encoding=b"", prefix=b"")
        for _ in range(EVENTS):
            reader.feed(data, 0.0)

    return _ms(read, rounds) * 1000 / EVENTS


def _ms(what: Callable[[], object], rounds: int) -> float:
    """The median, of CPU time."""
    costs = []
    for _ in range(rounds):
        begun = time.process_time()
        what()
        costs.append(time.process_time() - begun)
    return median(costs) * 1000


def _chat() -> dict[str, Any]:
    said: list[Any] = [{"role": "system", "content": "You help."}]
    for number in range(STEPS):
        call = {"id": f"call_{number}", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
        said += [{"role": "user", "content": TEXT}, {"role": "assistant", "content": "ok", "tool_calls": [call]}]
        said.append({"role": "tool", "tool_call_id": f"call_{number}", "content": TEXT})
    return {"model": "m", "messages": said, "tools": [{"type": "function", "function": {"name": "f"}}] * 20}


def _responses() -> dict[str, Any]:
    items: list[Any] = []
    for number in range(STEPS):
        call_id = f"call_{number}"
        items.append({"role": "user", "content": TEXT})
        items.append({"type": "function_call", "call_id": call_id, "name": "f", "arguments": '{"a": 1}'})
        items.append({"type": "function_call_output", "call_id": call_id, "output": TEXT})
    return {"model": "m", "input": items, "tools": [{"type": "function", "name": "f"}] * 20}


def _messages() -> dict[str, Any]:
    said: list[Any] = []
    for number in range(STEPS):
        call = {"type": "tool_use", "id": f"toolu_{number}", "name": "f", "input": {"a": 1}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{number}", "content": TEXT}
        said += [{"role": "user", "content": TEXT}, {"role": "assistant", "content": [{"type": "text", "text": "ok"}, call]}]
        said.append({"role": "user", "content": [result]})
    return {"model": "m", "max_tokens": 5, "messages": said, "tools": [{"name": "f"}] * 20}


def _gemini() -> dict[str, Any]:
    said: list[Any] = []
    for _ in range(STEPS):
        said.append({"role": "user", "parts": [{"text": TEXT}]})
        said.append({"role": "model", "parts": [{"text": "ok"}, {"functionCall": {"name": "f", "args": {"a": 1}}}]})
        said.append({"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"r": TEXT}}}]})
    return {"contents": said, "tools": [{"functionDeclarations": [{"name": "f"}]}]}


HISTORIES: dict[str, tuple[str, bytes, dict[str, Any]]] = {
    "OpenAI chat": ("openai", b"/v1/chat/completions", _chat()),
    "OpenAI Responses": ("openai", b"/v1/responses", _responses()),
    "Anthropic Messages": ("anthropic", b"/v1/messages", _messages()),
    "Gemini": ("gemini", b"/v1beta/models/m:generateContent", _gemini()),
}
EVENTS_OF: dict[str, tuple[str, dict[str, Any]]] = {
    "OpenAI chat": (
        "chat_completions",
        {
            "id": "chatcmpl-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "delta": {"content": "Hello"}, "logprobs": None, "finish_reason": None}],
        },
    ),
    "OpenAI Responses": (
        "responses",
        {"type": "response.output_text.delta", "sequence_number": 4, "item_id": "m", "output_index": 0, "delta": "Hello"},
    ),
    "Anthropic Messages": (
        "messages",
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}},
    ),
    "Gemini": (
        "generate_content",
        {"candidates": [{"content": {"role": "model", "parts": [{"text": "Hello"}]}, "index": 0}], "modelVersion": "m"},
    ),
}
