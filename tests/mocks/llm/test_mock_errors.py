"""Refusals: the provider's envelope, and the exception that the official client makes of it."""

from typing import Any

import openai
import pytest
from aiohttp import ClientSession
from openai import AsyncOpenAI

from tracer_proxy import limits

USER = {"role": "user", "content": "hi"}
VALID = {"model": "m", "messages": [USER]}
CALL = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "done"}
TOOL = {"type": "function", "function": {"name": "f"}}
JSON_TYPE = {"content-type": "application/json"}

CLOSED = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
OPEN = {**CLOSED, "additionalProperties": True}


def described(schema: dict[str, Any] | None, name: str = "n", strict: bool = True) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "schema": schema, "strict": strict}}


def strict_tool(schema: dict[str, Any], strict: bool = True) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", "parameters": schema, "strict": strict}}


REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"model": None}, "model", "missing_required_parameter"),
    ({"model": 7}, "model", "invalid_type"),
    ({"messages": None}, "messages", "missing_required_parameter"),
    ({"messages": "hi"}, "messages", "invalid_type"),
    ({"messages": []}, "messages", "empty_array"),
    ({"messages": ["hi"]}, "messages[0]", "invalid_type"),
    ({"messages": [{"content": "hi"}]}, "messages[0].role", "missing_required_parameter"),
    ({"messages": [{"role": "robot", "content": "hi"}]}, "messages[0].role", "invalid_value"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_required_parameter"),
    ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content", "invalid_type"),
    ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "messages[0].content[0].type", "invalid_value"),
    (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0].content[0].text",
        "missing_required_parameter",
    ),
    ({"messages": [USER, {"role": "tool", "content": "x"}]}, "messages[1].tool_call_id", "missing_required_parameter"),
    (
        {"messages": [{**CALLING, "tool_calls": [{**CALL, "function": {"name": "f", "arguments": {}}}]}]},
        "messages[0].tool_calls[0].function.arguments",
        "invalid_type",
    ),
    ({"messages": [USER, RESULT]}, "messages[1]", None),
    ({"messages": [USER, CALLING]}, "messages", None),
    ({"messages": [USER, CALLING, USER]}, "messages[2]", None),
    ({"messages": [USER, CALLING, RESULT, USER, RESULT]}, "messages[4]", None),
    ({"n": 0}, "n", "invalid_value"),
    ({"n": limits.MOCK_CHOICES_MAX + 1}, "n", "invalid_value"),
    ({"n": True}, "n", "invalid_type"),
    ({"max_tokens": 0}, "max_tokens", "invalid_value"),
    ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens", None),
    ({"temperature": 2.5}, "temperature", "invalid_value"),
    ({"temperature": "hot"}, "temperature", "invalid_type"),
    ({"stop": ["a", "b", "c", "d", "e"]}, "stop", "invalid_value"),
    ({"stop": [1]}, "stop[0]", "invalid_type"),
    ({"stop": {}}, "stop", "invalid_type"),
    ({"stream": "yes"}, "stream", "invalid_type"),
    ({"stream_options": {"include_usage": True}}, "stream_options", "invalid_value"),
    ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_required_parameter"),
    ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools[0].type", "invalid_value"),
    ({"tools": [{"type": "function", "function": {"name": "no spaces"}}]}, "tools[0].function.name", "invalid_value"),
    ({"tools": [TOOL], "tool_choice": "perhaps"}, "tool_choice", "invalid_value"),
    ({"tool_choice": "auto"}, "tool_choice", "invalid_value"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "g"}}},
        "tool_choice.function.name",
        "invalid_value",
    ),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema", "missing_required_parameter"),
    ({"response_format": described(OPEN)}, "response_format", None),
    ({"response_format": described({**CLOSED, "required": []})}, "response_format", None),
    ({"response_format": described({**CLOSED, "properties": {"a": {"oneOf": []}}})}, "response_format", None),
    ({"response_format": described({**CLOSED, "properties": {"a": {"items": OPEN}}})}, "response_format", None),
    ({"response_format": described({**CLOSED, "$defs": {"b": OPEN}})}, "response_format", None),
    ({"response_format": described({"anyOf": [CLOSED]})}, "response_format", None),
    ({"response_format": described({"type": "array"}, strict=False)}, "response_format", None),
    ({"response_format": described(CLOSED, name="no spaces")}, "response_format.json_schema.name", "invalid_value"),
    ({"response_format": described(None)}, "response_format.json_schema.schema", "missing_required_parameter"),
    ({"tools": [strict_tool(OPEN)]}, "tools[0].function.parameters", "invalid_function_parameters"),
    ({"tools": [strict_tool({}, strict=False)]}, "tools[0].function.parameters", "invalid_function_parameters"),
    ({"logprobs": "yes"}, "logprobs", "invalid_type"),
    ({"top_logprobs": 2}, "top_logprobs", "invalid_value"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "invalid_value"),
    ({"reasoning_effort": "much"}, "reasoning_effort", "invalid_value"),
    ({"service_tier": "first class"}, "service_tier", "invalid_value"),
    ({"seed": "1"}, "seed", "invalid_type"),
    ({"functions": [{"name": "f"}]}, "functions", "invalid_value"),
    ({"modalities": ["text", "audio"]}, "modalities", "invalid_value"),
]


@pytest.mark.parametrize(("change", "param", "code"), REFUSED)
async def test_what_the_provider_refuses_is_refused_with_the_field_at_fault(
    http: ClientSession, change: dict[str, Any], param: str, code: str | None
) -> None:
    async with http.post("/v1/chat/completions", json={**VALID, **change}) as response:
        error = (await response.json())["error"]
    assert (response.status, error["type"], error["param"], error["code"]) == (
        400,
        "invalid_request_error",
        param,
        code,
    )
    assert error["message"].endswith(".")


ACCEPTED: list[dict[str, Any]] = [
    {"messages": [USER, CALLING, RESULT]},
    {"unheard_of": {"a": 1}},
    {"user": None},
    {"response_format": described({**CLOSED, "properties": {"a": {"anyOf": [CLOSED, {"type": "null"}]}}})},
    {"response_format": described(OPEN, strict=False)},
    {"tools": [strict_tool(CLOSED)]},
    {"seed": -1, "reasoning_effort": "none", "service_tier": "flex", "store": True, "metadata": {"a": "b"}},
]


@pytest.mark.parametrize("change", ACCEPTED)
async def test_what_the_provider_accepts_is_accepted(http: ClientSession, change: dict[str, Any]) -> None:
    async with http.post("/v1/chat/completions", json={**VALID, **change}) as response:
        assert response.status == 200


BAD_JSON = {
    "empty": b"",
    "cut off": b'{"model": ',
    "nan": b'{"model": NaN}',
    "overflow": b'{"temperature": 1e999}',
    "deep": b"[" * 5000 + b"]" * 5000,
    "deeper than allowed": b"[" * 150 + b"]" * 150,
    "long integer": b"9" * 5000,
    "no utf-8": b'{"model": "\xff"}',
}


@pytest.mark.parametrize("body", BAD_JSON.values(), ids=BAD_JSON.keys())
async def test_a_body_that_is_not_json(http: ClientSession, body: bytes) -> None:
    async with http.post("/v1/chat/completions", data=body, headers=JSON_TYPE) as response:
        assert response.status == 400
        assert (await response.json())["error"]["code"] == "invalid_json"


async def test_a_body_of_another_type(http: ClientSession) -> None:
    async with http.post("/v1/chat/completions", data={"model": "m"}) as response:
        assert response.status == 400
        assert "application/x-www-form-urlencoded" in (await response.json())["error"]["message"]


async def test_a_body_that_is_not_compressed_as_it_says(http: ClientSession) -> None:
    headers = {**JSON_TYPE, "content-encoding": "gzip"}
    async with http.post("/v1/chat/completions", data=b"no gzip", headers=headers) as response:
        assert response.status == 400


async def test_a_body_that_is_too_large(http: ClientSession) -> None:
    async def endless() -> Any:
        for _ in range(limits.MOCK_REQUEST_BYTES_MAX // limits.MiB + 1):
            yield bytes(limits.MiB)

    async with http.post("/v1/chat/completions", data=endless(), headers=JSON_TYPE) as response:
        assert response.status == 413
        assert (await response.json())["error"]["code"] == "request_too_large"


async def test_an_unknown_path(http: ClientSession) -> None:
    async with http.post("/v1/nothing/here", json={}) as response:
        assert response.status == 404
        assert "POST /v1/nothing/here" in (await response.json())["error"]["message"]
        assert response.headers["x-request-id"]


async def test_a_wrong_method(http: ClientSession) -> None:
    async with http.get("/v1/chat/completions") as response:
        assert response.status == 405
        assert response.headers["allow"] == "POST"
        assert (await response.json())["error"]["code"] == "method_not_allowed"


async def test_the_client_raises_bad_request(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model="m", messages=[])
    assert (caught.value.param, caught.value.code) == ("messages", "empty_array")
    assert caught.value.request_id is not None


async def test_the_client_raises_not_found_for_a_model(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("gpt-none")
    assert caught.value.code == "model_not_found"


async def test_the_client_raises_not_found_for_a_path(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        await client.post("/nothing", cast_to=object)


async def test_the_client_raises_status_error_for_a_method(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.APIStatusError) as caught:
        await client.get("/chat/completions", cast_to=object)
    assert caught.value.status_code == 405


async def test_the_client_raises_bad_request_before_a_stream_begins(client: AsyncOpenAI) -> None:
    with pytest.raises(openai.BadRequestError):
        await client.chat.completions.create(model="m", messages=[], stream=True)
