"""Refusals of Anthropic's messages: the provider's envelope, and the exception that the official client makes of it."""

import io
from typing import Any

import anthropic
import pytest
from aiohttp import ClientSession
from anthropic import AsyncAnthropic

from tracer_proxy import limits
from tracer_proxy.mocks import llm

USER = {"role": "user", "content": "hi"}
VALID: dict[str, Any] = {"model": "claude-sonnet-5-5", "max_tokens": 2000, "messages": [USER]}
CALLING = {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}]}
RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"}]}
TOOL = {"name": "f", "input_schema": {"type": "object"}}
THINKING = {"type": "enabled", "budget_tokens": 1024}
HEADERS = {"content-type": "application/json", "anthropic-version": "2023-06-01", "x-api-key": "k"}

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"model": None}, "model: Field required"),
    ({"model": 7}, "model: Input should be a valid string"),
    ({"max_tokens": None}, "max_tokens: Field required"),
    ({"max_tokens": -1}, "max_tokens: Input has to be at least 0"),
    ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
    ({"messages": None}, "messages: Field required"),
    ({"messages": "hi"}, "messages: Input should be a valid list"),
    ({"messages": []}, "messages: at least one message is required"),
    ({"messages": ["hi"]}, "messages.0: Input should be a valid dictionary"),
    ({"messages": [{**USER, "role": "tool"}]}, "messages.0.role: Input has to be one of"),
    ({"messages": [{"role": "assistant", "content": "hi"}]}, 'messages: first message must use the "user" role'),
    ({"messages": [{"role": "user"}]}, "messages.0.content: Field required"),
    ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non-empty content"),
    ({"messages": [{"role": "user", "content": [{"type": "smell"}]}]}, "messages.0.content.0.type: Input tag 'smell'"),
    ({"messages": [{"role": "user", "content": [{"type": "text", "text": ""}]}]}, "messages.0.content.0.text: text content"),
    ({"messages": [USER, {"role": "assistant", "content": "So "}]}, "messages: final assistant content cannot end with"),
    ({"messages": [USER, RESULT]}, "messages.0.content: unexpected `tool_use_id` found in `tool_result` blocks: toolu_1"),
    ({"messages": [USER, CALLING]}, "messages.1: `tool_use` ids were found without `tool_result` blocks"),
    ({"messages": [USER, CALLING, USER]}, "messages.1: `tool_use` ids were found without `tool_result` blocks"),
    ({"messages": [USER, CALLING, RESULT, RESULT]}, "messages.2.content: each tool_use must have a single result"),
    ({"messages": [{**CALLING, "role": "user"}]}, "messages.0: `tool_use` blocks can only be in `assistant` messages"),
    ({"messages": [USER, CALLING, RESULT], "thinking": THINKING}, "messages.1.content.0.type: Expected `thinking`"),
    ({"n": 2}, "n: Extra inputs are not permitted"),
    ({"temperature": 1.5}, "temperature: Input has to be at most 1"),
    ({"metadata": {"team": "a"}}, "metadata.team: Extra inputs are not permitted"),
    ({"stop_sequences": [" "]}, "stop_sequences.0: each stop sequence must contain non-whitespace"),
    ({"system": [{"type": "image"}]}, "system.0.type: Input tag 'image'"),
    ({"tools": [{"name": "f"}]}, "tools.0.input_schema: Field required"),
    ({"tools": [{"name": "no spaces", "input_schema": {"type": "object"}}]}, "tools.0.name: String should match pattern"),
    ({"tools": [TOOL, TOOL]}, "tools: Tool names must be unique."),
    ({"tool_choice": {"type": "auto"}}, "tool_choice: tool_choice may only be specified while providing tools."),
    ({"tools": [TOOL], "tool_choice": {"type": "tool", "name": "g"}}, "Tool 'g' not found in provided tools"),
    ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens: Field required"),
    ({"thinking": {"type": "enabled", "budget_tokens": 100}}, "thinking.budget_tokens: Input has to be at least 1024"),
    ({"thinking": {**THINKING, "budget_tokens": 2000}}, "`max_tokens` must be greater than `thinking.budget_tokens`."),
    ({"thinking": THINKING, "temperature": 0.5}, "`temperature` may only be set to 1 when thinking is enabled."),
    ({"thinking": THINKING, "tools": [TOOL], "tool_choice": {"type": "any"}}, "Thinking may not be enabled when tool_choice"),
    (
        {"messages": [USER, {"role": "assistant", "content": [{"type": "thinking", "thinking": "a", "signature": "b"}]}, USER]},
        "messages.1.content.0.signature: Invalid `signature` in `thinking` block",
    ),
    ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema: Field required"),
    ({"output_config": {"effort": "huge"}}, "output_config.effort: Input has to be one of"),
    ({"system": [{"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}] * 5}, "A maximum of 4 blocks"),
    ({"messages": [{"role": "user", "content": "long " * 250_000}]}, "prompt is too long: "),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
async def test_what_the_provider_refuses_is_refused_in_its_words(
    claude: AsyncAnthropic, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(anthropic.BadRequestError) as raised:
        await claude.messages.create(extra_body=change, **VALID)
    assert (raised.value.type, raised.value.response.status_code) == ("invalid_request_error", 400)
    assert _told(raised).startswith(message)


def _told(raised: pytest.ExceptionInfo[anthropic.APIStatusError]) -> str:
    body: Any = raised.value.body
    return str(body["error"]["message"])


async def test_a_beta_may_bring_fields_that_are_unknown_here(http: ClientSession) -> None:
    for headers, status in ((HEADERS, 400), ({**HEADERS, "anthropic-beta": "new-things"}, 200)):
        async with http.post("/v1/messages?beta=true", json={**VALID, "novelty": 1}, headers=headers) as response:
            assert response.status == status


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "status", "kind", "message"),
    [
        (
            "POST",
            "/v1/messages",
            {**HEADERS, "anthropic-version": None},
            b"{}",
            400,
            "invalid_request_error",
            "anthropic-version",
        ),
        ("POST", "/v1/messages", HEADERS, b"{", 400, "invalid_request_error", "not valid JSON"),
        (
            "POST",
            "/v1/messages",
            HEADERS,
            b"[]",
            400,
            "invalid_request_error",
            "The request body: Input should be a valid dict",
        ),
        ("POST", "/v1/messages/batches", HEADERS, b"{}", 404, "not_found_error", "POST /v1/messages/batches"),
        ("GET", "/v1/messages", HEADERS, None, 405, "invalid_request_error", "allowed: POST"),
        ("GET", "/v1/models/claude-1", HEADERS, None, 404, "not_found_error", "model: claude-1"),
    ],
)
async def test_every_refusal_has_the_providers_envelope(
    http: ClientSession,
    method: str,
    path: str,
    headers: dict[str, Any],
    body: bytes | None,
    status: int,
    kind: str,
    message: str,
) -> None:
    sent = {name: value for name, value in headers.items() if value}
    async with http.request(method, path, data=body, headers=sent) as response:
        read = await response.json()
        assert (response.status, read["type"], read["error"]["type"]) == (status, "error", kind)
        assert message in read["error"]["message"]
        assert read["request_id"] == response.headers["request-id"]


async def test_a_body_that_is_too_large(http: ClientSession) -> None:
    body = io.BytesIO(b"x" * (limits.MOCK_REQUEST_BYTES_MAX + 1))
    async with http.post("/v1/messages", data=body, headers=HEADERS) as response:
        assert (response.status, (await response.json())["error"]["type"]) == (413, "request_too_large")


async def test_only_known_keys_and_models_where_the_settings_say_so() -> None:
    running = await llm.serve("127.0.0.1:0", llm.Settings(api_keys=("right",), strict_models=True))
    base_url = f"http://{running.address}"
    async with AsyncAnthropic(base_url=base_url, api_key="wrong") as client:
        with pytest.raises(anthropic.AuthenticationError) as raised:
            await client.messages.create(**VALID)
        assert raised.value.type == "authentication_error"
    async with AsyncAnthropic(base_url=base_url, api_key="right") as client:
        assert (await client.messages.create(**VALID)).stop_reason == "end_turn"
        with pytest.raises(anthropic.NotFoundError):
            await client.messages.create(**{**VALID, "model": "claude-1"})
    await running.stop()


async def test_one_path_answers_each_provider_in_its_way(http: ClientSession) -> None:
    async with http.get("/v1/models", headers=HEADERS) as response:
        assert "display_name" in (await response.json())["data"][0]
    async with http.get("/v1/models") as response:
        assert (await response.json())["object"] == "list"


async def test_equal_requests_get_equal_bytes_and_other_ids_in_another_trace(http: ClientSession) -> None:
    answers = []
    for trace in ("a" * 32, "a" * 32, "b" * 32):
        headers = {**HEADERS, "traceparent": f"00-{trace}-{'c' * 16}-01"}
        async with http.post("/v1/messages", json={**VALID, "stream": True}, headers=headers) as response:
            answers.append(await response.read())
    assert answers[0] == answers[1] != answers[2]
