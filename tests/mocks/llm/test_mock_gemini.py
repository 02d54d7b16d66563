"""Gemini's API, as the official client reads it."""

import asyncio
import json
import math
from typing import Any

import pytest
from aiohttp import ClientSession
from google import genai
from google.genai import errors, types
from pydantic import BaseModel
from split_relay import split_relay

from tracer_proxy.mocks import llm

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")  # the client's own

MODEL = "gemini-3.8-flash"
QUESTION = "What is the weather in New York?"
WEATHER = types.FunctionDeclaration(
    name="get_weather",
    description="Tells the weather.",
    parameters=types.Schema(
        type=types.Type.OBJECT,
        properties={
            "city": types.Schema(type=types.Type.STRING),
            "unit": types.Schema(type=types.Type.STRING, enum=["C", "F"]),
            "days": types.Schema(type=types.Type.ARRAY, items=types.Schema(type=types.Type.INTEGER), min_items=2),
        },
        required=["city", "unit", "days"],
    ),
)
TIME = types.FunctionDeclaration(
    name="get_time",
    parameters_json_schema={"type": "object", "properties": {"zone": {"type": "string"}}, "required": ["zone"]},
)
TOOLS: Any = [types.Tool(function_declarations=[TIME, WEATHER])]


async def ask(gemini: genai.Client, contents: Any = QUESTION, model: str = MODEL, **config: Any) -> Any:
    made = types.GenerateContentConfig(**config, automatic_function_calling={"disable": True})
    return await gemini.aio.models.generate_content(model=model, contents=contents, config=made)


async def test_an_answer_shows_what_was_asked(gemini: genai.Client) -> None:
    response = await ask(gemini, system_instruction="Be brief.")
    assert QUESTION in response.text
    assert (response.model_version, response.candidates[0].finish_reason) == (MODEL, types.FinishReason.STOP)
    assert response.response_id
    usage = response.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count
    assert usage.prompt_token_count > (await ask(gemini)).usage_metadata.prompt_token_count
    same = await asyncio.to_thread(
        gemini.models.generate_content,
        model=MODEL,
        contents=QUESTION,
        config=types.GenerateContentConfig(system_instruction="Be brief."),
    )
    assert same.text == response.text


async def test_limits_of_an_answer(gemini: genai.Client) -> None:
    cut = await ask(gemini, max_output_tokens=4)
    assert cut.candidates[0].finish_reason == types.FinishReason.MAX_TOKENS
    assert cut.usage_metadata.candidates_token_count == 4
    stopped = await ask(gemini, stop_sequences=["York"])
    assert stopped.text.endswith("the weather in New ")
    assert stopped.candidates[0].finish_reason == types.FinishReason.STOP
    several = await ask(gemini, candidate_count=3)
    assert [candidate.index or 0 for candidate in several.candidates] == [0, 1, 2]
    assert len({candidate.content.parts[0].text for candidate in several.candidates}) == 3


async def test_safety_is_rated_if_asked_for(gemini: genai.Client) -> None:
    setting = {"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}
    rated = (await ask(gemini, safety_settings=[setting])).candidates[0].safety_ratings
    assert {rating.probability for rating in rated} == {types.HarmProbability.NEGLIGIBLE}
    assert (await ask(gemini)).candidates[0].safety_ratings is None


THINKING: dict[str, Any] = {"thinking_config": {"include_thoughts": True}}


@pytest.mark.parametrize("config", [{}, THINKING, {"tools": TOOLS}, {**THINKING, "tools": TOOLS}, {"max_output_tokens": 3}])
async def test_a_stream_is_the_same_answer(gemini: genai.Client, config: dict[str, Any]) -> None:
    whole = await ask(gemini, **config)
    made = types.GenerateContentConfig(**config, automatic_function_calling={"disable": True})
    stream = await gemini.aio.models.generate_content_stream(model=MODEL, contents=QUESTION, config=made)
    chunks: list[Any] = [chunk async for chunk in stream]
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts]
    assert _joined(parts) == _joined(whole.candidates[0].content.parts)
    assert [chunk.candidates[0].finish_reason for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1].candidates[0].finish_reason == whole.candidates[0].finish_reason
    assert chunks[-1].usage_metadata == whole.usage_metadata
    assert {chunk.response_id for chunk in chunks} == {whole.response_id}


def _joined(parts: list[Any]) -> tuple[str, str, list[Any], list[Any]]:
    thoughts = "".join(part.text for part in parts if part.thought)
    text = "".join(part.text for part in parts if part.text and not part.thought)
    return (
        thoughts,
        text,
        [part.function_call for part in parts if part.function_call],
        [part.thought_signature for part in parts if part.thought_signature],
    )


async def test_candidates_of_a_stream(gemini: genai.Client) -> None:
    whole = await ask(gemini, candidate_count=2)
    stream = await gemini.aio.models.generate_content_stream(
        model=MODEL, contents=QUESTION, config=types.GenerateContentConfig(candidate_count=2)
    )
    texts = {0: "", 1: ""}
    async for chunk in stream:
        for candidate in chunk.candidates or []:
            assert candidate.content is not None
            assert candidate.content.parts is not None
            texts[candidate.index or 0] += candidate.content.parts[0].text or ""
    assert list(texts.values()) == [candidate.content.parts[0].text for candidate in whole.candidates]


@pytest.mark.parametrize("seed", range(4))
async def test_a_stream_that_comes_in_pieces(mock: llm.RunningMock, gemini: genai.Client, seed: int) -> None:
    question = "Où est la lune? 月はどこ {[\\"
    whole = await gemini.aio.models.generate_content(model=MODEL, contents=question)
    async with split_relay(mock.address, seed) as address:
        options = types.HttpOptions(base_url=f"http://{address}")
        async with genai.Client(api_key="k", http_options=options).aio as far:
            stream = await far.models.generate_content_stream(model=MODEL, contents=question)
            texts = [chunk.text or "" async for chunk in stream]
    assert "".join(texts) == whole.text
    assert len(texts) > 10


async def test_the_fitting_function_is_called(gemini: genai.Client) -> None:
    response = await ask(gemini, tools=TOOLS)
    (call,) = response.function_calls
    assert (call.name, call.args["city"], call.args["unit"]) == ("get_weather", "New York", "C")
    assert [isinstance(day, int) for day in call.args["days"]] == [True, True]
    assert response.candidates[0].finish_reason == types.FinishReason.STOP
    assert call.id
    (older,) = (await ask(gemini, model="gemini-2.5-flash", tools=TOOLS)).function_calls
    assert (older.id, older.args) == (None, call.args)


@pytest.mark.parametrize(
    ("calling", "names"),
    [
        ({"mode": "AUTO"}, ["get_weather", "get_time"]),
        ({"mode": "ANY"}, ["get_weather", "get_time"]),
        ({"mode": "ANY", "allowed_function_names": ["get_time"]}, ["get_time"]),
        ({"mode": "NONE"}, []),
    ],
)
async def test_function_calling_modes(gemini: genai.Client, calling: Any, names: list[str]) -> None:
    config = types.ToolConfig(function_calling_config=types.FunctionCallingConfig(**calling))
    response = await ask(gemini, "Get me the weather and the time.", tools=TOOLS, tool_config=config)
    assert [call.name for call in response.function_calls or []] == names


async def test_functions_are_called_by_the_client_itself(gemini: genai.Client) -> None:
    asked_for = []

    def get_weather(city: str, days: int = 1) -> str:
        """Tells the weather."""
        asked_for.append((city, days))
        return "sunny"

    config = types.GenerateContentConfig(tools=[get_weather])
    response = await gemini.aio.models.generate_content(model=MODEL, contents=QUESTION, config=config)
    assert [city for city, _ in asked_for] == ["New York"]
    assert "get_weather" in (response.text or "")
    assert "sunny" in (response.text or "")
    again = await asyncio.to_thread(gemini.models.generate_content, model=MODEL, contents=QUESTION, config=config)
    assert again.text == response.text


async def test_a_chat_remembers_and_streams(gemini: genai.Client) -> None:
    chat = gemini.aio.chats.create(model=MODEL)
    await chat.send_message("My name is Ada.")
    texts = [chunk.text or "" async for chunk in await chat.send_message_stream("What is my name?")]
    assert "What is my name?" in "".join(texts)
    assert [content.role for content in chat.get_history(curated=True)][:2] == ["user", "model"]
    counted = await gemini.aio.models.count_tokens(model=MODEL, contents=chat.get_history(curated=True))
    assert (counted.total_tokens or 0) > 20


class Forecast(BaseModel):
    city: str
    celsius: float
    warnings: list[str]


async def test_a_structured_answer_fits_its_schema(gemini: genai.Client) -> None:
    for config in ({"response_schema": Forecast}, {"response_json_schema": Forecast.model_json_schema()}):
        response = await ask(gemini, response_mime_type="application/json", **config)
        assert Forecast.model_validate_json(response.text).city == "New York"
    plain = await ask(gemini, response_mime_type="application/json")
    assert isinstance(json.loads(plain.text), dict)
    word = await ask(gemini, response_mime_type="text/x.enum", response_schema={"type": "STRING", "enum": ["yes", "no"]})
    assert word.text == "yes"


async def test_thoughts_are_shown_if_asked_for(gemini: genai.Client) -> None:
    shown = (await ask(gemini, **THINKING)).candidates[0].content.parts
    assert [bool(part.thought) for part in shown] == [True, False]
    assert QUESTION in shown[0].text
    assert shown[1].thought_signature
    hidden = await ask(gemini, thinking_config={"thinking_budget": 100})
    assert [bool(part.thought) for part in hidden.candidates[0].content.parts] == [False]
    usage = hidden.usage_metadata
    assert usage.thoughts_token_count > 0
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count + usage.thoughts_token_count
    off = await ask(gemini, thinking_config={"thinking_budget": 0})
    assert off.usage_metadata.thoughts_token_count is None


async def test_embeddings(gemini: genai.Client) -> None:
    texts: Any = ["The moon is far away", "How far away is the moon", "Quarterly invoices"]
    config = types.EmbedContentConfig(output_dimensionality=256)
    response = await gemini.aio.models.embed_content(model="gemini-embedding-001", contents=texts, config=config)
    vectors = [embedding.values or [] for embedding in response.embeddings or []]
    assert [len(vector) for vector in vectors] == [256, 256, 256]
    assert math.isclose(sum(value * value for value in vectors[0]), 1.0)
    near, far = (sum(a * b for a, b in zip(vectors[0], other, strict=True)) for other in vectors[1:])
    assert near > far
    one = await gemini.aio.models.embed_content(model="gemini-embedding-2", contents="alone")
    assert one.embeddings is not None
    assert len(one.embeddings[0].values or []) == 3072


async def test_models(gemini: genai.Client) -> None:
    listed = [model async for model in await gemini.aio.models.list()]
    assert f"models/{MODEL}" in {model.name for model in listed}
    assert await gemini.aio.models.get(model=MODEL) in listed
    with pytest.raises(errors.ClientError) as raised:
        await gemini.aio.models.get(model="gemini-0")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
async def test_every_version_of_the_api(mock: llm.RunningMock, version: str) -> None:
    options = types.HttpOptions(base_url=f"http://{mock.address}", api_version=version)
    async with genai.Client(api_key="k", http_options=options).aio as client:
        assert QUESTION in ((await client.models.generate_content(model=MODEL, contents=QUESTION)).text or "")
        assert [model async for model in await client.models.list()]


BODY = {"contents": [{"parts": [{"text": QUESTION}]}]}


async def test_a_stream_without_sse_is_one_array(http: ClientSession) -> None:
    async with http.post(f"/v1beta/models/{MODEL}:streamGenerateContent", json=BODY) as response:
        chunks = await response.json()
    assert chunks[-1]["candidates"][0]["finishReason"] == "STOP"
    text = "".join(chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks)
    assert QUESTION in text


async def test_snake_case_is_read_too(http: ClientSession) -> None:
    body = {**BODY, "generation_config": {"max_output_tokens": 4}, "system_instruction": {"parts": [{"text": "Be brief."}]}}
    async with http.post(f"/v1beta/models/{MODEL}:generateContent", json=body) as response:
        read = await response.json()
    assert read["candidates"][0]["finishReason"] == "MAX_TOKENS"


async def test_single_embeddings_and_counts_of_whole_requests(http: ClientSession) -> None:
    body = {"content": {"parts": [{"text": "moon"}]}, "outputDimensionality": 8}
    async with http.post("/v1beta/models/gemini-embedding-001:embedContent", json=body) as response:
        assert len((await response.json())["embedding"]["values"]) == 8
    whole = {"generateContentRequest": {**BODY, "model": f"models/{MODEL}"}}
    async with http.post(f"/v1beta/models/{MODEL}:countTokens", json=whole) as response:
        counted = (await response.json())["totalTokens"]
    async with http.post(f"/v1beta/models/{MODEL}:generateContent", json=BODY) as response:
        assert counted == (await response.json())["usageMetadata"]["promptTokenCount"] > 0


async def test_no_key_is_recorded(http: ClientSession) -> None:
    path = f"/v1beta/models/{MODEL}:generateContent"
    async with http.post(f"{path}?key=AIza-secret", json=BODY, headers={"x-goog-api-key": "AIza-secret"}) as response:
        assert response.status == 200
    async with http.get("/__mock__/calls") as response:
        journal = await response.text()
    assert path in journal
    assert "AIza-secret" not in journal
