"""Ollama's API, read line by line: its client is not installed here."""

import json
from typing import Any

import pytest
from aiohttp import ClientSession

MODEL = "llama3.2"
QUESTION = {"role": "user", "content": "What is the weather in New York?"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Tells the weather.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


async def post(http: ClientSession, path: str, **body: Any) -> list[dict[str, Any]]:
    async with http.post(path, json={"model": MODEL, **body}) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == ("application/json" if body.get("stream") is False else "application/x-ndjson")
        return [json.loads(line) for line in (await response.read()).splitlines()]


async def test_a_chat_streams_lines_by_default(http: ClientSession) -> None:
    lines = await post(http, "/api/chat", messages=[QUESTION])
    (whole,) = await post(http, "/api/chat", messages=[QUESTION], stream=False)
    assert [line["done"] for line in lines] == [False] * (len(lines) - 1) + [True]
    assert "".join(line["message"]["content"] for line in lines) == whole["message"]["content"]
    assert "What is the weather in New York?" in whole["message"]["content"]
    for name in ("done_reason", "prompt_eval_count", "eval_count", "total_duration", "created_at"):
        assert lines[-1][name] == whole[name]
    assert whole["eval_count"] == len(lines) - 1


async def test_generate(http: ClientSession) -> None:
    lines = await post(http, "/api/generate", prompt="Why is the sky blue?", think=True)
    (whole,) = await post(http, "/api/generate", prompt="Why is the sky blue?", think=True, stream=False)
    assert "".join(line["response"] for line in lines) == whole["response"]
    assert "".join(line.get("thinking", "") for line in lines) == whole["thinking"]
    assert "Why is the sky blue?" in whole["response"]


@pytest.mark.parametrize("said", [{"tool_name": "get_weather"}, {}])
async def test_an_agent_loop_ends_by_itself(http: ClientSession, said: dict[str, str]) -> None:
    lines = await post(http, "/api/chat", messages=[QUESTION], tools=[WEATHER])
    (message,) = (line["message"] for line in lines if "tool_calls" in line["message"])
    (call,) = message["tool_calls"]
    assert (call["function"]["name"], call["function"]["arguments"]) == ("get_weather", {"city": "New York"})
    later = [QUESTION, message, {"role": "tool", "content": "sunny", **said}]
    (answer,) = await post(http, "/api/chat", messages=later, tools=[WEATHER], stream=False)
    assert "tool_calls" not in answer["message"]
    assert "The tool get_weather says: “sunny”" in answer["message"]["content"]


async def test_structured_answers(http: ClientSession) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    (fitting,) = await post(http, "/api/chat", messages=[QUESTION], format=schema, stream=False)
    assert json.loads(fitting["message"]["content"]) == {"city": "New York"}
    (free,) = await post(http, "/api/chat", messages=[QUESTION], format="json", stream=False)
    assert isinstance(json.loads(free["message"]["content"]), dict)


async def test_options_end_an_answer(http: ClientSession) -> None:
    (cut,) = await post(http, "/api/chat", messages=[QUESTION], options={"num_predict": 4}, stream=False)
    assert (cut["done_reason"], cut["eval_count"]) == ("length", 4)
    (stopped,) = await post(http, "/api/chat", messages=[QUESTION], options={"stop": ["York"]}, stream=False)
    assert (stopped["done_reason"], stopped["message"]["content"][-4:]) == ("stop", "New ")


async def test_a_model_is_loaded_by_asking_nothing(http: ClientSession) -> None:
    (loaded,) = await post(http, "/api/generate")
    assert (loaded["done_reason"], loaded["response"]) == ("load", "")


async def test_vectors_models_and_version(http: ClientSession) -> None:
    (embedded,) = await post(http, "/api/embed", input=["moon", "sun"], stream=False)
    assert [len(vector) for vector in embedded["embeddings"]] == [768, 768]
    async with http.get("/api/tags") as response:
        assert "llama3.2:latest" in [model["name"] for model in (await response.json())["models"]]
    async with http.get("/api/version") as response:
        assert (await response.json())["version"]


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/api/chat", {"messages": [QUESTION]}, 400, "model is required"),
        ("/api/chat", {"model": "m", "messages": [{"role": "robot"}]}, 400, "messages[0].role has to be one of"),
        ("/api/chat", {"model": "m", "messages": "hi"}, 400, "json: cannot read messages: expected an array"),
        ("/api/chat", {"model": "m", "messages": [QUESTION], "format": "xml"}, 400, "format has to be one of: json"),
        ("/api/imagine", {}, 404, "The mock has no POST /api/imagine."),
    ],
)
async def test_refusals(http: ClientSession, path: str, body: dict[str, Any], status: int, message: str) -> None:
    async with http.post(path, json=body) as response:
        assert response.status == status
        assert (await response.json())["error"].startswith(message)
