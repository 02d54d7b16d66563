"""An agent on Anthropic's Messages."""

import asyncio
from typing import Any

from anthropic import Anthropic, AsyncAnthropic
from anthropic.types import Message

from agents.command import Options, options, run
from agents.tools import SYSTEM, TOOLS, use, use_now

MODEL = "claude-sonnet-5"
TOKENS_MAX = 1024
_TOOLS: Any = [{"name": tool.name, "description": tool.description, "input_schema": tool.parameters} for tool in TOOLS]


class MessagesAgent:
    def __init__(self, client: AsyncAnthropic, *, model: str = MODEL, stream: bool = False) -> None:
        self._client = client
        self._model = model
        self._stream = stream
        self.messages: list[Any] = []

    async def turn(self, prompt: str) -> str:
        self.messages.append({"role": "user", "content": prompt})
        while True:
            message = await self._ask()
            self.messages.append({"role": "assistant", "content": _kept(message)})
            calls = [block for block in message.content if block.type == "tool_use"]
            if not calls:
                return _text(message)
            self.messages.append({"role": "user", "content": await asyncio.gather(*map(self._use, calls))})

    async def _ask(self) -> Message:
        asked: Any = {
            "model": self._model,
            "max_tokens": TOKENS_MAX,
            "system": SYSTEM,
            "tools": _TOOLS,
            "messages": self.messages,
        }
        if not self._stream:
            message: Message = await self._client.messages.create(**asked)
            return message
        async with self._client.messages.stream(**asked) as stream:
            final: Message = await stream.get_final_message()
            return final

    async def _use(self, call: Any) -> Any:
        return {"type": "tool_result", "tool_use_id": call.id, "content": await use(call.name, call.input)}


class SyncMessagesAgent:
    def __init__(self, client: Anthropic, *, model: str = MODEL, stream: bool = False) -> None:
        self._client = client
        self._model = model
        self._stream = stream
        self.messages: list[Any] = []

    def turn(self, prompt: str) -> str:
        self.messages.append({"role": "user", "content": prompt})
        while True:
            message = self._ask()
            self.messages.append({"role": "assistant", "content": _kept(message)})
            results = [
                {"type": "tool_result", "tool_use_id": block.id, "content": use_now(block.name, dict(block.input))}
                for block in message.content
                if block.type == "tool_use"
            ]
            if not results:
                return _text(message)
            self.messages.append({"role": "user", "content": results})

    def _ask(self) -> Message:
        asked: Any = {
            "model": self._model,
            "max_tokens": TOKENS_MAX,
            "system": SYSTEM,
            "tools": _TOOLS,
            "messages": self.messages,
        }
        if not self._stream:
            message: Message = self._client.messages.create(**asked)
            return message
        with self._client.messages.stream(**asked) as stream:
            final: Message = stream.get_final_message()
            return final


def _kept(message: Message) -> list[Any]:
    """Blocks as the next request repeats them."""
    kept: list[Any] = []
    for block in message.content:
        if block.type == "text":
            kept.append({"type": "text", "text": block.text})
        elif block.type == "tool_use":
            kept.append({"type": "tool_use", "id": block.id, "name": block.name, "input": block.input})
    return kept


def _text(message: Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


async def _main(given: Options) -> None:
    async with AsyncAnthropic(base_url=given.base_url, api_key=given.api_key) as client:
        agent = MessagesAgent(client, model=given.model, stream=given.stream)
        for prompt in given.prompts:
            print(await agent.turn(prompt))


def _main_sync(given: Options) -> None:
    with Anthropic(base_url=given.base_url, api_key=given.api_key) as client:
        agent = SyncMessagesAgent(client, model=given.model, stream=given.stream)
        for prompt in given.prompts:
            print(agent.turn(prompt))


if __name__ == "__main__":
    run(options(MODEL, "without /v1"), _main, _main_sync)
