"""A mock LLM on a free port for each test, and official clients that validate every answer strictly."""

from collections.abc import AsyncIterator, Iterator

import pytest
from aiohttp import ClientSession
from anthropic import Anthropic, AsyncAnthropic
from google import genai
from google.genai.types import HttpOptions
from openai import AsyncOpenAI, OpenAI

from tracer_proxy.mocks import llm

API_KEY = "sk-do-not-record-0123456789"


@pytest.fixture
async def mock() -> AsyncIterator[llm.RunningMock]:
    running = await llm.serve("127.0.0.1:0")
    yield running
    await running.stop()


@pytest.fixture
def base_url(mock: llm.RunningMock) -> str:
    return f"http://{mock.address}/v1"


@pytest.fixture
async def client(base_url: str) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=base_url, api_key=API_KEY, max_retries=0, _strict_response_validation=True) as client:
        yield client


@pytest.fixture
async def lenient_client(base_url: str) -> AsyncIterator[AsyncOpenAI]:
    """For the two answers that the client's own types do not allow, the provider's included: vectors as base64, which it asks
    for unless told otherwise, and streams of completions, whose parts but the last have no finish reason.
    """
    async with AsyncOpenAI(base_url=base_url, api_key=API_KEY, max_retries=0) as client:
        yield client


@pytest.fixture
def sync_client(base_url: str) -> Iterator[OpenAI]:
    """For use in a thread: the mock runs in the test's own loop."""
    with OpenAI(base_url=base_url, api_key=API_KEY, max_retries=0, _strict_response_validation=True) as client:
        yield client


@pytest.fixture
async def http(mock: llm.RunningMock) -> AsyncIterator[ClientSession]:
    async with ClientSession(f"http://{mock.address}") as session:
        yield session


@pytest.fixture
async def claude(mock: llm.RunningMock) -> AsyncIterator[AsyncAnthropic]:
    base_url = f"http://{mock.address}"
    async with AsyncAnthropic(base_url=base_url, api_key=API_KEY, max_retries=0, _strict_response_validation=True) as client:
        yield client


@pytest.fixture
def sync_claude(mock: llm.RunningMock) -> Iterator[Anthropic]:
    """For use in a thread, as ``sync_client``."""
    base_url = f"http://{mock.address}"
    with Anthropic(base_url=base_url, api_key=API_KEY, max_retries=0, _strict_response_validation=True) as client:
        yield client


@pytest.fixture
def gemini(mock: llm.RunningMock) -> Iterator[genai.Client]:
    """Its synchronous calls are for use in a thread; ``aio`` has the others."""
    with genai.Client(api_key=API_KEY, http_options=HttpOptions(base_url=f"http://{mock.address}")) as client:
        yield client
