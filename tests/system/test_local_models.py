"""Routes in local mode: the official clients of Anthropic and Gemini through the proxy to the bundled mock."""

from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from anthropic import AsyncAnthropic
from google import genai
from google.genai import types
from harness import Proxy, proxy

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")  # the client's own

CONFIG = """
version: 1
proxy: {listen: 127.0.0.1:0}
routes:
  - name: claude
    match: {path: /anthropic}
    rewrite: {prefix: /}
    llm: {api: anthropic, mode: local}
    lanes: [{name: anthropic, pool: provider}]
  - name: gemini
    match: {path: /gemini}
    rewrite: {prefix: /}
    llm: {api: gemini, mode: local}
    lanes: [{name: gemini, pool: provider}]
pools: {provider: {endpoints: [http://127.0.0.1:1]}}
mocks: {llm: {listen: 127.0.0.1:0}}
"""
CLAUDE = "claude-sonnet-5-5"
GEMINI = "gemini-3.8-flash"
QUESTION = "What is the weather in Zürich, 月?"
WEATHER: Any = {"name": "get_weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """The environment is all that an agent sees of the proxy."""
    async with proxy(CONFIG) as running:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", f"{running.url}/anthropic")
        monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
        monkeypatch.setenv("GOOGLE_GEMINI_BASE_URL", f"{running.url}/gemini")
        monkeypatch.setenv("GEMINI_API_KEY", "any")
        yield running


@pytest.mark.usefixtures("running")
async def test_claude() -> None:
    async with AsyncAnthropic(max_retries=0, _strict_response_validation=True) as client:
        messages: Any = [{"role": "user", "content": QUESTION}]
        called = await client.messages.create(model=CLAUDE, max_tokens=500, messages=messages, tools=[WEATHER])
        assert called.stop_reason == "tool_use"
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "snow"}
            for block in called.content
            if block.type == "tool_use"
        ]
        messages += [{"role": "assistant", "content": called.content}, {"role": "user", "content": results}]
        async with client.messages.stream(model=CLAUDE, max_tokens=500, messages=messages, tools=[WEATHER]) as stream:
            assert "snow" in await stream.get_final_text()
        assert CLAUDE in {model.id async for model in client.models.list()}
        with pytest.raises(anthropic.BadRequestError):
            await client.messages.create(model=CLAUDE, max_tokens=500, messages=[])


@pytest.mark.usefixtures("running")
async def test_gemini() -> None:
    def get_weather(city: str) -> str:
        """Tells the weather."""
        return f"snow in {city}"

    async with genai.Client().aio as client:
        config = types.GenerateContentConfig(tools=[get_weather])
        answer = await client.models.generate_content(model=GEMINI, contents=QUESTION, config=config)
        assert "snow in Zürich" in (answer.text or "")
        stream = await client.models.generate_content_stream(model=GEMINI, contents=QUESTION)
        assert QUESTION in "".join([chunk.text or "" async for chunk in stream])
        assert f"models/{GEMINI}" in {model.name async for model in await client.models.list()}
        embedded = await client.models.embed_content(model="gemini-embedding-001", contents="moon")
        assert embedded.embeddings
