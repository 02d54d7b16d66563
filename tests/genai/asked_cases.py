"""Bodies of requests as clients write them, and what they come to."""

import json
from typing import Any

from tracer_proxy.genai.anchor import call_anchors, prefix_digest
from tracer_proxy.genai.asked import Asked
from tracer_proxy.genai.requests import read_request

CHAT = b"/v1/chat/completions"
RESPONSES = b"/v1/responses"
MESSAGES = b"/v1/messages"
GENERATE = b"/v1beta/models/gemini-2.5-flash:generateContent"

CHAT_TOOLS = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
RESPONSES_TOOLS = [{"type": "function", "name": "weather", "parameters": {"type": "object"}}]
MESSAGES_TOOLS = [{"name": "weather", "input_schema": {"type": "object"}}]
GEMINI_TOOLS = [{"functionDeclarations": [{"name": "weather"}]}]


def written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def asked(api: str, path: bytes, content_chars: int = 0, **body: Any) -> Asked:
    found = read_request(api, path, written(body), content_chars=content_chars)
    assert found is not None
    return found


def chat(messages: list[Any], **body: Any) -> Asked:
    return asked("openai", CHAT, **{"model": "m", "messages": messages, "tools": CHAT_TOOLS, **body})


def responses(items: Any, **body: Any) -> Asked:
    return asked("openai", RESPONSES, **{"model": "m", "input": items, "tools": RESPONSES_TOOLS, **body})


def messages(given: list[Any], **body: Any) -> Asked:
    return asked("anthropic", MESSAGES, **{"model": "m", "messages": given, "tools": MESSAGES_TOOLS, **body})


def gemini(contents: Any, **body: Any) -> Asked:
    return asked("gemini", GENERATE, **{"contents": contents, "tools": GEMINI_TOOLS, **body})


def anchors(before: list[Any], text: str, *calls: tuple[str, str]) -> list[bytes]:
    """What whoever reads the answer comes to: all that was asked, and what the model said to it."""
    return call_anchors(prefix_digest(written(message) for message in before), text, list(calls))


def chat_call(call_id: str, tool: str = "weather", arguments: str = '{"city": "Oslo"}') -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": tool, "arguments": arguments}}


def chat_said(*calls: dict[str, Any], text: str | None = None) -> dict[str, Any]:
    return {"role": "assistant", "content": text, "tool_calls": list(calls)}


def chat_result(call_id: str, text: str = "rain") -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": text}


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}
