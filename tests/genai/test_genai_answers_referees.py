"""The providers' own SDKs say the same of the golden answers: the calls, the counts and the text."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anthropic
import openai
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from answer_cases import Case, case_named, expected
from anthropic import AsyncAnthropic
from google import genai
from google.genai import types
from openai import AsyncOpenAI

from tracer_proxy.genai.anchor import arguments_digest
from tracer_proxy.genai.answered import Answered, Usage


@asynccontextmanager
async def provider(case: Case) -> AsyncIterator[str]:
    """Answers every request with the golden answer, in several writes."""

    async def answer(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(status=case.status, headers={"Content-Type": case.content_type.decode()})
        await response.prepare(request)
        for place in range(0, len(case.body), 100):
            await response.write(case.body[place : place + 100])
        await response.write_eof()
        return response

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(application) as server:
        yield str(server.make_url("")).rstrip("/")


Said = tuple[str, str, str]
"""A call: id, tool, arguments."""


def agrees(answered: Answered, *, answer_id: str | None, model: str | None, calls: list[Said], text: str) -> None:
    assert answered.id == answer_id
    assert answered.model == model
    assert [(call.call_id, call.tool, call.arguments_digest) for call in answered.calls] == [
        (call_id, tool, arguments_digest(arguments)) for call_id, tool, arguments in calls
    ]
    assert answered.content is not None
    parts = [part["content"] for part in answered.content[0]["parts"] if part["type"] == "text"]
    assert "".join(parts) == text


def read(case: Case) -> Answered:
    answered = case.read([case.body], content_chars=10_000)
    assert answered is not None
    assert answered.usage == expected(case).usage
    return answered


async def ask_chat(client: AsyncOpenAI, is_stream: bool) -> Any:
    if not is_stream:
        return await client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    async with client.chat.completions.stream(model="m", messages=[{"role": "user", "content": "hi"}]) as stream:
        async for _ in stream:
            pass
        return await stream.get_final_completion()


@pytest.mark.parametrize(
    "name",
    [
        "chat_text.sse",
        "chat_calls.sse",
        "chat_choices.sse",
        "chat_refusal.sse",
        "chat_crlf.sse",
        "chat_cr.sse",
        "chat_text.json",
        "chat_calls.json",
        "chat_custom_call.json",
    ],
)
async def test_openai_chat(name: str) -> None:
    case = case_named(name)
    async with provider(case) as url, AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
        completion = await ask_chat(client, case.is_stream)
    calls: list[Said] = []
    for choice in completion.choices:
        for call in choice.message.tool_calls or ():
            named = call.custom if call.type == "custom" else call.function
            calls.append((call.id, named.name, named.input if call.type == "custom" else named.arguments))
    message = completion.choices[0].message
    answered = read(case)
    agrees(
        answered,
        answer_id=completion.id,
        model=completion.model,
        calls=calls,
        text=(message.content or "") + (message.refusal or ""),
    )
    assert answered.finish_reasons == tuple(choice.finish_reason for choice in completion.choices)
    assert answered.parameters == {
        "openai.response.service_tier": completion.service_tier,
        "openai.response.system_fingerprint": completion.system_fingerprint,
    }
    if (usage := completion.usage) is not None:
        assert answered.usage == Usage(
            input=usage.prompt_tokens,
            output=usage.completion_tokens,
            cache_read=usage.prompt_tokens_details.cached_tokens,
            reasoning=usage.completion_tokens_details.reasoning_tokens,
        )


async def ask_responses(client: AsyncOpenAI, is_stream: bool) -> Any:
    if not is_stream:
        return await client.responses.create(model="m", input="hi")
    async with client.responses.stream(model="m", input="hi") as stream:
        async for _ in stream:
            pass
        return await stream.get_final_response()


@pytest.mark.parametrize("name", ["responses_text.sse", "responses_calls.sse", "responses_refusal.sse", "responses_calls.json"])
async def test_openai_responses(name: str) -> None:
    case = case_named(name)
    async with provider(case) as url, AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
        response = await ask_responses(client, case.is_stream)
    calls: list[Said] = []
    text = response.output_text
    for item in response.output:
        if item.type == "function_call":
            calls.append((item.call_id, item.name, item.arguments))
        elif item.type == "custom_tool_call":
            calls.append((item.call_id, item.name, item.input))
        elif item.type == "message":
            text += "".join(part.refusal for part in item.content if part.type == "refusal")
    answered = read(case)
    agrees(answered, answer_id=response.id, model=response.model, calls=calls, text=text)
    assert answered.usage == Usage(
        input=response.usage.input_tokens,
        output=response.usage.output_tokens,
        cache_read=response.usage.input_tokens_details.cached_tokens,
        cache_creation=response.usage.input_tokens_details.cache_write_tokens,
        reasoning=response.usage.output_tokens_details.reasoning_tokens,
    )
    assert answered.conversation_id == (response.conversation.id if response.conversation else "")


async def ask_anthropic(client: AsyncAnthropic, is_stream: bool) -> Any:
    if not is_stream:
        return await client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])
    async with client.messages.stream(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]) as stream:
        return await stream.get_final_message()


@pytest.mark.parametrize("name", ["messages_text.sse", "messages_calls.sse", "messages_calls.json"])
async def test_anthropic_messages(name: str) -> None:
    case = case_named(name)
    async with provider(case) as url, AsyncAnthropic(base_url=url, api_key="any", max_retries=0) as client:
        message = await ask_anthropic(client, case.is_stream)
    calls = [(block.id, block.name, json.dumps(block.input)) for block in message.content if block.type == "tool_use"]
    text = "".join(block.text for block in message.content if block.type == "text")
    answered = read(case)
    agrees(answered, answer_id=message.id, model=message.model, calls=calls, text=text)
    usage = message.usage
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    assert answered.usage == Usage(
        input=usage.input_tokens + cached,
        output=usage.output_tokens,
        cache_read=usage.cache_read_input_tokens,
        cache_creation=usage.cache_creation_input_tokens,
    )


async def ask_gemini(client: genai.client.AsyncClient, is_stream: bool) -> list[types.GenerateContentResponse]:
    if not is_stream:
        return [await client.models.generate_content(model="m", contents="hi")]
    return [chunk async for chunk in await client.models.generate_content_stream(model="m", contents="hi")]


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
@pytest.mark.parametrize("name", ["gemini_text.sse", "gemini_calls.sse", "gemini_calls.json"])
async def test_gemini(name: str) -> None:
    case = case_named(name)
    async with provider(case) as url:
        options = types.HttpOptions(base_url=url)
        async with genai.Client(api_key="any", http_options=options).aio as client:
            chunks = await ask_gemini(client, case.is_stream)
    calls: list[Said] = []
    text = ""
    for chunk in chunks:
        for part in chunk.parts or ():
            if part.function_call:
                calls.append(
                    (part.function_call.id or "", part.function_call.name or "", json.dumps(part.function_call.args or {}))
                )
            elif not part.thought:
                text += part.text or ""
    agrees(read(case), answer_id=chunks[-1].response_id, model=chunks[-1].model_version, calls=calls, text=text)
    metadata = chunks[-1].usage_metadata
    assert metadata is not None
    assert read(case).usage.input == metadata.prompt_token_count
    assert read(case).usage.cache_read == metadata.cached_content_token_count


Ask = Callable[[Any, bool], Awaitable[Any]]


@pytest.mark.parametrize(
    ("name", "ask", "make_client"),
    [
        ("chat_error.sse", ask_chat, AsyncOpenAI),
        ("chat_error.json", ask_chat, AsyncOpenAI),
        ("messages_error.sse", ask_anthropic, AsyncAnthropic),
        ("messages_error.json", ask_anthropic, AsyncAnthropic),
    ],
)
async def test_what_is_an_error_for_us_is_one_for_the_sdk(name: str, ask: Ask, make_client: type[Any]) -> None:
    case = case_named(name)
    async with provider(case) as url, make_client(base_url=url, api_key="any", max_retries=0) as client:
        with pytest.raises((openai.APIError, anthropic.APIError)) as raised:
            await ask(client, case.is_stream)
    error: Any = raised.value
    assert expected(case).error == (getattr(error, "code", None) or error.type)
