"""Tool calls, and agent loops that come to their end."""

import json
from typing import Any

import pytest
from openai import AsyncOpenAI, pydantic_function_tool
from openai.types.chat import ChatCompletionFunctionToolParam, ChatCompletionMessageParam
from pydantic import BaseModel


def tool(name: str, description: str, **properties: Any) -> ChatCompletionFunctionToolParam:
    schema: dict[str, object] = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


TIME = tool("get_time", "Tells the time of day.", zone={"type": "string"})
WEATHER = tool("get_weather", "Tells the weather.", city={"type": "string"}, unit={"enum": ["C", "F"]})
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the weather in New York?"}]


async def ask(client: AsyncOpenAI, messages: list[ChatCompletionMessageParam] = QUESTION, **options: Any) -> Any:
    completion = await client.chat.completions.create(model="m", messages=messages, **{"tools": [TIME, WEATHER], **options})
    return completion.choices[0]


def names(choice: Any) -> list[str]:
    return [call.function.name for call in choice.message.tool_calls or []]


async def test_the_fitting_tool_is_called_with_arguments_of_its_schema(client: AsyncOpenAI) -> None:
    choice = await ask(client)
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    assert names(choice) == ["get_weather"]
    assert json.loads(choice.message.tool_calls[0].function.arguments) == {"city": "New York", "unit": "C"}
    assert choice.message.tool_calls[0].id.startswith("call_")


async def test_tools_that_the_user_names_are_called_at_once(client: AsyncOpenAI) -> None:
    both: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Get me the weather and the time in Oslo."}]
    choice = await ask(client, both)
    assert names(choice) == ["get_time", "get_weather"]
    assert len({call.id for call in choice.message.tool_calls}) == 2
    assert names(await ask(client, both, parallel_tool_calls=False)) == ["get_time"]


async def test_an_agent_loop_ends_by_itself(client: AsyncOpenAI) -> None:
    """The tools are on offer in every step; the answer is made from what they returned."""
    messages: list[Any] = list(QUESTION)
    for _ in range(3):
        message = (await ask(client, messages)).message
        messages.append(message.model_dump(exclude_none=True))
        if not message.tool_calls:
            break
        messages += [{"role": "tool", "tool_call_id": call.id, "content": '{"sky": "clear"}'} for call in message.tool_calls]
    assert [message["role"] for message in messages] == ["user", "assistant", "tool", "assistant"]
    assert "get_weather" in messages[-1]["content"]
    assert '{"sky": "clear"}' in messages[-1]["content"]


async def test_a_new_question_gets_a_new_call_with_another_id(client: AsyncOpenAI) -> None:
    first = (await ask(client)).message
    later: list[Any] = [
        *QUESTION,
        first.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "clear"},
        {"role": "assistant", "content": "It is clear."},
        {"role": "user", "content": "And the time?"},
    ]
    second = await ask(client, later)
    assert names(second) == ["get_time"]
    assert second.message.tool_calls[0].id != first.tool_calls[0].id


async def test_tool_choice_none_is_honoured(client: AsyncOpenAI) -> None:
    choice = await ask(client, tool_choice="none")
    assert (choice.finish_reason, names(choice)) == ("stop", [])


async def test_a_named_tool_is_called_however_ill_it_fits(client: AsyncOpenAI) -> None:
    choice = await ask(client, tool_choice={"type": "function", "function": {"name": "get_time"}})
    assert names(choice) == ["get_time"]


async def test_allowed_tools_narrow_the_choice(client: AsyncOpenAI) -> None:
    allowed = {"mode": "auto", "tools": [{"type": "function", "function": {"name": "get_time"}}]}
    choice = await ask(client, tool_choice={"type": "allowed_tools", "allowed_tools": allowed})
    assert names(choice) == ["get_time"]


async def test_a_demanded_call_is_made_even_after_results_and_prefers_another_tool(client: AsyncOpenAI) -> None:
    """Frameworks whose output is a tool demand calls in every step, and end when that tool is called."""
    first = (await ask(client, tool_choice="required")).message
    result = {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "clear"}
    messages: list[Any] = [*QUESTION, first.model_dump(exclude_none=True), result]
    second = await ask(client, messages, tool_choice="required")
    assert (names(second), second.finish_reason) == (["get_time"], "tool_calls")


async def test_call_ids_of_several_choices_differ(client: AsyncOpenAI) -> None:
    completion = await client.chat.completions.create(model="m", messages=QUESTION, tools=[WEATHER], n=3)
    ids = [call.id for choice in completion.choices for call in choice.message.tool_calls or []]
    assert len(set(ids)) == 3


async def test_a_streamed_call_is_the_same_call(client: AsyncOpenAI) -> None:
    whole = await ask(client)
    async with client.chat.completions.stream(model="m", messages=QUESTION, tools=[TIME, WEATHER]) as stream:
        kinds = [event.type async for event in stream]
        final = (await stream.get_final_completion()).choices[0]
    assert kinds.count("tool_calls.function.arguments.delta") > 3
    assert final.finish_reason == "tool_calls"
    streamed, called = final.message.tool_calls, whole.message.tool_calls
    assert streamed is not None
    assert [(call.id, call.function.name, call.function.arguments) for call in streamed] == [
        (call.id, call.function.name, call.function.arguments) for call in called
    ]


async def test_arguments_beyond_the_token_limit_break_off(client: AsyncOpenAI) -> None:
    choice = await ask(client, max_completion_tokens=5)
    assert choice.finish_reason == "length"
    with pytest.raises(json.JSONDecodeError):
        json.loads(choice.message.tool_calls[0].function.arguments)


class Search(BaseModel):
    """Looks something up."""

    query: str
    limit: int
    tags: list[str]


async def test_the_client_parses_arguments_of_a_strict_tool(client: AsyncOpenAI) -> None:
    completion = await client.chat.completions.parse(model="m", messages=QUESTION, tools=[pydantic_function_tool(Search)])
    calls = completion.choices[0].message.tool_calls
    assert calls is not None
    parsed = calls[0].function.parsed_arguments
    assert isinstance(parsed, Search)
    assert parsed.query == "What is the weather in New York?"
