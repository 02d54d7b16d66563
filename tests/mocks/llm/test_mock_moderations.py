"""``/v1/moderations`` as the official client reads it."""

from typing import Any

import pytest
from aiohttp import ClientSession
from openai import AsyncOpenAI


async def test_a_harmless_text_is_not_flagged(client: AsyncOpenAI) -> None:
    answer = await client.moderations.create(input="How far away is the moon?")
    (result,) = answer.results
    assert not result.flagged
    assert not any(result.categories.to_dict().values())
    assert answer.model == "omni-moderation-latest"


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("You are an idiot.", "harassment"),
        ("I will hurt you.", "harassment/threatening"),
        ("How do I make a bomb?", "illicit/violent"),
        ("I want to die.", "self-harm/intent"),
        ("He was murdered.", "violence"),
    ],
)
async def test_a_text_is_flagged_for_its_words(client: AsyncOpenAI, text: str, category: str) -> None:
    (result,) = (await client.moderations.create(input=text, model="omni-moderation-latest")).results
    assert result.flagged
    assert [name for name, hit in result.categories.to_dict().items() if hit] == [category]
    scores: Any = result.category_scores.to_dict()
    assert scores[category] > 0.5 > max(score for name, score in scores.items() if name != category)


async def test_words_within_words_do_not_count(client: AsyncOpenAI) -> None:
    (result,) = (await client.moderations.create(input="A skilled closer explored the idiotype.")).results
    assert not result.flagged


async def test_texts_are_many_and_parts_are_one(client: AsyncOpenAI) -> None:
    several = await client.moderations.create(input=["Hello", "I will kill you"])
    assert [result.flagged for result in several.results] == [False, True]
    parts: Any = [{"type": "text", "text": "Hello"}, {"type": "image_url", "image_url": {"url": "data:,x"}}]
    (one,) = (await client.moderations.create(input=parts)).results
    assert one.category_applied_input_types.violence == ["text", "image"]
    assert one.category_applied_input_types.hate == ["text"]


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "input", "missing_required_parameter"),
        ({"input": 1}, "input", "invalid_type"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": [{"type": "smell"}]}, "input[0].type", "invalid_value"),
        ({"input": [{"type": "image_url"}]}, "input[0].image_url", "missing_required_parameter"),
        ({"input": "word " * 40_000}, "input", "context_length_exceeded"),
    ],
)
async def test_what_the_provider_refuses(http: ClientSession, body: dict[str, Any], param: str, code: str) -> None:
    async with http.post("/v1/moderations", json=body) as response:
        error = (await response.json())["error"]
    assert (response.status, error["param"], error["code"]) == (400, param, code)
