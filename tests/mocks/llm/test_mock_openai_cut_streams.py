"""Streams that come in random pieces, and requests that the client tries again or does not."""

from typing import Any

import openai
import pytest
from aiohttp import ClientSession
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel
from split_relay import split_relay

from tracer_proxy.mocks import llm

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Où est la lune? 月はどこ"}]
TOOL: Any = {
    "type": "function",
    "name": "find_moon",
    "parameters": {"type": "object", "properties": {"où": {}}},
    "strict": False,
}


class Moon(BaseModel):
    question: str
    kilometres: float


@pytest.mark.parametrize("seed", range(3))
async def test_chats_in_pieces_are_chats(mock: llm.RunningMock, client: AsyncOpenAI, seed: int) -> None:
    whole = await client.chat.completions.parse(model="m", messages=QUESTION, response_format=Moon)
    async with (
        split_relay(mock.address, seed) as address,
        AsyncOpenAI(base_url=f"http://{address}/v1", api_key="k", max_retries=0, _strict_response_validation=True) as far,
        far.chat.completions.stream(
            model="m", messages=QUESTION, response_format=Moon, stream_options={"include_usage": True}
        ) as stream,
    ):
        final = await stream.get_final_completion()
    assert final.choices[0].message.parsed == whole.choices[0].message.parsed
    assert final.usage == whole.usage


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("tools", [[], [TOOL]], ids=["text", "call"])
async def test_responses_in_pieces_are_responses(
    mock: llm.RunningMock, client: AsyncOpenAI, tools: list[Any], seed: int
) -> None:
    asked: Any = {"model": "m", "input": "Où est la lune? 月はどこ", "tools": tools, "reasoning": {"summary": "auto"}}
    whole = await client.responses.create(**asked)
    async with (
        split_relay(mock.address, seed) as address,
        AsyncOpenAI(base_url=f"http://{address}/v1", api_key="k", max_retries=0, _strict_response_validation=True) as far,
        far.responses.stream(**asked) as stream,
    ):
        final = await stream.get_final_response()
    assert (final.id, final.output_text, final.usage) == (whole.id, whole.output_text, whole.usage)
    assert [item.type for item in final.output] == [item.type for item in whole.output]


@pytest.mark.parametrize("body", [{"model": "m", "input": 7}, {"model": "m", "input": "a", "previous_response_id": "resp_0"}])
async def test_a_refusal_is_not_tried_again(base_url: str, http: ClientSession, body: dict[str, Any]) -> None:
    """The client repeats what may go well next time; a refused request never does."""
    async with AsyncOpenAI(base_url=base_url, api_key="k") as client:
        with pytest.raises(openai.BadRequestError):
            await client.responses.create(**body)
    async with http.get("/__mock__/calls") as response:
        assert len((await response.json())["calls"]) == 1
