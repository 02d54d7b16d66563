"""``/v1/completions``, the interface before chats, as the official client reads it."""

from typing import Any

import pytest
from aiohttp import ClientSession
from openai import AsyncOpenAI

MODEL = "gpt-3.5-turbo-instruct"
PROMPT = "How far away is the moon?"


async def test_a_prompt_is_answered(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model=MODEL, prompt=PROMPT, max_tokens=100)
    (choice,) = answer.choices
    assert PROMPT in choice.text
    assert choice.finish_reason == "stop"
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


async def test_an_answer_has_16_tokens_unless_asked_otherwise(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model=MODEL, prompt=PROMPT)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 16


async def test_each_prompt_gets_n_choices(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model=MODEL, prompt=["first", "second", "third"], n=2, max_tokens=100)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3, 4, 5]
    assert len({choice.text for choice in answer.choices}) == 6
    assert ["third" in choice.text for choice in answer.choices] == [False] * 4 + [True] * 2


async def test_echo_and_stop(client: AsyncOpenAI) -> None:
    answer = await client.completions.create(model=MODEL, prompt=PROMPT, stop=" the moon", echo=True)
    assert answer.choices[0].text.startswith(PROMPT)
    assert answer.choices[0].text.endswith("How far away is")
    assert answer.choices[0].finish_reason == "stop"


async def test_a_stream_says_what_the_whole_answer_says(lenient_client: AsyncOpenAI) -> None:
    asked: dict[str, Any] = {"model": MODEL, "prompt": [PROMPT, [1, 2]], "n": 2, "logprobs": 2}
    whole = await lenient_client.completions.create(**asked)
    stream = await lenient_client.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    chunks = [chunk async for chunk in stream]
    assert (chunks[-1].choices, chunks[-1].usage) == ([], whole.usage)
    for place, choice in enumerate(whole.choices):
        parts = [part for chunk in chunks for part in chunk.choices if part.index == place]
        assert "".join(part.text for part in parts) == choice.text
        assert [part.finish_reason for part in parts][-1] == choice.finish_reason
        likely: Any = choice.logprobs
        assert [token for part in parts if part.logprobs for token in part.logprobs.tokens or []] == likely.tokens
        assert [at for part in parts if part.logprobs for at in part.logprobs.text_offset or []] == likely.text_offset


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", "missing_required_parameter"),
        ({"prompt": None}, "prompt", "missing_required_parameter"),
        ({"prompt": {}}, "prompt", "invalid_type"),
        ({"logprobs": 6}, "logprobs", "invalid_value"),
        ({"n": 3, "best_of": 2}, "best_of", "invalid_value"),
        ({"echo": "yes"}, "echo", "invalid_type"),
        ({"max_tokens": 4090}, "prompt", "context_length_exceeded"),
        ({"stream_options": {}}, "stream_options", "invalid_value"),
    ],
)
async def test_what_the_provider_refuses(http: ClientSession, change: dict[str, Any], param: str, code: str) -> None:
    async with http.post("/v1/completions", json={"model": MODEL, "prompt": PROMPT, **change}) as response:
        error = (await response.json())["error"]
    assert (response.status, error["param"], error["code"]) == (400, param, code)
