"""An agent on OpenAI's Responses."""

import asyncio
import json
from enum import StrEnum
from typing import Any

from openai import AsyncOpenAI, OpenAI
from openai.types.responses import Response, ResponseFunctionToolCall

from agents.command import Options, options, run
from agents.tools import SYSTEM, TOOLS, use, use_now

MODEL = "gpt-5-mini"
_TOOLS: Any = [
    {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": True,
    }
    for tool in TOOLS
]


class Memory(StrEnum):
    """Who keeps the conversation."""

    PREVIOUS_RESPONSE = "previous_response"
    """The provider: a request names the response before it."""
    CONVERSATION = "conversation"
    """The provider, under an id of its own."""
    OWN = "own"
    """The agent: ``store`` is off and every request holds it all."""


class ResponsesAgent:
    def __init__(
        self,
        client: AsyncOpenAI,
        *,
        model: str = MODEL,
        stream: bool = False,
        memory: Memory = Memory.PREVIOUS_RESPONSE,
    ) -> None:
        self._client = client
        self._model = model
        self._stream = stream
        self._memory = memory
        self._known: dict[str, Any] = {}
        self.items: list[Any] = []

    async def turn(self, prompt: str) -> str:
        if self._memory is Memory.CONVERSATION and not self._known:
            self._known = {"conversation": (await self._client.conversations.create()).id}
        news: list[Any] = [{"role": "user", "content": prompt}]
        while True:
            response = await self._ask(news)
            calls = [item for item in response.output if item.type == "function_call"]
            if not calls:
                return response.output_text
            news = list(await asyncio.gather(*map(self._use, calls)))

    async def _ask(self, news: list[Any]) -> Response:
        self.items += news
        asked: dict[str, Any] = {"model": self._model, "instructions": SYSTEM, "tools": _TOOLS, **self._known}
        asked |= {"input": self.items, "store": False} if self._memory is Memory.OWN else {"input": news}
        if self._stream:
            async with self._client.responses.stream(**asked) as stream:
                response: Response = await stream.get_final_response()
        else:
            response = await self._client.responses.create(**asked)
        self.items += _kept(response)
        if self._memory is Memory.PREVIOUS_RESPONSE:
            self._known = {"previous_response_id": response.id}
        return response

    async def _use(self, call: ResponseFunctionToolCall) -> Any:
        result = await use(call.name, json.loads(call.arguments))
        return {"type": "function_call_output", "call_id": call.call_id, "output": result}


class SyncResponsesAgent:
    """The provider keeps its conversation."""

    def __init__(self, client: OpenAI, *, model: str = MODEL, stream: bool = False) -> None:
        self._client = client
        self._model = model
        self._stream = stream
        self._known: dict[str, Any] = {}

    def turn(self, prompt: str) -> str:
        news: list[Any] = [{"role": "user", "content": prompt}]
        while True:
            response = self._ask(news)
            self._known = {"previous_response_id": response.id}
            news = [
                {
                    "type": "function_call_output",
                    "call_id": item.call_id,
                    "output": use_now(item.name, json.loads(item.arguments)),
                }
                for item in response.output
                if item.type == "function_call"
            ]
            if not news:
                return response.output_text

    def _ask(self, news: list[Any]) -> Response:
        asked: dict[str, Any] = {"model": self._model, "instructions": SYSTEM, "tools": _TOOLS, "input": news, **self._known}
        if not self._stream:
            response: Response = self._client.responses.create(**asked)
            return response
        with self._client.responses.stream(**asked) as stream:
            final: Response = stream.get_final_response()
            return final


def _kept(response: Response) -> list[Any]:
    """Items as the next request repeats them."""
    kept: list[Any] = []
    for item in response.output:
        if item.type == "function_call":
            kept.append({"type": item.type, "call_id": item.call_id, "name": item.name, "arguments": item.arguments})
        elif item.type == "message":
            kept.append({"role": "assistant", "content": response.output_text})
    return kept


async def _main(given: Options) -> None:
    async with AsyncOpenAI(base_url=given.base_url, api_key=given.api_key) as client:
        agent = ResponsesAgent(client, model=given.model, stream=given.stream)
        for prompt in given.prompts:
            print(await agent.turn(prompt))


def _main_sync(given: Options) -> None:
    with OpenAI(base_url=given.base_url, api_key=given.api_key) as client:
        agent = SyncResponsesAgent(client, model=given.model, stream=given.stream)
        for prompt in given.prompts:
            print(agent.turn(prompt))


if __name__ == "__main__":
    run(options(MODEL, "ends in /v1"), _main, _main_sync)
