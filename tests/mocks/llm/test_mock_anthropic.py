"""Anthropic's messages, as the official client reads them."""

import asyncio
import json
from typing import Any

import anthropic
import pytest
from anthropic import Anthropic, AsyncAnthropic, beta_async_tool, beta_tool
from anthropic.types import MessageParam, ToolParam
from pydantic import BaseModel
from split_relay import split_relay

from tracer_proxy.mocks import llm

MODEL = "claude-sonnet-5-5"
QUESTION: list[MessageParam] = [{"role": "user", "content": "What is the weather in New York?"}]
WEATHER: ToolParam = {
    "name": "get_weather",
    "description": "Tells the weather.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
        "required": ["city", "unit"],
    },
}
TIME: ToolParam = {"name": "get_time", "input_schema": {"type": "object", "properties": {"zone": {"type": "string"}}}}
TOOLS = [TIME, WEATHER]


async def ask(claude: AsyncAnthropic, messages: Any = QUESTION, **options: Any) -> anthropic.types.Message:
    made = await claude.messages.create(model=MODEL, messages=messages, **{"max_tokens": 2000, **options})
    assert isinstance(made, anthropic.types.Message)
    return made


def text_of(message: anthropic.types.Message) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


def calls_of(message: Any) -> list[tuple[str, dict[str, object]]]:
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


async def test_an_answer_shows_what_was_asked(claude: AsyncAnthropic, sync_claude: Anthropic) -> None:
    message = await ask(claude, system="Be brief.")
    assert "What is the weather in New York?" in text_of(message)
    assert (message.role, message.stop_reason, message.model) == ("assistant", "end_turn", MODEL)
    assert message.id.startswith("msg_")
    same = await asyncio.to_thread(
        sync_claude.messages.create, model=MODEL, messages=QUESTION, max_tokens=2000, system="Be brief."
    )
    assert same == message


async def test_system_blocks_and_images_count_as_prompt(claude: AsyncAnthropic) -> None:
    plain = (await ask(claude)).usage.input_tokens
    system = (await ask(claude, system=[{"type": "text", "text": "You are a patient meteorologist."}])).usage.input_tokens
    source = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
    image = [{"role": "user", "content": [{"type": "image", "source": source}, {"type": "text", "text": "What is this?"}]}]
    seen = await ask(claude, image)
    assert plain < system < seen.usage.input_tokens
    assert "What is this?" in text_of(seen)


async def test_a_token_limit_breaks_the_answer_off(claude: AsyncAnthropic) -> None:
    message = await ask(claude, max_tokens=4)
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 4)
    assert 0 < len(text_of(message)) < len(text_of(await ask(claude))) - 40
    assert (await ask(claude, max_tokens=0)).content == []


async def test_a_stop_sequence_ends_the_answer_and_is_named(claude: AsyncAnthropic) -> None:
    message = await ask(claude, stop_sequences=["zebra", "New York", "York"])
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", "New York")
    assert text_of(message).endswith("the weather in ")


async def test_a_stream_is_the_same_message(claude: AsyncAnthropic) -> None:
    """Thinking, several calls, and text: whole and streamed."""
    both: Any = [{"role": "user", "content": "Get me the weather and the time."}]
    thinking = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
    for options in ({}, {"tools": TOOLS, "messages": both}, thinking, {**thinking, "tools": TOOLS}, {"max_tokens": 3}):
        asked: dict[str, Any] = {"model": MODEL, "max_tokens": 2000, "messages": QUESTION, **options}
        async with claude.messages.stream(**asked) as stream:
            final = await stream.get_final_message()
        assert final.to_dict() == (await claude.messages.create(**asked)).to_dict(), options


async def test_the_events_of_a_stream(claude: AsyncAnthropic) -> None:
    raw = await claude.messages.with_raw_response.create(
        model=MODEL,
        max_tokens=2000,
        messages=QUESTION,
        tools=TOOLS,
        thinking={"type": "adaptive"},
        stream=True,
    )
    lines = [line async for line in raw.http_response.aiter_lines()]
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    assert [event["type"] for event in data] == names
    assert names[:3] == ["message_start", "content_block_start", "ping"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    deltas = list(dict.fromkeys(event["delta"]["type"] for event in data if event["type"] == "content_block_delta"))
    assert deltas == ["thinking_delta", "signature_delta", "input_json_delta"]
    assert data[-2]["usage"]["input_tokens"] == data[0]["message"]["usage"]["input_tokens"] > 0


@pytest.mark.parametrize("seed", range(4))
async def test_a_stream_that_comes_in_pieces(mock: llm.RunningMock, claude: AsyncAnthropic, seed: int) -> None:
    messages: Any = [{"role": "user", "content": "Où est la lune? 月はどこ"}]
    whole = await ask(claude, messages, thinking={"type": "adaptive"})
    async with (
        split_relay(mock.address, seed) as address,
        AsyncAnthropic(base_url=f"http://{address}", api_key="k", max_retries=0, _strict_response_validation=True) as far,
        far.messages.stream(model=MODEL, max_tokens=2000, messages=messages, thinking={"type": "adaptive"}) as stream,
    ):
        texts = [text async for text in stream.text_stream]
        final = await stream.get_final_message()
    assert "".join(texts) == text_of(whole)
    assert final.to_dict() == whole.to_dict()


async def test_the_fitting_tool_is_called(claude: AsyncAnthropic) -> None:
    message = await ask(claude, tools=TOOLS)
    assert message.stop_reason == "tool_use"
    assert calls_of(message) == [("get_weather", {"city": "New York", "unit": "C"})]


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ({"type": "auto"}, ["get_weather", "get_time"]),
        ({"type": "auto", "disable_parallel_tool_use": True}, ["get_weather"]),
        ({"type": "any"}, ["get_weather", "get_time"]),
        ({"type": "tool", "name": "get_weather"}, ["get_weather"]),
        ({"type": "none"}, []),
    ],
)
async def test_tool_choice(claude: AsyncAnthropic, choice: Any, names: list[str]) -> None:
    both = [{"role": "user", "content": "Get me the weather and the time."}]
    message = await ask(claude, both, tools=TOOLS, tool_choice=choice)
    assert [name for name, _ in calls_of(message)] == names


@pytest.mark.parametrize("thinking", [None, {"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}])
async def test_an_agent_loop_ends_by_itself(claude: AsyncAnthropic, thinking: Any) -> None:
    """Every block goes back as it came: that is what the provider asks for when there is thinking."""
    options = {"thinking": thinking} if thinking else {}
    messages: list[Any] = list(QUESTION)
    message = await ask(claude, messages, tools=TOOLS, **options)
    while len(messages) < 8:
        messages.append({"role": "assistant", "content": message.content})
        if message.stop_reason != "tool_use":
            break
        results = [
            {"type": "tool_result", "tool_use_id": block.id, "content": [{"type": "text", "text": "sunny"}]}
            for block in message.content
            if block.type == "tool_use"
        ]
        messages.append({"role": "user", "content": results})
        message = await ask(claude, messages, tools=TOOLS, **options)
    assert [message["role"] for message in messages] == ["user", "assistant", "user", "assistant"]
    assert "get_weather" in text_of(message)
    assert "sunny" in text_of(message)
    assert {"thinking"} & {block.type for block in message.content} == ({"thinking"} if thinking else set())


async def test_the_clients_tool_runner(claude: AsyncAnthropic, sync_claude: Anthropic) -> None:
    @beta_async_tool
    async def get_weather(city: str) -> str:
        """Tells the weather.

        Args:
            city: Where.
        """
        return f"rain in {city}"

    @beta_tool(name="get_weather")
    def look_out(city: str) -> str:
        """Tells the weather.

        Args:
            city: Where.
        """
        return f"rain in {city}"

    question: Any = QUESTION
    runner = claude.beta.messages.tool_runner(model=MODEL, max_tokens=500, tools=[get_weather], messages=question)
    final = await runner.until_done()
    assert "rain in New York" in final.content[0].text  # type: ignore[union-attr]
    streaming = sync_claude.beta.messages.tool_runner(
        model=MODEL, max_tokens=500, tools=[look_out], messages=question, stream=True
    )
    said = await asyncio.to_thread(lambda: [stream.get_final_message() for stream in streaming])
    assert [message.stop_reason for message in said] == ["tool_use", "end_turn"]
    assert said[-1].content[0].text == final.content[0].text  # type: ignore[union-attr]


async def test_a_thread_is_held_by_the_server(claude: AsyncAnthropic) -> None:
    thread = claude.beta.messages.thread(model=MODEL, max_tokens=500, system="Be brief.")
    first = await thread.send({"role": "user", "content": "What is the weather?"})
    second = await thread.send({"role": "user", "content": "And tomorrow?"})
    assert "And tomorrow?" in second.content[0].text  # type: ignore[union-attr]
    assert second.usage.input_tokens > first.usage.input_tokens + first.usage.output_tokens
    with pytest.raises(anthropic.NotFoundError) as raised:
        await claude.beta.messages.create(
            model=MODEL,
            max_tokens=500,
            messages=[{"role": "user", "content": "hi"}],
            thread={"type": "continue", "previous_message_id": "msg_unknown"},
            betas=["message-threads-2026-08-12"],
        )
    assert raised.value.error_code == "thread_not_found"


class Forecast(BaseModel):
    city: str
    celsius: float
    warnings: list[str]


async def test_a_structured_answer_fits_its_schema(claude: AsyncAnthropic) -> None:
    parsed = await claude.messages.parse(model=MODEL, max_tokens=500, messages=QUESTION, output_format=Forecast)
    assert isinstance(parsed.parsed_output, Forecast)
    assert parsed.parsed_output.city == "New York"
    async with claude.messages.stream(model=MODEL, max_tokens=500, messages=QUESTION, output_format=Forecast) as stream:
        assert (await stream.get_final_message()).parsed_output == parsed.parsed_output


async def test_thinking_is_sealed_and_can_be_left_out(claude: AsyncAnthropic) -> None:
    shown = (await ask(claude, thinking={"type": "adaptive"})).content[0]
    omitted = (await ask(claude, thinking={"type": "adaptive", "display": "omitted"})).content[0]
    assert shown.type == omitted.type == "thinking"
    assert "What is the weather in New York?" in shown.thinking
    assert (omitted.thinking, omitted.signature) == ("", shown.signature)
    assert (await ask(claude)).content[0].type == "text"


async def test_thinking_costs_tokens(claude: AsyncAnthropic) -> None:
    usage = (await ask(claude, thinking={"type": "adaptive"})).usage
    assert usage.output_tokens_details is not None
    assert 0 < usage.output_tokens_details.thinking_tokens < usage.output_tokens
    assert usage.output_tokens > (await ask(claude)).usage.output_tokens


async def test_a_long_marked_beginning_is_written_to_the_cache_and_read_from_it_later(claude: AsyncAnthropic) -> None:
    system = [{"type": "text", "text": "Know this. " * 1000, "cache_control": {"type": "ephemeral"}}]
    first = (await ask(claude, system=system)).usage
    later = [*QUESTION, {"role": "assistant", "content": "Sunny."}, {"role": "user", "content": "And tomorrow?"}]
    second = (await ask(claude, later, system=system)).usage
    assert first.cache_creation_input_tokens is not None
    assert first.cache_creation_input_tokens > 1024
    assert (second.cache_read_input_tokens, first.cache_read_input_tokens) == (first.cache_creation_input_tokens, 0)
    assert second.cache_creation_input_tokens == 0
    assert first.cache_creation is not None
    assert first.cache_creation.ephemeral_5m_input_tokens == first.cache_creation_input_tokens
    short = (await ask(claude, system=[{**system[0], "text": "Know this."}])).usage
    assert short.cache_creation_input_tokens == 0


async def test_count_tokens_is_the_usage_of_the_message(claude: AsyncAnthropic) -> None:
    options: Any = {"tools": TOOLS, "system": "Be brief."}
    counted = await claude.messages.count_tokens(model=MODEL, messages=QUESTION, **options)
    assert counted.input_tokens == (await ask(claude, **options)).usage.input_tokens
    beta = await claude.beta.messages.count_tokens(model=MODEL, messages=[{"role": "user", "content": "hi"}])
    assert beta.input_tokens > 0


async def test_models(claude: AsyncAnthropic) -> None:
    listed = [model async for model in claude.models.list()]
    assert MODEL in {model.id for model in listed}
    assert await claude.models.retrieve(MODEL) in listed
    with pytest.raises(anthropic.NotFoundError):
        await claude.models.retrieve("gpt-5")


async def test_provider_headers(claude: AsyncAnthropic) -> None:
    raw = await claude.messages.with_raw_response.create(model=MODEL, max_tokens=9, messages=QUESTION)
    assert (await ask(claude, max_tokens=9))._request_id == raw.headers["request-id"]
    assert raw.headers["request-id"].startswith("req_")
    assert raw.headers["anthropic-organization-id"]
    for what in ("requests", "tokens", "input-tokens", "output-tokens"):
        limit = int(raw.headers[f"anthropic-ratelimit-{what}-limit"])
        assert 0 < int(raw.headers[f"anthropic-ratelimit-{what}-remaining"]) < limit
        assert raw.headers[f"anthropic-ratelimit-{what}-reset"].endswith("Z")
    assert "x-request-id" not in raw.headers
