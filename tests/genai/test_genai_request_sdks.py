"""What the official SDKs send: the readers see it, and a call is known again when its result comes back."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import ANY

import pytest
from aiohttp import web
from anthropic import AsyncAnthropic
from google import genai
from google.genai import types
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from openai.types.responses import ResponseInputParam

from tracer_proxy.genai.anchor import call_anchors
from tracer_proxy.genai.asked import Asked
from tracer_proxy.genai.requests import read_request

SCHEMA: dict[str, Any] = {"type": "object", "properties": {"city": {"type": "string"}}}
ARGUMENTS = '{"city": "Z\\u00fcrich",  "days": 2}'
"""As a model may write them: with spaces, and escaped."""

OF_THE_SDK = pytest.mark.filterwarnings("ignore:Inheritance class:DeprecationWarning")


class Provider:
    """Says what it is told to, and keeps what it was asked."""

    def __init__(self, api: str, answers: Sequence[dict[str, Any]]) -> None:
        self._api = api
        self._answers: Iterator[dict[str, Any]] = iter(answers)
        self.asked: list[Asked] = []
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        asked = read_request(self._api, request.rel_url.raw_path.encode(), await request.read(), content_chars=50)
        assert asked is not None
        self.asked.append(asked)
        return web.json_response(next(self._answers))


@asynccontextmanager
async def provider(api: str, *answers: dict[str, Any]) -> AsyncIterator[Provider]:
    served = Provider(api, answers)
    app = web.Application()
    app.router.add_post("/{path:.*}", served.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    served.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield served
    finally:
        await runner.cleanup()


def anchors(asked: Asked, text: str, *calls: tuple[str, str]) -> list[bytes]:
    """As the reader of the answer to ``asked`` makes them."""
    assert asked.prefix
    return call_anchors(asked.prefix, text, calls)


CHAT_CALLS = [
    {"id": f"call_{place}", "type": "function", "function": {"name": "weather", "arguments": arguments}}
    for place, arguments in enumerate((ARGUMENTS, "{}"))
]


async def test_openai_chat() -> None:
    message = {"role": "assistant", "content": "Let me see.", "refusal": None, "annotations": [], "tool_calls": CHAT_CALLS}
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "gpt",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "logprobs": None, "message": message}],
    }
    said: list[ChatCompletionMessageParam] = [{"role": "system", "content": "Help."}, {"role": "user", "content": "Wet, 月?"}]
    async with (
        provider("openai", answer, answer, answer) as served,
        AsyncOpenAI(base_url=served.url + "/v1", api_key="any") as client,
    ):
        for step in range(2):
            reply = await client.chat.completions.create(
                model="gpt",
                messages=said,
                tools=[{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}],
                temperature=0.5,
                max_completion_tokens=9,
                stop=["END"],
                n=1,
                metadata={"session_id": "s"},
            )
            said.append(reply.choices[0].message)  # type: ignore[arg-type]  # as the SDK's own examples do it
            said += [{"role": "tool", "tool_call_id": f"call_{place}", "content": f"rain {step}"} for place in (1, 0)]
        await client.chat.completions.create(model="gpt", messages=said)
    first, second, third = served.asked
    assert (first.api, first.model, first.session_id, first.results) == ("chat_completions", "gpt", "s", ())
    assert first.parameters == {
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.stop_sequences": ["END"],
    }
    for asked, follow_up in ((first, second), (second, third)):
        known = anchors(asked, "Let me see.", ("weather", ARGUMENTS), ("weather", ""))
        assert [(echo.call_id, echo.tool) for echo in follow_up.results] == [("call_1", "weather"), ("call_0", "weather")]
        assert [echo.anchor for echo in follow_up.results] == known[::-1]
    assert second.results[0].anchor != third.results[0].anchor, "the same ids, a step later"
    assert [echo.result for echo in third.results] == ["rain 1", "rain 1"]


async def test_openai_responses() -> None:
    calls = [
        {"type": "function_call", "id": f"fc_{call_id}", "call_id": call_id, "name": "weather", "arguments": ARGUMENTS}
        for call_id in ("call_0", "call_1")
    ]
    text = {"type": "output_text", "text": "Let me see.", "annotations": [], "logprobs": []}
    message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]}
    answer = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "gpt",
        "output": [{"type": "reasoning", "id": "rs_1", "summary": []}, message, *calls],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
    }
    said: ResponseInputParam = [{"role": "user", "content": "Wet, 月?"}]
    outputs: ResponseInputParam = [
        {"type": "function_call_output", "call_id": call_id, "output": "rain"} for call_id in ("call_0", "call_1")
    ]
    asked: Any = {"model": "gpt", "tools": [{"type": "function", "name": "weather", "parameters": SCHEMA, "strict": False}]}
    async with (
        provider("openai", answer, answer, answer) as served,
        AsyncOpenAI(base_url=served.url + "/v1", api_key="any") as client,
    ):
        for _ in range(2):
            reply = await client.responses.create(input=said, instructions="Help.", max_output_tokens=9, **asked)
            said += reply.output  # as the SDK's own examples do it
            said += outputs
        await client.responses.create(input=outputs, previous_response_id="resp_1", conversation="conv_1", **asked)
    first, second, third = served.asked
    assert (first.api, first.results, first.parameters) == ("responses", (), {"gen_ai.request.max_tokens": 9})
    assert [echo.anchor for echo in second.results] == anchors(first, "Let me see.", *[("weather", ARGUMENTS)] * 2)
    assert [echo.call_id for echo in second.results] == ["call_0", "call_1"]
    assert (third.previous_response_id, third.conversation_id) == ("resp_1", "conv_1")
    assert [(echo.call_id, echo.anchor) for echo in third.results] == [("call_0", b""), ("call_1", b"")]


async def test_openai_embeddings() -> None:
    answer = {"object": "list", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "model": "e"}
    async with provider("openai", answer) as served, AsyncOpenAI(base_url=served.url + "/v1", api_key="any") as client:
        await client.embeddings.create(model="e", input="a", dimensions=8)
    [asked] = served.asked
    assert (asked.api, asked.operation, asked.model) == ("embeddings", "embeddings", "e")
    assert asked.parameters == {"gen_ai.embeddings.dimension.count": 8, "gen_ai.request.encoding_formats": ["base64"]}


@pytest.mark.parametrize("marked", [False, True])
async def test_anthropic(marked: bool) -> None:
    blocks = [
        {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "functions.weather:0", "name": "weather", "input": json.loads(ARGUMENTS)},
        {"type": "tool_use", "id": "functions.weather:1", "name": "weather", "input": {}},
    ]
    usage = {"input_tokens": 1, "output_tokens": 1}
    answer: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": blocks,
        "usage": usage,
    }
    answer |= {"stop_reason": "tool_use", "stop_sequence": None}
    mark: Any = {"cache_control": {"type": "ephemeral"}} if marked else {}
    said: list[Any] = [{"role": "user", "content": [{"type": "text", "text": "Wet, 月?", **mark}]}]
    async with (
        provider("anthropic", answer, answer, answer) as served,
        AsyncAnthropic(base_url=served.url, api_key="any") as client,
    ):
        for _ in range(3):
            reply = await client.messages.create(
                model="claude",
                max_tokens=9,
                messages=said,
                tools=[{"name": "weather", "input_schema": SCHEMA}],
                metadata={"user_id": '{"session_id":"s"}'},
            )
            said[-1]["content"][-1].pop("cache_control", None)  # the mark moves on
            said.append({"role": "assistant", "content": reply.content})
            results: Any = [
                {"type": "tool_result", "tool_use_id": block["id"], "content": "rain", "is_error": True} for block in blocks[1:]
            ]
            said.append({"role": "user", "content": [*results, {"type": "text", "text": "Go on.", **mark}]})
    first, second, third = served.asked
    assert (first.api, first.model, first.session_id, first.results) == ("messages", "claude", "s", ())
    assert first.parameters == {"gen_ai.request.max_tokens": 9}
    for asked, follow_up in ((first, second), (second, third)):
        known = anchors(asked, "Let me see.", ("weather", ARGUMENTS), ("weather", ""))
        assert [echo.call_id for echo in follow_up.results] == ["functions.weather:0", "functions.weather:1"]
        assert [echo.anchor for echo in follow_up.results] == known
        assert all(echo.failed for echo in follow_up.results)
    assert second.results[0].anchor != third.results[0].anchor, "the same ids, a step later"
    assert [echo.anchor for echo in third.history] == [echo.anchor for echo in second.results[::-1]]


@OF_THE_SDK
async def test_gemini() -> None:
    called = [
        {"functionCall": {"name": "weather", "args": json.loads(ARGUMENTS)}},
        {"functionCall": {"name": "weather", "args": {}}},
    ]
    content = {"role": "model", "parts": [{"text": "Let me see."}, *called]}
    answer = {"candidates": [{"content": content, "finishReason": "STOP", "index": 0}], "modelVersion": "g", "responseId": "r"}
    said: list[types.Content] = [types.UserContent("Wet, 月?")]
    config = types.GenerateContentConfig(
        system_instruction="Help.",
        temperature=0.5,
        max_output_tokens=9,
        top_k=40,
        response_mime_type="application/json",
        tools=[types.Tool(function_declarations=[types.FunctionDeclaration(name="weather", parameters_json_schema=SCHEMA)])],
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
    )
    async with provider("gemini", answer, answer) as served:
        client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=served.url))
        for _ in range(2):
            reply = await client.aio.models.generate_content(model="gemini-2.5-flash", contents=said, config=config)
            assert reply.candidates
            assert reply.candidates[0].content
            said.append(reply.candidates[0].content)
            results = [
                types.Part.from_function_response(name="weather", response={"result": place}) for place in ("rain", "dry")
            ]
            said.append(types.Content(role="user", parts=results))
        await client.aio.aclose()
    first, second = served.asked
    assert (first.api, first.model, first.stream, first.results) == ("generate_content", "gemini-2.5-flash", False, ())
    assert first.parameters == {
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.request.top_k": 40.0,
        "gen_ai.output.type": "json",
    }
    known = anchors(first, "Let me see.", ("weather", ARGUMENTS), ("weather", ""))
    assert [(echo.call_id, echo.tool, echo.anchor) for echo in second.results] == [("", "weather", each) for each in known]
    assert second.content == {
        "messages": [ANY, ANY, ANY],
        "system": [{"type": "text", "content": "Help."}],
        "tools": [{"type": "function", "name": "weather", "description": "", "parameters": ANY}],
    }


@OF_THE_SDK
async def test_gemini_embeddings() -> None:
    answer = {"embeddings": [{"values": [0.5]}]}
    async with provider("gemini", answer) as served:
        client = genai.Client(api_key="any", http_options=types.HttpOptions(base_url=served.url))
        await client.aio.models.embed_content(
            model="gemini-embedding-001", contents="a", config=types.EmbedContentConfig(output_dimensionality=8)
        )
        await client.aio.aclose()
    [asked] = served.asked
    assert (asked.api, asked.operation, asked.model) == ("embed_content", "embeddings", "gemini-embedding-001")
    assert asked.parameters == {"gen_ai.embeddings.dimension.count": 8}
