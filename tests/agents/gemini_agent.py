"""An agent on Gemini's generateContent."""

import asyncio
from typing import Any

from google import genai
from google.genai import types
from google.genai.client import AsyncClient

from agents.command import Options, options, run
from agents.tools import SYSTEM, TOOLS, use, use_now

MODEL = "gemini-3-flash"
_CONFIG = types.GenerateContentConfig(
    system_instruction=SYSTEM,
    tools=[
        types.Tool(
            function_declarations=[
                types.FunctionDeclaration(name=tool.name, description=tool.description, parameters_json_schema=tool.parameters)
                for tool in TOOLS
            ]
        )
    ],
    automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
)


class GeminiAgent:
    def __init__(self, client: AsyncClient, *, model: str = MODEL, stream: bool = False) -> None:
        self._client = client
        self._model = model
        self._stream = stream
        self.contents: list[Any] = []

    async def turn(self, prompt: str) -> str:
        self.contents.append(types.Content(role="user", parts=[types.Part(text=prompt)]))
        while True:
            parts = await self._ask()
            self.contents.append(types.Content(role="model", parts=parts))
            calls = [part.function_call for part in parts if part.function_call]
            if not calls:
                return "".join(part.text or "" for part in parts)
            results = await asyncio.gather(*(use(call.name or "", call.args or {}) for call in calls))
            self.contents.append(types.Content(role="user", parts=list(map(_result, calls, results))))

    async def _ask(self) -> list[types.Part]:
        models, asked = self._client.models, _asked(self._model, self.contents)
        if not self._stream:
            return _parts(await models.generate_content(**asked))
        return [part async for chunk in await models.generate_content_stream(**asked) for part in _parts(chunk)]


class SyncGeminiAgent:
    def __init__(self, client: genai.Client, *, model: str = MODEL, stream: bool = False) -> None:
        self._client = client
        self._model = model
        self._stream = stream
        self.contents: list[Any] = []

    def turn(self, prompt: str) -> str:
        self.contents.append(types.Content(role="user", parts=[types.Part(text=prompt)]))
        while True:
            parts = self._ask()
            self.contents.append(types.Content(role="model", parts=parts))
            calls = [part.function_call for part in parts if part.function_call]
            if not calls:
                return "".join(part.text or "" for part in parts)
            results = [_result(call, use_now(call.name or "", call.args or {})) for call in calls]
            self.contents.append(types.Content(role="user", parts=results))

    def _ask(self) -> list[types.Part]:
        models, asked = self._client.models, _asked(self._model, self.contents)
        if not self._stream:
            return _parts(models.generate_content(**asked))
        return [part for chunk in models.generate_content_stream(**asked) for part in _parts(chunk)]


def _asked(model: str, contents: list[Any]) -> dict[str, Any]:
    return {"model": model, "contents": contents, "config": _CONFIG}


def _parts(answer: types.GenerateContentResponse) -> list[types.Part]:
    content = answer.candidates[0].content if answer.candidates else None
    return list(content.parts or []) if content else []


def _result(call: types.FunctionCall, result: str) -> types.Part:
    return types.Part(function_response=types.FunctionResponse(id=call.id, name=call.name, response={"result": result}))


def _client(given: Options) -> genai.Client:
    return genai.Client(api_key=given.api_key, http_options=types.HttpOptions(base_url=given.base_url))


async def _main(given: Options) -> None:
    async with _client(given).aio as client:
        agent = GeminiAgent(client, model=given.model, stream=given.stream)
        for prompt in given.prompts:
            print(await agent.turn(prompt))


def _main_sync(given: Options) -> None:
    with _client(given) as client:
        agent = SyncGeminiAgent(client, model=given.model, stream=given.stream)
        for prompt in given.prompts:
            print(agent.turn(prompt))


if __name__ == "__main__":
    run(options(MODEL, "without a version"), _main, _main_sync)
