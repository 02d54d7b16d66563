"""The official client's Azure flavour: paths of deployments, and the key in another header."""

import asyncio
from collections.abc import AsyncIterator

import openai
import pytest
from aiohttp import ClientSession
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI
from openai.types.chat import ChatCompletionMessageParam

from tracer_proxy.mocks import llm

VERSION = "2024-10-21"
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "How far away is the moon?"}]


@pytest.fixture
async def mock() -> AsyncIterator[llm.RunningMock]:
    running = await llm.serve("127.0.0.1:0", llm.Settings(api_keys=("azure-key",)))
    yield running
    await running.stop()


@pytest.fixture
async def azure(mock: llm.RunningMock) -> AsyncIterator[AsyncAzureOpenAI]:
    async with AsyncAzureOpenAI(
        azure_endpoint=f"http://{mock.address}",
        api_key="azure-key",
        api_version=VERSION,
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        yield client


async def test_the_model_is_the_deployment(azure: AsyncAzureOpenAI) -> None:
    completion = await azure.chat.completions.create(model="my-deployment", messages=QUESTION)
    assert completion.model == "my-deployment"
    stream = await azure.chat.completions.create(model="my-deployment", messages=QUESTION, stream=True)
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == completion.choices[0].message.content


async def test_what_else_a_deployment_does(azure: AsyncAzureOpenAI) -> None:
    assert len((await azure.embeddings.create(model="embedder", input="hi", encoding_format="float")).data[0].embedding) == 1536
    assert (await azure.completions.create(model="writer", prompt="hi")).model == "writer"


async def test_responses_and_models_need_no_deployment(azure: AsyncAzureOpenAI) -> None:
    response = await azure.responses.create(model="my-deployment", input="hi")
    assert (await azure.responses.retrieve(response.id)).output_text == response.output_text
    assert [model async for model in azure.models.list()]


async def test_a_client_with_a_fixed_deployment(mock: llm.RunningMock) -> None:
    client = AzureOpenAI(
        azure_endpoint=f"http://{mock.address}", azure_deployment="fixed", api_key="azure-key", api_version=VERSION
    )
    with client:
        completion = await asyncio.to_thread(client.chat.completions.create, model="ignored", messages=QUESTION)
        response = await asyncio.to_thread(client.responses.create, model="named", input="hi")
    assert (completion.model, response.model) == ("fixed", "named")


async def test_the_paths_of_the_newer_version_are_those_of_the_plain_client(mock: llm.RunningMock) -> None:
    async with AsyncOpenAI(base_url=f"http://{mock.address}/openai/v1", api_key="azure-key") as client:
        assert (await client.chat.completions.create(model="m", messages=QUESTION)).model == "m"
        assert (await client.responses.create(model="m", input="hi")).model == "m"


async def test_a_wrong_key_is_refused(mock: llm.RunningMock) -> None:
    endpoint = f"http://{mock.address}"
    async with AsyncAzureOpenAI(azure_endpoint=endpoint, api_key="other", api_version=VERSION) as client:
        with pytest.raises(openai.AuthenticationError):
            await client.chat.completions.create(model="m", messages=QUESTION)


async def test_a_deployments_path_needs_a_version(mock: llm.RunningMock) -> None:
    url = f"http://{mock.address}/openai/deployments/d/chat/completions"
    body = {"messages": QUESTION}
    async with ClientSession(headers={"api-key": "azure-key"}) as session:
        async with session.post(url, json=body) as response:
            assert response.status == 404
        async with session.post(f"{url}?api-version={VERSION}", json=body) as response:
            assert (await response.json())["model"] == "d"
