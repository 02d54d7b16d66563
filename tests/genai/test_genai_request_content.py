"""Content that is captured, in the shape of the conventions' JSON schemas."""

from typing import Any

import msgspec
import pytest
from asked_cases import chat, chat_call, chat_result, chat_said, gemini, messages, responses, user

from tracer_proxy import limits
from tracer_proxy.genai.asked import Asked

REQUIRED = {
    "text": {"content"},
    "reasoning": {"content"},
    "tool_call": {"name"},
    "tool_call_response": {"response"},
    "blob": {"modality", "content"},
    "uri": {"modality", "uri"},
    "file": {"modality", "file_id"},
}
"""Members that the published schemas demand of each type of part."""


def content(asked: Asked) -> dict[str, Any]:
    assert asked.content is not None
    parts = [part for message in asked.content["messages"] for part in message["parts"]] + asked.content["system"]
    for part in parts:
        assert set(part) >= REQUIRED[part["type"]]
    return asked.content


def test_a_chat() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    sound = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}}
    question = {"role": "user", "content": [{"type": "text", "text": "What is this?"}, picture, sound]}
    tool = {"type": "function", "function": {"name": "weather", "description": "Of a city", "parameters": {"type": "object"}}}
    given = [{"role": "system", "content": "Help."}, question, chat_said(chat_call("c"), text="Hm."), chat_result("c")]
    asked = chat(given, content_chars=100, tools=[tool])
    assert content(asked) == {
        "messages": [
            {"role": "system", "parts": [{"type": "text", "content": "Help."}]},
            {
                "role": "user",
                "parts": [
                    {"type": "text", "content": "What is this?"},
                    {"type": "blob", "modality": "image", "mime_type": "image/png", "content": ""},
                    {"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": ""},
                ],
            },
            {
                "role": "assistant",
                "parts": [
                    {"type": "text", "content": "Hm."},
                    {"type": "tool_call", "id": "c", "name": "weather", "arguments": {"city": "Oslo"}},
                ],
            },
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "rain"}]},
        ],
        "system": [],
        "tools": [{"type": "function", "name": "weather", "description": "Of a city", "parameters": {"type": "object"}}],
    }
    assert [echo.result for echo in asked.results] == ["rain"]


def test_responses() -> None:
    given = [
        {
            "role": "user",
            "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_image", "image_url": "https://a.example/b"}],
        },
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm"}], "encrypted_content": "secret"},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "out"}]},
    ]
    found = content(responses(given, content_chars=100, instructions="Help."))
    assert found == {
        "messages": [
            {
                "role": "user",
                "parts": [
                    {"type": "text", "content": "Hi"},
                    {"type": "uri", "modality": "image", "mime_type": None, "uri": "https://a.example/b"},
                ],
            },
            {"role": "assistant", "parts": [{"type": "reasoning", "content": "Hm"}]},
            {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {}}]},
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "out"}]},
        ],
        "system": [{"type": "text", "content": "Help."}],
        "tools": [{"type": "function", "name": "weather", "description": "", "parameters": {"type": "object"}}],
    }
    assert content(responses("Hi", content_chars=100))["messages"] == [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]}
    ]


def test_messages() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/4AAQ"}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "rain"}, image]}
    given = [
        {"role": "user", "content": [image, {"type": "document", "source": {"type": "file", "file_id": "file_1"}}]},
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm", "signature": "secret"},
                {"type": "tool_use", "id": "t", "name": "weather", "input": {"city": "Oslo"}},
            ],
        },
        {"role": "user", "content": [result, {"type": "text", "text": "Go on."}]},
    ]
    asked = messages(
        given, content_chars=100, system=[{"type": "text", "text": "Help.", "cache_control": {"type": "ephemeral"}}]
    )
    assert content(asked) == {
        "messages": [
            {
                "role": "user",
                "parts": [
                    {"type": "blob", "modality": "image", "mime_type": "image/jpeg", "content": ""},
                    {"type": "file", "modality": "file", "mime_type": None, "file_id": "file_1"},
                ],
            },
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "Hm"},
                    {"type": "tool_call", "id": "t", "name": "weather", "arguments": {"city": "Oslo"}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"type": "tool_call_response", "id": "t", "response": "rain"},
                    {"type": "text", "content": "Go on."},
                ],
            },
        ],
        "system": [{"type": "text", "content": "Help."}],
        "tools": [{"type": "function", "name": "weather", "description": "", "parameters": {"type": "object"}}],
    }
    assert [echo.result for echo in asked.results] == ["rain"]


def test_gemini() -> None:
    given = [
        {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}]},
        {"role": "user", "parts": [{"file_data": {"mime_type": "image/png", "file_uri": "gs://b/o"}}]},
        {"role": "model", "parts": [{"text": "Hm", "thought": True}, {"functionCall": {"name": "f", "args": {"a": 1}}}]},
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {"result": "out"}}}]},
    ]
    asked = gemini(given, content_chars=100, systemInstruction={"parts": [{"text": "Help."}]})
    assert content(asked) == {
        "messages": [
            {
                "role": "user",
                "parts": [
                    {"type": "text", "content": "Hi"},
                    {"type": "blob", "modality": "video", "mime_type": "video/mp4", "content": ""},
                ],
            },
            {
                "role": "user",
                "parts": [{"type": "uri", "modality": "image", "mime_type": "image/png", "uri": "gs://b/o"}],
            },
            {
                "role": "assistant",
                "parts": [{"type": "reasoning", "content": "Hm"}, {"type": "tool_call", "name": "f", "arguments": {"a": 1}}],
            },
            {"role": "user", "parts": [{"type": "tool_call_response", "response": '{"result":"out"}'}]},
        ],
        "system": [{"type": "text", "content": "Help."}],
        "tools": [{"type": "function", "name": "weather", "description": ""}],
    }
    assert [echo.result for echo in asked.results] == ['{"result":"out"}']


@pytest.mark.parametrize("arguments", ['{"n":18446744073709551616}', "[" * 90_000, "no JSON", '{"n":1e999}'])
def test_arguments_that_no_record_can_hold_stay_text(arguments: str) -> None:
    asked = chat([user("Hi"), chat_said(chat_call("c", arguments=arguments))], content_chars=100_000)
    assert content(asked)["messages"][1]["parts"][0]["arguments"] == arguments
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(asked), type=Asked) == asked


def test_each_text_is_cut_between_characters() -> None:
    asked = chat([user("\u6708\u6708\u6708"), chat_said(chat_call("c")), chat_result("c", "long result")], content_chars=2)
    question, said, result = content(asked)["messages"]
    assert question["parts"] == [{"type": "text", "content": "\u6708\u6708"}]
    assert said["parts"][0]["arguments"] == '{"'
    assert result["parts"][0]["response"] == "lo"
    assert asked.results[0].result == "lo"


@pytest.mark.parametrize("message", [user("x" * 10_000), {"role": "user", "content": [{"type": "text", "text": ""}] * 5}])
def test_all_in_all_it_has_a_bound_and_the_newest_messages_are_kept(message: dict[str, Any]) -> None:
    newest = user("The newest")
    kept = content(chat([message] * 3000 + [newest], content_chars=10_000))["messages"]
    assert kept[-1] == {"role": "user", "parts": [{"type": "text", "content": "The newest"}]}
    texts = [part["content"] for each in kept for part in each["parts"]]
    assert sum(len(text) for text in texts) <= limits.CONTENT_CHARS_MAX
    assert len(texts) <= limits.CONTENT_PARTS_MAX
    assert 2 < len(kept) < 3001


def test_without_a_size_nothing_is_captured() -> None:
    asked = chat([user("Hi"), chat_said(chat_call("c")), chat_result("c")])
    assert asked.content is None
    assert asked.results[0].result == ""
