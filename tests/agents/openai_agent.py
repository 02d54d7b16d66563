"""An agent on OpenAI's Chat Completions."""

import asyncio
import json
from typing import Any

from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletionMessage

from agents.command import Options, options, run
from agents.tools import SYSTEM, TOOLS, use, use_now

MODEL = "gpt-5-mini"
_TOOLS: Any = [
    {
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters, "strict": True},
    }
    for tool in TOOLS
]


class ChatAgent:
    def __init__(self, client: AsyncOpenAI, *, model: str = MODEL, stream: bool = False) -> None:
        self._client = client
        self._model = model
        self._stream = stream
        self.messages: list[Any] = [{"role": "system", "content": SYSTEM}]

    async def turn(self, prompt: str) -> str:
        self.messages.append({"role": "user", "content": prompt})
        while True:
            message = await self._ask()
            self.messages.append(_kept(message))
            if not message.tool_calls:
                return message.content or ""
            self.messages += await asyncio.gather(*map(self._use, message.tool_calls))

    async def _ask(self) -> ChatCompletionMessage:
        if not self._stream:
            answer = await self._client.chat.completions.create(model=self._model, messages=self.messages, tools=_TOOLS)
            return answer.choices[0].message
        async with self._client.chat.completions.stream(
            model=self._model, messages=self.messages, tools=_TOOLS, stream_options={"include_usage": True}
        ) as stream:
            return (await stream.get_final_completion()).choices[0].message

    async def _use(self, call: Any) -> Any:
        result = await use(call.function.name, json.loads(call.function.arguments))
        return {"role": "tool", "tool_call_id": call.id, "content": result}


class SyncChatAgent:
    def __init__(self, client: OpenAI, *, model: str = MODEL, stream: bool = False) -> None:
        self._client = client
        self._model = model
        self._stream = stream
        self.messages: list[Any] = [{"role": "system", "content": SYSTEM}]

    def turn(self, prompt: str) -> str:
        self.messages.append({"role": "user", "content": prompt})
        while True:
            message = self._ask()
            self.messages.append(_kept(message))
            if not message.tool_calls:
                return message.content or ""
            for call in message.tool_calls:
                assert call.type == "function"
                result = use_now(call.function.name, json.loads(call.function.arguments))
                self.messages.append({"role": "tool", "tool_call_id": call.id, "content": result})

    def _ask(self) -> ChatCompletionMessage:
        if not self._stream:
            answer = self._client.chat.completions.create(model=self._model, messages=self.messages, tools=_TOOLS)
            return answer.choices[0].message
        with self._client.chat.completions.stream(model=self._model, messages=self.messages, tools=_TOOLS) as stream:
            return stream.get_final_completion().choices[0].message


def _kept(message: ChatCompletionMessage) -> Any:
    """A message as the next request repeats it."""
    calls = [
        {"id": call.id, "type": "function", "function": {"name": call.function.name, "arguments": call.function.arguments}}
        for call in message.tool_calls or []
        if call.type == "function"
    ]
    return {"role": "assistant", "content": message.content, **({"tool_calls": calls} if calls else {})}


async def _main(given: Options) -> None:
    async with AsyncOpenAI(base_url=given.base_url, api_key=given.api_key) as client:
        agent = ChatAgent(client, model=given.model, stream=given.stream)
        for prompt in given.prompts:
            print(await agent.turn(prompt))


def _main_sync(given: Options) -> None:
    with OpenAI(base_url=given.base_url, api_key=given.api_key) as client:
        agent = SyncChatAgent(client, model=given.model, stream=given.stream)
        for prompt in given.prompts:
            print(agent.turn(prompt))


if __name__ == "__main__":
    run(options(MODEL, "ends in /v1"), _main, _main_sync)
