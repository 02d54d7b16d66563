"""The scripted provider speaks so that official SDKs, validating strictly, play the whole script with it."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from agents.anthropic_agent import MessagesAgent, SyncMessagesAgent
from agents.gemini_agent import GeminiAgent, SyncGeminiAgent
from agents.openai_agent import ChatAgent, SyncChatAgent
from agents.responses_agent import Memory, ResponsesAgent, SyncResponsesAgent
from anthropic import Anthropic, AsyncAnthropic
from google import genai
from google.genai import types
from openai import APIConnectionError, AsyncOpenAI, BadRequestError, InternalServerError, NotFoundError, OpenAI
from providers import TOKENS, Behaviour, IdStyle, ScriptedProvider, scripted_provider

KEY = "any"
pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
"""google-genai's way to use aiohttp."""

Turn = Callable[[str], Awaitable[str]]
PROTOCOLS = ("chat", "responses", "conversation", "own_items", "messages", "gemini")


@pytest.fixture
async def provider() -> AsyncIterator[ScriptedProvider]:
    async with scripted_provider() as provider:
        yield provider


def openai(provider: ScriptedProvider, retries: int = 0) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{provider.url}/v1", api_key=KEY, max_retries=retries, _strict_response_validation=True)


def anthropic(provider: ScriptedProvider) -> AsyncAnthropic:
    return AsyncAnthropic(base_url=provider.url, api_key=KEY, max_retries=0, _strict_response_validation=True)


def gemini(provider: ScriptedProvider) -> genai.Client:
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=provider.url))


def agent_turn(protocol: str, provider: ScriptedProvider, stream: bool) -> Turn:
    match protocol:
        case "chat":
            return ChatAgent(openai(provider), stream=stream).turn
        case "responses":
            return ResponsesAgent(openai(provider), stream=stream).turn
        case "conversation":
            return ResponsesAgent(openai(provider), stream=stream, memory=Memory.CONVERSATION).turn
        case "own_items":
            return ResponsesAgent(openai(provider), stream=stream, memory=Memory.OWN).turn
        case "messages":
            return MessagesAgent(anthropic(provider), stream=stream).turn
        case _:
            return GeminiAgent(gemini(provider).aio, stream=stream).turn


def sync_turn(protocol: str, provider: ScriptedProvider, stream: bool) -> Turn:
    """The provider runs in the test's own loop, so the agent runs in a thread."""
    agent: Any
    match protocol:
        case "chat":
            agent = SyncChatAgent(
                OpenAI(base_url=f"{provider.url}/v1", api_key=KEY, _strict_response_validation=True), stream=stream
            )
        case "responses":
            agent = SyncResponsesAgent(
                OpenAI(base_url=f"{provider.url}/v1", api_key=KEY, _strict_response_validation=True), stream=stream
            )
        case "messages":
            agent = SyncMessagesAgent(
                Anthropic(base_url=provider.url, api_key=KEY, _strict_response_validation=True), stream=stream
            )
        case _:
            agent = SyncGeminiAgent(gemini(provider), stream=stream)

    def turn(prompt: str) -> Awaitable[str]:
        return asyncio.to_thread(agent.turn, prompt)

    return turn


def played(provider: ScriptedProvider) -> list[tuple[str, int]]:
    return [(heard.said.prompt, heard.said.results) for heard in provider.journal if heard.said]


@pytest.mark.parametrize("gzip", [False, True])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_two_turns_of_a_conversation(provider: ScriptedProvider, protocol: str, stream: bool, gzip: bool) -> None:
    provider.behaviour = Behaviour(gzip=gzip)
    turn = agent_turn(protocol, provider, stream)
    assert await turn("To Oslo!") == provider.script.answer
    assert await turn("Again!") == provider.script.answer
    assert played(provider) == [(prompt, results) for prompt in ("To Oslo!", "Again!") for results in (0, 1, 3, 4)]
    assert {heard.said.stream for heard in provider.journal if heard.said} == {stream}
    ids = [call_id for heard in provider.journal for call_id in heard.call_ids]
    assert len(set(ids)) == len(ids) == 8


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("protocol", ["chat", "responses", "messages", "gemini"])
async def test_synchronous_clients(provider: ScriptedProvider, protocol: str, stream: bool) -> None:
    turn = sync_turn(protocol, provider, stream)
    assert await turn("To Oslo!") == provider.script.answer
    assert played(provider) == [("To Oslo!", results) for results in (0, 1, 3, 4)]


@pytest.mark.parametrize(
    ("style", "first", "second"),
    [
        (
            IdStyle.COUNTING,
            [["call_0"], ["call_0", "call_1"], ["call_0"], []],
            [["call_0"], ["call_0", "call_1"], ["call_0"], []],
        ),
        (
            IdStyle.FUNCTIONS,
            [
                ["functions.search_flights:0"],
                ["functions.get_weather:1", "functions.get_time:2"],
                ["functions.book_flight:3"],
                [],
            ],
            [
                ["functions.search_flights:4"],
                ["functions.get_weather:5", "functions.get_time:6"],
                ["functions.book_flight:7"],
                [],
            ],
        ),
        (
            IdStyle.TOOLNAME,
            [["search_flights"], ["get_weather", "get_time"], ["book_flight"], []],
            [["search_flights"], ["get_weather", "get_time"], ["book_flight"], []],
        ),
    ],
)
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_ids_that_collide(
    provider: ScriptedProvider, protocol: str, style: IdStyle, first: list[list[str]], second: list[list[str]]
) -> None:
    provider.ids = style
    turn = agent_turn(protocol, provider, stream=True)
    await turn("To Oslo!")
    await turn("Again!")
    assert [heard.call_ids for heard in provider.journal] == first + second


@pytest.mark.parametrize("stream", [False, True])
async def test_gemini_without_ids(provider: ScriptedProvider, stream: bool) -> None:
    provider.ids = IdStyle.NONE
    assert await agent_turn("gemini", provider, stream)("To Oslo!") == provider.script.answer
    sent = [part for content in provider.journal[-1].body["contents"] for part in content["parts"]]
    assert not [part for part in sent if (part.get("functionCall") or part.get("functionResponse") or {}).get("id")]


async def test_no_agent_sends_a_trace_header(provider: ScriptedProvider) -> None:
    for protocol in PROTOCOLS:
        await agent_turn(protocol, provider, stream=False)("To Oslo!")
    names = {name for heard in provider.journal for name in heard.headers}
    assert "user-agent" in names
    assert not {name for name in names if "trace" in name or "baggage" in name or "session" in name or name.startswith("b3")}


async def test_tokens_as_each_provider_counts_them(provider: ScriptedProvider) -> None:
    question: Any = [{"role": "user", "content": "To Oslo!"}]
    chat = (await openai(provider).chat.completions.create(model="m", messages=question)).usage
    assert chat is not None
    assert (chat.prompt_tokens, chat.completion_tokens) == (TOKENS.fresh + TOKENS.cache_read, TOKENS.output)
    message = (await anthropic(provider).messages.create(model="m", max_tokens=9, messages=question)).usage
    assert (message.input_tokens, message.cache_read_input_tokens) == (TOKENS.fresh, TOKENS.cache_read)
    response = (await openai(provider).responses.create(model="m", input="To Oslo!")).usage
    assert response is not None
    assert response.input_tokens == TOKENS.fresh + TOKENS.cache_read + TOKENS.cache_creation
    generated = (await gemini(provider).aio.models.generate_content(model="m", contents="To Oslo!")).usage_metadata
    assert generated is not None
    assert (generated.candidates_token_count or 0) + (generated.thoughts_token_count or 0) == TOKENS.output


@pytest.mark.parametrize("strict", [False, True])
async def test_embeddings(provider: ScriptedProvider, strict: bool) -> None:
    """The SDK asks for base64 unless told otherwise, and its strict validation does not know its own base64."""
    client = AsyncOpenAI(base_url=f"{provider.url}/v1", api_key=KEY, _strict_response_validation=strict)
    form: Any = {"encoding_format": "float"} if strict else {}
    found = await client.embeddings.create(model="m", input=["one", "three"], dimensions=4, **form)
    assert [len(each.embedding) for each in found.data] == [4, 4]
    assert found.data[0].embedding != found.data[1].embedding
    assert provider.journal[0].api == "embeddings"


async def test_what_a_provider_refuses(provider: ScriptedProvider) -> None:
    result: Any = [{"role": "user", "content": "x"}, {"role": "tool", "tool_call_id": "call_9", "content": "x"}]
    with pytest.raises(BadRequestError, match="call_9"):
        await openai(provider).chat.completions.create(model="m", messages=result)
    with pytest.raises(BadRequestError, match="resp_none"):
        await openai(provider).responses.create(model="m", input="x", previous_response_id="resp_none")
    with pytest.raises(NotFoundError):
        await openai(provider).models.list()


async def test_errors_and_cuts_come_when_they_are_asked_for(provider: ScriptedProvider) -> None:
    provider.behave(Behaviour(status=500), Behaviour(status=429))
    question: Any = [{"role": "user", "content": "To Oslo!"}]
    answer = await openai(provider, retries=2).chat.completions.create(model="m", messages=question)
    assert answer.choices[0].message.content == provider.script.answer
    assert [heard.headers["x-stainless-retry-count"] for heard in provider.journal] == ["0", "1", "2"]
    provider.behave(Behaviour(status=503), Behaviour(cut_after=3), Behaviour(cut_after=0))
    with pytest.raises(InternalServerError):
        await openai(provider).chat.completions.create(model="m", messages=question)
    stream = await openai(provider).chat.completions.create(model="m", messages=question, stream=True)
    assert [(await anext(stream)).object for _ in range(3)] == ["chat.completion.chunk"] * 3
    with pytest.raises(APIConnectionError):
        await anext(stream)
    with pytest.raises(APIConnectionError):
        await openai(provider).chat.completions.create(model="m", messages=question)


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("openai_agent", []),
        ("responses_agent", ["--stream"]),
        ("anthropic_agent", ["--sync"]),
        ("gemini_agent", ["--sync", "--stream"]),
    ],
)
async def test_agents_are_commands(provider: ScriptedProvider, name: str, extra: list[str]) -> None:
    base_url = f"{provider.url}/v1" if name in ("openai_agent", "responses_agent") else provider.url
    command = [sys.executable, "-m", f"agents.{name}", "--base-url", base_url, "--prompt", "To Oslo!", "--prompt", "Again!"]

    def run() -> "subprocess.CompletedProcess[str]":
        folder = Path(__file__).parents[1]
        return subprocess.run([*command, *extra], cwd=folder, capture_output=True, text=True, timeout=60, check=False)

    done = await asyncio.to_thread(run)
    assert done.stdout.splitlines() == [provider.script.answer] * 2, done.stderr
    assert [results for _, results in played(provider)] == [0, 1, 3, 4] * 2
