"""Whole answers, as the official client reads them."""

import asyncio
import json
import math
from typing import Any

import pytest
from aiohttp import ClientSession
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How far away is the moon?"}]


async def test_an_answer_shows_what_was_asked(client: AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(model="gpt-4o", messages=QUESTION)
    choice = completion.choices[0]
    assert (completion.object, completion.model) == ("chat.completion", "gpt-4o")
    assert (choice.message.role, choice.finish_reason, choice.message.tool_calls) == ("assistant", "stop", None)
    assert "How far away is the moon?" in (choice.message.content or "")


async def test_the_sync_client_gets_the_same_answer(client: AsyncOpenAI, sync_client: OpenAI) -> None:
    one = await client.chat.completions.create(model="gpt-4o", messages=QUESTION)
    other = await asyncio.to_thread(sync_client.chat.completions.create, model="gpt-4o", messages=QUESTION)
    assert one == other


async def test_usage_adds_up_and_grows_with_the_prompt(client: AsyncOpenAI) -> None:
    short = (await client.chat.completions.create(model="m", messages=QUESTION)).usage
    longer: list[ChatCompletionMessageParam] = [{"role": "system", "content": "You answer in one word."}, *QUESTION]
    long = (await client.chat.completions.create(model="m", messages=longer)).usage
    assert short is not None
    assert long is not None
    assert 0 < short.prompt_tokens < long.prompt_tokens
    assert short.total_tokens == short.prompt_tokens + short.completion_tokens
    assert short.completion_tokens > 0


async def test_n_gives_numbered_choices_that_differ(client: AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(model="m", messages=QUESTION, n=3)
    assert [choice.index for choice in completion.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in completion.choices}) == 3


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
async def test_a_token_limit_breaks_the_answer_off(client: AsyncOpenAI, field: str) -> None:
    whole = await client.chat.completions.create(model="m", messages=QUESTION, seed=1)
    cut = await client.chat.completions.create(model="m", messages=QUESTION, seed=1, extra_body={field: 4})
    assert cut.choices[0].finish_reason == "length"
    assert cut.usage is not None
    assert cut.usage.completion_tokens == 4
    assert len(cut.choices[0].message.content or "") < len(whole.choices[0].message.content or "")


async def test_an_answer_that_just_fits_the_token_limit_is_whole(client: AsyncOpenAI) -> None:
    """The answers to these requests have about 40 tokens, so some of the limits are too low and some are not."""
    seen = set()
    for tokens_max in range(30, 50):
        completion = await client.chat.completions.create(model="m", messages=QUESTION, max_tokens=tokens_max)
        assert completion.usage is not None
        is_whole = (completion.choices[0].message.content or "").endswith("next time.")
        assert completion.usage.completion_tokens <= tokens_max
        assert is_whole or completion.usage.completion_tokens == tokens_max
        assert completion.choices[0].finish_reason == ("stop" if is_whole else "length")
        seen.add(is_whole)
    assert seen == {True, False}


@pytest.mark.parametrize("stop", ["moon", ["zebra", "moon", "away is the moon"]])
async def test_a_stop_sequence_ends_the_answer_before_itself(client: AsyncOpenAI, stop: str | list[str]) -> None:
    completion = await client.chat.completions.create(model="m", messages=QUESTION, stop=stop)
    content = completion.choices[0].message.content or ""
    assert completion.choices[0].finish_reason == "stop"
    assert content.endswith("How far " if isinstance(stop, list) else "the ")


async def test_parts_of_a_message_are_read_together(client: AsyncOpenAI) -> None:
    parts: list[ChatCompletionMessageParam] = [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is in this picture"},
                {"type": "text", "text": " of Oslo?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            ],
        }
    ]
    completion = await client.chat.completions.create(model="m", messages=parts)
    assert "What is in this picture of Oslo?" in (completion.choices[0].message.content or "")


class Distance(BaseModel):
    question: str
    kilometres: float
    sources: list[str]


async def test_a_structured_answer_fits_its_schema(client: AsyncOpenAI) -> None:
    completion = await client.chat.completions.parse(model="m", messages=QUESTION, response_format=Distance)
    parsed = completion.choices[0].message.parsed
    assert parsed is not None
    assert "How far away is the moon?" in parsed.question


async def test_json_mode_gives_a_json_object(client: AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(model="m", messages=QUESTION, response_format={"type": "json_object"})
    assert isinstance(json.loads(completion.choices[0].message.content or ""), dict)


@pytest.mark.parametrize("top", [0, 3])
async def test_likelihoods_are_those_of_the_tokens_of_a_stream(client: AsyncOpenAI, top: int) -> None:
    asked: Any = {"model": "m", "messages": QUESTION, "logprobs": True, "top_logprobs": top}
    whole = (await client.chat.completions.create(**asked)).choices[0]
    assert whole.logprobs is not None
    tokens = whole.logprobs.content or []
    assert "".join(token.token for token in tokens) == whole.message.content
    assert bytes(byte for token in tokens for byte in token.bytes or []).decode() == whole.message.content
    for token in tokens:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == top
        assert sum(math.exp(other.logprob) for other in token.top_logprobs) <= 1.0
        assert [other.token for other in token.top_logprobs][:1] == [token.token][:top]
    chunks = [chunk async for chunk in await client.chat.completions.create(**asked, stream=True)]
    streamed = [chunk.choices[0].logprobs.content for chunk in chunks if chunk.choices[0].logprobs]
    assert [token for part in streamed for token in part or []] == tokens


async def test_reasoning_costs_tokens_that_are_not_shown(client: AsyncOpenAI) -> None:
    plain = await client.chat.completions.create(model="m", messages=QUESTION)
    reasoned = await client.chat.completions.create(model="m", messages=QUESTION, reasoning_effort="high")
    assert plain.usage is not None
    assert reasoned.usage is not None
    assert reasoned.usage.completion_tokens_details is not None
    thought = reasoned.usage.completion_tokens_details.reasoning_tokens or 0
    assert thought > 0
    assert abs(reasoned.usage.completion_tokens - thought - plain.usage.completion_tokens) <= 2


async def test_the_beginning_of_a_long_conversation_counts_as_cached(client: AsyncOpenAI) -> None:
    turns: list[ChatCompletionMessageParam] = [{"role": "user", "content": "word " * 3000}]
    first = (await client.chat.completions.create(model="m", messages=turns)).usage
    turns += [{"role": "assistant", "content": "What about them?"}, {"role": "user", "content": "Count them."}]
    second = (await client.chat.completions.create(model="m", messages=turns)).usage
    assert first is not None
    assert second is not None
    assert first.prompt_tokens_details is not None
    assert second.prompt_tokens_details is not None
    assert first.prompt_tokens_details.cached_tokens == 0
    assert first.prompt_tokens - 128 <= (second.prompt_tokens_details.cached_tokens or 0) <= first.prompt_tokens


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/chat/completions", "/v1/v1/chat/completions/"])
async def test_the_version_in_the_path_may_be_missing_or_doubled(http: ClientSession, path: str) -> None:
    async with http.post(path, json={"model": "m", "messages": QUESTION}) as response:
        assert response.status == 200
        assert (await response.json())["object"] == "chat.completion"


async def test_provider_headers(client: AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(model="m", messages=QUESTION)
    assert raw.headers["x-request-id"].startswith("req_")
    assert raw.headers["openai-processing-ms"].isdigit()
    assert raw.headers["openai-version"] == "2020-10-01"
    assert raw.parse()._request_id == raw.headers["x-request-id"]


async def test_half_a_surrogate_pair_comes_back_as_it_was_sent(http: ClientSession) -> None:
    """JSON can spell it, UTF-8 cannot carry it."""
    body = rb'{"model": "m", "messages": [{"role": "user", "content": "odd \ud800 sign"}]}'
    headers = {"content-type": "application/json"}
    async with http.post("/v1/chat/completions", data=body, headers=headers) as response:
        assert "odd \ud800 sign" in (await response.json())["choices"][0]["message"]["content"]


async def test_models_are_listed_and_found(client: AsyncOpenAI) -> None:
    listed = [model async for model in client.models.list()]
    assert "gpt-4o-mini" in {model.id for model in listed}
    assert await client.models.retrieve("gpt-4o-mini") in listed


async def test_health(http: ClientSession) -> None:
    async with http.get("/healthz") as response:
        assert response.status == 200
