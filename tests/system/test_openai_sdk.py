"""The official ``openai`` SDK through the proxy to the bundled mock: only its base URL is changed."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import pytest
from harness import Proxy, Upstream, one_route, proxy, upstream
from openai import (
    APIConnectionError,
    APIStatusError,
    AsyncAzureOpenAI,
    AsyncOpenAI,
    InternalServerError,
    NotFoundError,
    OpenAI,
)
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from openai.types.responses import FunctionToolParam

CONFIG = """
version: 1
proxy: {listen: 127.0.0.1:0}
routes:
  - name: llm
    match: {path: /openai}
    rewrite: {prefix: /}
    llm: {api: openai, mode: local}
    lanes: [{name: openai, pool: openai}]
  - name: azure
    match: {path: /azure}
    rewrite: {prefix: /}
    llm: {api: openai, mode: local}
    lanes: [{name: openai, pool: openai}]
  - name: dead
    match: {path: /dead}
    llm: {api: openai}
    lanes: [{name: openai, pool: openai}]
pools: {openai: {endpoints: [http://127.0.0.1:1]}}
mocks: {llm: {listen: 127.0.0.1:0}}
"""
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in Zürich, 月?"}]
PARAMETERS: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOLS: list[ChatCompletionToolParam] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city",
            "parameters": PARAMETERS,
        },
    }
]


Result = TypeVar("Result")


@pytest.fixture
async def running(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Proxy]:
    """The environment is all that an agent sees of the proxy."""
    async with proxy(CONFIG) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", f"{running.url}/openai/v1")
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        yield running


@pytest.fixture
async def client(running: Proxy) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(max_retries=0, _strict_response_validation=True) as client:
        yield client


async def in_thread(call: Callable[[OpenAI], Result]) -> Result:
    """Calls with the sync client: the proxy runs in the test's own loop."""

    def run() -> Result:
        with OpenAI(max_retries=0, _strict_response_validation=True) as client:
            return call(client)

    return await asyncio.to_thread(run)


async def test_the_same_answer_in_all_four_ways(client: AsyncOpenAI) -> None:
    whole = await client.chat.completions.create(model="m", messages=QUESTION)
    assert whole.choices[0].message.content
    again = await in_thread(lambda sync: sync.chat.completions.create(model="m", messages=QUESTION))
    # It is another trace, so that it has another id.
    made_up = {"id", "created"}
    assert again.model_dump(exclude=made_up) == whole.model_dump(exclude=made_up)
    assert again.id != whole.id

    def read_stream(sync: OpenAI) -> str:
        stream = sync.chat.completions.create(model="m", messages=QUESTION, stream=True)
        return "".join(chunk.choices[0].delta.content or "" for chunk in stream)

    assert await in_thread(read_stream) == whole.choices[0].message.content
    stream = await client.chat.completions.create(model="m", messages=QUESTION, stream=True)
    pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(pieces) == whole.choices[0].message.content
    assert len(pieces) > 10


async def test_models_and_usage(client: AsyncOpenAI) -> None:
    models = await client.models.list()
    assert models.data
    stream = await client.chat.completions.create(
        model="m", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    last = [chunk async for chunk in stream][-1]
    assert last.usage is not None
    assert last.usage.total_tokens > 0


async def test_a_whole_turn_with_a_tool(client: AsyncOpenAI) -> None:
    asked = (await client.chat.completions.create(model="m", messages=QUESTION, tools=TOOLS)).choices[0]
    assert asked.finish_reason == "tool_calls"
    assert asked.message.tool_calls is not None
    (call,) = asked.message.tool_calls
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert "city" in json.loads(call.function.arguments)
    answered = await client.chat.completions.create(
        model="m",
        tools=TOOLS,
        messages=[
            *QUESTION,
            {
                "role": "assistant",
                "tool_calls": [
                    {
                        "id": call.id,
                        "type": "function",
                        "function": {"name": call.function.name, "arguments": call.function.arguments},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": call.id, "content": "sunny, 21 °C"},
        ],
    )
    assert "sunny, 21 °C" in (answered.choices[0].message.content or "")


async def test_streamed_tool_calls_add_up(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model="m", messages=QUESTION, tools=TOOLS) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.tool_calls is not None
    assert final.choices[0].message.tool_calls[0].function.name == "get_weather"


async def test_a_turn_of_responses_goes_on_by_the_id_of_the_one_before(client: AsyncOpenAI) -> None:
    tools: list[FunctionToolParam] = [{"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}]
    asked = await client.responses.create(model="m", input="What is the weather in Oslo?", tools=tools)
    (call,) = [item for item in asked.output if item.type == "function_call"]
    async with client.responses.stream(
        model="m",
        tools=tools,
        previous_response_id=asked.id,
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny, 21 °C"}],
    ) as stream:
        answered = await stream.get_final_response()
    assert "sunny, 21 °C" in answered.output_text


async def test_vectors(running: Proxy) -> None:
    async with AsyncOpenAI(max_retries=0) as client:
        answer = await client.embeddings.create(model="text-embedding-3-small", input=["Zürich", "月"])
    assert [len(item.embedding) for item in answer.data] == [1536, 1536]


async def test_azures_client(running: Proxy) -> None:
    endpoint = f"{running.url}/azure"
    async with AsyncAzureOpenAI(azure_endpoint=endpoint, api_key="any", api_version="2024-10-21", max_retries=0) as client:
        completion = await client.chat.completions.create(model="my-deployment", messages=QUESTION)
    assert completion.model == "my-deployment"


async def test_many_at_once_do_not_mix(client: AsyncOpenAI) -> None:
    async def ask(number: int) -> str:
        messages: list[ChatCompletionMessageParam] = [{"role": "user", "content": f"number {number}!"}]
        stream = await client.chat.completions.create(model="m", messages=messages, stream=True)
        return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    answers = await asyncio.gather(*map(ask, range(30)))
    assert [f"number {number}!" in answer for number, answer in enumerate(answers)] == [True] * 30


async def test_the_answer_carries_its_trace_id(client: AsyncOpenAI) -> None:
    raw = await client.chat.completions.with_raw_response.create(
        model="m", messages=QUESTION, extra_headers={"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    )
    assert raw.headers["x-trace-id-ext"] == "0af7651916cd43dd8448eb211c80319c"


async def test_an_unreachable_endpoint_raises_what_the_sdk_raises_for_its_provider(running: Proxy) -> None:
    async with AsyncOpenAI(base_url=f"{running.url}/dead/v1", api_key="any", max_retries=0) as client:
        with pytest.raises(InternalServerError) as caught:
            await client.chat.completions.create(model="m", messages=QUESTION)
        with pytest.raises(InternalServerError):
            await client.chat.completions.create(model="m", messages=QUESTION, stream=True)
    error = caught.value
    assert error.status_code == 502
    assert (error.code, error.type) == ("upstream_unreachable", "server_error")
    assert "127.0.0.1:1 cannot be reached: connection refused" in error.message

    def ask(sync: OpenAI) -> None:
        sync.with_options(base_url=f"{running.url}/dead/v1").chat.completions.create(model="m", messages=QUESTION)

    with pytest.raises(InternalServerError):
        await in_thread(ask)


async def test_the_sdk_tries_again_by_itself(running: Proxy) -> None:
    """With its default of two retries the proxy sees three exchanges: a 502 is one of the answers it repeats."""
    async with AsyncOpenAI(base_url=f"{running.url}/dead/v1", api_key="any", max_retries=2) as client:
        with pytest.raises(InternalServerError):
            await client.models.list()
    assert running.errors == {"upstream_unreachable": 3}


async def test_no_route_is_not_found(running: Proxy) -> None:
    async with AsyncOpenAI(base_url=f"{running.url}/nowhere", api_key="any", max_retries=0) as client:
        with pytest.raises(NotFoundError) as caught:
            await client.models.list()
    assert isinstance(caught.value, APIStatusError)
    assert "explain" in caught.value.message


async def test_a_stream_that_breaks_off_raises_and_never_looks_complete() -> None:
    event = (
        b'data: {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", '
        b'"choices": [{"index": 0, "delta": {"content": "half"}, "finish_reason": null}]}\n\n'
    )

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        writer.write(b"%x\r\n%b\r\n" % (len(event), event))
        await writer.drain()

    async with (
        upstream(handle) as endpoint,
        proxy(one_route(endpoint.url, route="llm: {api: openai}")) as running,
        AsyncOpenAI(base_url=f"{running.url}/v1", api_key="any", max_retries=0) as client,
    ):
        stream = await client.chat.completions.create(model="m", messages=QUESTION, stream=True)
        first = await anext(stream)
        assert first.choices[0].delta.content == "half"
        with pytest.raises(APIConnectionError):
            await anext(stream)
