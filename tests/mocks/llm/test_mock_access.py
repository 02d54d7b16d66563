"""Keys, models and context windows, when the settings are strict; and the headers of answers."""

from collections.abc import Awaitable, Callable
from typing import Any

import openai
import pytest
from aiohttp import ClientSession
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from tracer_proxy.mocks import llm

QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]

ASK: dict[str, Callable[[AsyncOpenAI, str], Awaitable[Any]]] = {
    "chat": lambda client, model: client.chat.completions.create(model=model, messages=QUESTION),
    "responses": lambda client, model: client.responses.create(model=model, input="hi"),
    "completions": lambda client, model: client.completions.create(model=model, prompt="hi"),
    "embeddings": lambda client, model: client.embeddings.create(model=model, input="hi"),
    "moderations": lambda client, model: client.moderations.create(model=model, input="hi"),
}


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK.keys())
async def test_only_holders_of_a_key_are_answered(ask: Callable[[AsyncOpenAI, str], Awaitable[Any]]) -> None:
    running = await llm.serve("127.0.0.1:0", llm.Settings(api_keys=("sk-one", "sk-two")))
    base_url = f"http://{running.address}/v1"
    async with AsyncOpenAI(base_url=base_url, api_key="sk-two") as client:
        await ask(client, "m")
    async with AsyncOpenAI(base_url=base_url, api_key="sk-wrong-1234") as client:
        with pytest.raises(openai.AuthenticationError) as caught:
            await ask(client, "m")
    assert caught.value.code == "invalid_api_key"
    assert "sk-wrong-1234" not in caught.value.message
    await running.stop()


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer \xff"}, {"api-key": "é"}])
async def test_no_key_and_odd_keys_are_refused(headers: dict[str, str]) -> None:
    running = await llm.serve("127.0.0.1:0", llm.Settings(api_keys=("sk-one",)))
    async with ClientSession() as session, session.get(f"http://{running.address}/v1/models", headers=headers) as response:
        assert response.status == 401
        assert (await response.json())["error"]["type"] == "invalid_request_error"
    await running.stop()


@pytest.mark.parametrize("ask", ASK.values(), ids=ASK.keys())
async def test_models_can_be_restricted(ask: Callable[[AsyncOpenAI, str], Awaitable[Any]]) -> None:
    running = await llm.serve("127.0.0.1:0", llm.Settings(models=("mine",), strict_models=True))
    async with AsyncOpenAI(base_url=f"http://{running.address}/v1", api_key="any") as client:
        await ask(client, "mine")
        with pytest.raises(openai.NotFoundError) as caught:
            await ask(client, "other")
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    await running.stop()


@pytest.mark.parametrize(("model", "fits"), [("gpt-4", False), ("gpt-4o", True), ("unheard-of", True)])
async def test_a_prompt_has_to_fit_the_models_window(client: AsyncOpenAI, model: str, fits: bool) -> None:
    long: list[ChatCompletionMessageParam] = [{"role": "user", "content": "word " * 9000}]
    if fits:
        await client.chat.completions.create(model=model, messages=long)
        return
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model=model, messages=long)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "messages")
    with pytest.raises(openai.BadRequestError) as caught:
        await client.responses.create(model=model, input="word " * 9000)
    assert (caught.value.code, caught.value.param) == ("context_length_exceeded", "input")


@pytest.mark.parametrize("stream", [False, True])
async def test_answers_of_models_tell_what_is_left_of_the_limits(http: ClientSession, stream: bool) -> None:
    body = {"model": "m", "messages": QUESTION, "stream": stream}
    async with http.post("/v1/chat/completions", json=body) as response:
        headers = response.headers
    assert headers["openai-organization"]
    for what in ("requests", "tokens"):
        most, left = int(headers[f"x-ratelimit-limit-{what}"]), int(headers[f"x-ratelimit-remaining-{what}"])
        assert 0 < left < most
        assert headers[f"x-ratelimit-reset-{what}"].removesuffix("ms").isdigit()
    async with http.get("/v1/models") as response:
        assert "x-ratelimit-limit-tokens" not in response.headers
        assert response.headers["x-request-id"].startswith("req_")
