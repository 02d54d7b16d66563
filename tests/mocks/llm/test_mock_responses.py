"""``/v1/responses`` as the official client reads it: whole, streamed, with tools, continued, fetched and forgotten."""

import asyncio
import json
from typing import Any

import openai
import pytest
from aiohttp import ClientSession
from openai import AsyncOpenAI, OpenAI, pydantic_function_tool
from openai.types.responses import FunctionToolParam, Response
from pydantic import BaseModel

from tracer_proxy import limits
from tracer_proxy.mocks import llm
from tracer_proxy.mocks.llm import answer
from tracer_proxy.mocks.llm.conversation import Reply, ToolCall


def tool(name: str, description: str, **properties: Any) -> FunctionToolParam:
    schema: dict[str, object] = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {"type": "function", "name": name, "description": description, "parameters": schema, "strict": True}


TIME = tool("get_time", "Tells the time of day.", zone={"type": "string"})
WEATHER = tool("get_weather", "Tells the weather.", city={"type": "string"})
QUESTION = "What is the weather in New York?"
MOON = "How far away is the moon?"


class Distance(BaseModel):
    question: str
    kilometres: float


def calls(response: Response) -> list[Any]:
    return [item for item in response.output if item.type == "function_call"]


async def test_a_text_is_answered(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="gpt-4o", input=MOON, instructions="Be brief.", metadata={"a": "b"})
    assert MOON in response.output_text
    assert (response.status, response.model, response.instructions) == ("completed", "gpt-4o", "Be brief.")
    assert response.metadata == {"a": "b"}
    assert response.usage is not None
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens


async def test_messages_of_every_role_and_kind_of_part_are_read(client: AsyncOpenAI) -> None:
    response = await client.responses.create(
        model="m",
        input=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Hello"},
            {
                "type": "message",
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "What is in this picture?"},
                    {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
                ],
            },
        ],
    )
    assert "What is in this picture?" in response.output_text


STREAMED: dict[str, dict[str, Any]] = {
    "text": {"input": MOON},
    "one tool": {"input": QUESTION, "tools": [TIME, WEATHER]},
    "two tools": {"input": "Weather and time, please", "tools": [TIME, WEATHER]},
    "reasoning": {"input": MOON, "reasoning": {"effort": "high", "summary": "auto"}},
    "reasoning, not shown": {"input": QUESTION, "tools": [WEATHER], "reasoning": {"effort": "high"}},
    "cut": {"input": MOON, "max_output_tokens": 16},
    "cut call": {"input": QUESTION * 3, "tools": [tool("say", "", text={"type": "string"})], "max_output_tokens": 16},
    "likelihoods": {"input": MOON, "include": ["message.output_text.logprobs"], "top_logprobs": 2},
    "in the background": {"input": MOON, "background": True},
}


@pytest.mark.parametrize("asked", STREAMED.values(), ids=STREAMED.keys())
async def test_a_stream_says_what_the_whole_answer_says(client: AsyncOpenAI, asked: dict[str, Any]) -> None:
    whole = await client.responses.create(model="m", **asked)
    if asked.get("background"):
        assert (whole.status, whole.output) == ("queued", [])
        whole = await client.responses.retrieve(whole.id)
    events = [event async for event in await client.responses.create(model="m", stream=True, **asked)]
    last: Any = events[-1]
    assert last.type == f"response.{whole.status}"
    assert last.response.to_dict() == whole.to_dict()
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert put_together(events) == [item.to_dict() for item in whole.output]


def put_together(events: list[Any]) -> list[Any]:
    """The items as a client has them that trusts the deltas alone, for all that deltas carry."""
    items: dict[int, Any] = {}
    for event in events:
        match event.type:
            case "response.output_item.added":
                assert event.output_index == len(items)
                items[event.output_index] = event.item.to_dict()
            case "response.content_part.added":
                items[event.output_index]["content"].append(event.part.to_dict())
            case "response.output_text.delta":
                part = items[event.output_index]["content"][event.content_index]
                part["text"] += event.delta
                part["logprobs"] += [one.to_dict() for one in event.logprobs]
            case "response.function_call_arguments.delta":
                items[event.output_index]["arguments"] += event.delta
            case "response.reasoning_summary_part.added":
                items[event.output_index]["summary"].append(event.part.to_dict())
            case "response.reasoning_summary_text.delta":
                items[event.output_index]["summary"][event.summary_index]["text"] += event.delta
            case "response.output_item.done":
                items[event.output_index]["status"] = event.item.status
    return [items[place] for place in sorted(items)]


async def test_words_and_calls_may_come_together(client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mock never does that by itself; models do."""
    said = Reply(text="Let me see.", calls=(ToolCall("get_time", "{}"), ToolCall("get_weather", "{}")))
    monkeypatch.setattr(answer, "reply", lambda *_: said)
    whole = await client.responses.create(model="m", input=QUESTION)
    events = [event async for event in await client.responses.create(model="m", input=QUESTION, stream=True)]
    assert put_together(events) == [item.to_dict() for item in whole.output]
    assert [item.type for item in whole.output] == ["message", "function_call", "function_call"]
    messages: Any = [{"role": "user", "content": QUESTION}]
    chat = (await client.chat.completions.create(model="m", messages=messages)).choices[0]
    async with client.chat.completions.stream(model="m", messages=messages) as stream:
        streamed = (await stream.get_final_completion()).choices[0]
    assert streamed.message.content == chat.message.content == "Let me see."
    assert [call.to_dict() for call in chat.message.tool_calls or []] == [
        {"id": call.id, "type": call.type, "function": {"name": call.function.name, "arguments": call.function.arguments}}
        for call in streamed.message.tool_calls or []
    ]


async def test_every_event_of_a_text_comes_in_order(client: AsyncOpenAI) -> None:
    events = [event.type async for event in await client.responses.create(model="m", input=MOON, stream=True)]
    assert list(dict.fromkeys(events)) == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]


async def test_the_streaming_helper_parses_the_answer(client: AsyncOpenAI) -> None:
    async with client.responses.stream(model="m", input=MOON, text_format=Distance) as stream:
        kinds = [event.type async for event in stream]
        final = await stream.get_final_response()
    assert final.output_parsed is not None
    assert MOON in final.output_parsed.question
    assert kinds[-1] == "response.completed"
    parsed = await client.responses.parse(model="m", input=MOON, text_format=Distance)
    assert parsed.output_parsed == final.output_parsed


async def test_the_sync_client_streams_the_same(client: AsyncOpenAI, sync_client: OpenAI) -> None:
    def read() -> Response:
        with sync_client.responses.stream(model="m", input=MOON) as stream:
            return stream.get_final_response()

    whole = await client.responses.create(model="m", input=MOON)
    streamed = await asyncio.to_thread(read)
    assert (streamed.id, streamed.output_text, streamed.usage) == (whole.id, whole.output_text, whole.usage)


async def test_a_strict_tool_is_parsed_by_the_client(client: AsyncOpenAI) -> None:
    offered: Any = pydantic_function_tool(Distance)
    response = await client.responses.parse(model="m", input=MOON, tools=[offered])
    (call,) = calls(response)
    assert isinstance(call.parsed_arguments, Distance)


@pytest.mark.parametrize("keeps", [True, False], ids=["continued", "sent again"])
async def test_an_agent_loop_ends_by_itself(client: AsyncOpenAI, keeps: bool) -> None:
    """The tools are on offer in every step; with reasoning between the steps, and with the history on either side."""
    history: list[Any] = [{"role": "user", "content": QUESTION}]
    reasoning: Any = {"effort": "medium"}
    previous: Any = openai.omit
    steps: list[list[str]] = []
    text = ""
    for _ in range(4):
        response = await client.responses.create(
            model="m",
            input=history,
            tools=[TIME, WEATHER],
            previous_response_id=previous,
            store=keeps,
            reasoning=reasoning,
            include=["reasoning.encrypted_content"],
        )
        steps.append([item.type for item in response.output])
        text = response.output_text
        answers = [{"type": "function_call_output", "call_id": call.call_id, "output": "clear"} for call in calls(response)]
        if not answers:
            break
        history = answers if keeps else [*history, *(item.to_dict() for item in response.output), *answers]
        previous = response.id if keeps else openai.omit
    assert steps == [["reasoning", "function_call"], ["reasoning", "message"]]
    assert "get_weather" in text
    assert "clear" in text


async def test_outputs_that_stand_beside_their_calls_are_all_read(client: AsyncOpenAI) -> None:
    items: Any = [{"role": "user", "content": "Weather and time, please"}]
    asked = await client.responses.create(model="m", input=items, tools=[TIME, WEATHER])
    for call in calls(asked):
        items += [call.to_dict(), {"type": "function_call_output", "call_id": call.call_id, "output": f"from {call.name}"}]
    text = (await client.responses.create(model="m", input=items, tools=[TIME, WEATHER])).output_text
    assert "from get_time" in text
    assert "from get_weather" in text


async def test_several_tools_are_called_at_once_unless_forbidden(client: AsyncOpenAI) -> None:
    ask = "Weather and time, please"
    both = await client.responses.create(model="m", input=ask, tools=[TIME, WEATHER])
    one = await client.responses.create(model="m", input=ask, tools=[TIME, WEATHER], parallel_tool_calls=False)
    assert sorted(call.name for call in calls(both)) == ["get_time", "get_weather"]
    assert len({call.call_id for call in calls(both)}) == 2
    assert len(calls(one)) == 1


@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("none", []),
        ("auto", ["get_weather"]),
        ({"type": "function", "name": "get_time"}, ["get_time"]),
        ({"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "get_time"}]}, ["get_time"]),
        ({"type": "web_search_preview"}, []),
    ],
)
async def test_tool_choice_is_honoured(client: AsyncOpenAI, choice: Any, called: list[str]) -> None:
    tools: Any = [TIME, WEATHER, {"type": "web_search_preview"}]
    response = await client.responses.create(model="m", input=QUESTION, tools=tools, tool_choice=choice)
    assert [call.name for call in calls(response)] == called


async def test_a_conversation_goes_on_where_it_was(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model="m", input=QUESTION, instructions="Be brief.", tools=[WEATHER])
    (call,) = calls(first)
    answer: Any = {"type": "function_call_output", "call_id": call.call_id, "output": [{"type": "input_text", "text": "clear"}]}
    second = await client.responses.create(model="m", input=[answer], previous_response_id=first.id)
    assert "“clear”" in second.output_text
    assert second.previous_response_id == first.id
    third = await client.responses.create(model="m", input="And in Oslo?", previous_response_id=second.id)
    alone = await client.responses.create(model="m", input="And in Oslo?")
    assert third.usage is not None
    assert alone.usage is not None
    assert third.usage.input_tokens > alone.usage.input_tokens + 20


async def test_a_long_history_counts_as_cached(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model="m", input="word " * 3000)
    second = await client.responses.create(model="m", input="And?", previous_response_id=first.id)
    assert first.usage is not None
    assert second.usage is not None
    assert first.usage.input_tokens_details.cached_tokens == 0
    cached = second.usage.input_tokens_details.cached_tokens
    assert 0 < cached <= first.usage.input_tokens
    assert cached % 128 == 0


async def test_reasoning_is_counted(client: AsyncOpenAI) -> None:
    plain = (await client.responses.create(model="m", input=MOON)).usage
    reasoned = (await client.responses.create(model="m", input=MOON, reasoning={"effort": "low"})).usage
    assert plain is not None
    assert reasoned is not None
    assert plain.output_tokens_details.reasoning_tokens == 0
    assert reasoned.output_tokens > reasoned.output_tokens_details.reasoning_tokens > 0


async def test_what_was_kept_can_be_fetched_and_forgotten(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="m", input=MOON)
    assert (await client.responses.retrieve(response.id)).to_dict() == response.to_dict()
    await client.responses.delete(response.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(response.id)
    with pytest.raises(openai.NotFoundError):
        await client.responses.delete(response.id)


async def test_a_broken_stream_is_taken_up_again(client: AsyncOpenAI) -> None:
    events = [event async for event in await client.responses.create(model="m", input=MOON, stream=True)]
    response_id = events[0].response.id  # type: ignore[union-attr]
    rest = await client.responses.retrieve(response_id, stream=True, starting_after=4)
    assert [event async for event in rest] == events[5:]


async def test_what_is_not_to_be_kept_is_not(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="m", input=MOON, store=False)
    assert response.to_dict()["store"] is False
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(response.id)
    with pytest.raises(openai.BadRequestError) as caught:
        await client.responses.create(model="m", input="And?", previous_response_id=response.id)
    assert (caught.value.code, caught.value.param) == ("previous_response_not_found", "previous_response_id")


async def test_input_items_are_listed_page_by_page(client: AsyncOpenAI) -> None:
    items: Any = [{"role": "user", "content": f"number {number}"} for number in range(5)]
    image: Any = {"role": "user", "content": [{"type": "input_image", "image_url": "data:,x"}]}
    response = await client.responses.create(model="m", input=[*items, image])
    page = await client.responses.input_items.list(response.id, order="asc", limit=2)
    assert page.has_more
    listed: list[Any] = [item async for item in page]
    assert [item.content[0].text for item in listed[:5]] == [f"number {number}" for number in range(5)]
    assert len({item.id for item in listed}) == 6
    newest: list[Any] = [item async for item in client.responses.input_items.list(response.id)]
    assert newest == listed[::-1]


async def test_items_are_referred_to(client: AsyncOpenAI) -> None:
    first = await client.responses.create(model="m", input=QUESTION, tools=[WEATHER])
    (call,) = calls(first)
    items: Any = [
        {"role": "user", "content": QUESTION},
        {"type": "item_reference", "id": call.id},
        {"type": "function_call_output", "call_id": call.call_id, "output": "clear"},
    ]
    second = await client.responses.create(model="m", input=items)
    assert "get_weather" in second.output_text
    items[1]["id"] = "fc_none"
    with pytest.raises(openai.NotFoundError):
        await client.responses.create(model="m", input=items)


async def test_tokens_of_an_input_are_counted_as_they_will_be(client: AsyncOpenAI) -> None:
    asked: Any = {"input": QUESTION, "instructions": "Be brief.", "tools": [WEATHER]}
    counted = await client.responses.input_tokens.count(model="m", **asked)
    response = await client.responses.create(model="m", **asked)
    assert response.usage is not None
    assert counted.input_tokens == response.usage.input_tokens


async def test_only_background_responses_are_cancelled(client: AsyncOpenAI) -> None:
    slow = await client.responses.create(model="m", input=MOON, background=True)
    assert (await client.responses.cancel(slow.id)).status == "completed"
    quick = await client.responses.create(model="m", input=QUESTION)
    with pytest.raises(openai.BadRequestError):
        await client.responses.cancel(quick.id)


async def test_responses_used_least_give_way(client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOCK_RESPONSES_MAX", 3)
    kept = [(await client.responses.create(model="m", input=f"number {number}")).id for number in range(3)]
    await client.responses.retrieve(kept[0])
    await client.responses.create(model="m", input="one too many")
    assert (await client.responses.retrieve(kept[0])).id == kept[0]
    with pytest.raises(openai.NotFoundError):
        await client.responses.retrieve(kept[1])


async def test_responses_that_are_large_give_way_sooner(client: AsyncOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MOCK_RESPONSES_BYTES_MAX", 10_000)
    small = await client.responses.create(model="m", input="small")
    large = await client.responses.create(model="m", input="large " * 3000)
    for response in (small, large):
        with pytest.raises(openai.NotFoundError):
            await client.responses.retrieve(response.id)


async def test_two_mocks_give_the_same_bytes(mock: llm.RunningMock, http: ClientSession) -> None:
    other = await llm.serve("127.0.0.1:0")
    for change in ({}, {"stream": True}, {"tools": [WEATHER]}):
        body = {"model": "m", "input": QUESTION, **change}
        async with http.post("/v1/responses", json=body) as response:
            first = await response.read()
        async with ClientSession() as session, session.post(f"http://{other.address}/v1/responses", json=body) as response:
            assert await response.read() == first
    await other.stop()


CALL = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "x"}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": []}
USER = {"role": "user", "content": "hi"}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}
REFUSED: list[tuple[dict[str, Any], str, str | None]] = [
    ({"model": None}, "model", "missing_required_parameter"),
    ({"input": None}, "input", "missing_required_parameter"),
    ({"input": []}, "input", "missing_required_parameter"),
    ({"input": 7}, "input", "invalid_type"),
    ({"input": ["hi"]}, "input[0]", "invalid_type"),
    ({"input": [{"role": "robot", "content": "hi"}]}, "input[0].role", "invalid_value"),
    ({"input": [{"role": "user"}]}, "input[0].content", "missing_required_parameter"),
    ({"input": [{"role": "user", "content": [{"type": "text", "text": "a"}]}]}, "input[0].content[0].type", "invalid_value"),
    (
        {"input": [{"role": "assistant", "content": [{"type": "input_text", "text": "a"}]}]},
        "input[0].content[0].type",
        "invalid_value",
    ),
    ({"input": [{"type": "smell"}]}, "input[0].type", "invalid_value"),
    ({"input": [{**CALL, "arguments": {}}, RESULT]}, "input[0].arguments", "invalid_type"),
    ({"input": [USER, CALL]}, "input", None),
    ({"input": [USER, RESULT]}, "input", None),
    ({"input": [USER, RESULT, CALL]}, "input", None),
    ({"input": [USER, REASONING]}, "input", None),
    ({"input": [REASONING, USER]}, "input", None),
    ({"input": [CALL, REASONING, RESULT]}, "input", None),
    ({"max_output_tokens": 15}, "max_output_tokens", "invalid_value"),
    ({"temperature": 3}, "temperature", "invalid_value"),
    ({"reasoning": {"effort": "much"}}, "reasoning.effort", "invalid_value"),
    ({"reasoning": {"summary": "long"}}, "reasoning.summary", "invalid_value"),
    ({"truncation": "some"}, "truncation", "invalid_value"),
    ({"conversation": "conv_1"}, "conversation", "invalid_value"),
    ({"background": True, "store": False}, "background", "invalid_value"),
    ({"previous_response_id": "resp_0"}, "previous_response_id", "previous_response_not_found"),
    ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_required_parameter"),
    ({"tools": [{"type": "custom", "name": "c"}]}, "tools[0].type", "invalid_value"),
    (
        {"tools": [{"type": "function", "name": "f", "parameters": SCHEMA, "strict": True}]},
        "tools[0].parameters",
        "invalid_function_parameters",
    ),
    ({"tools": [WEATHER], "tool_choice": {"type": "function", "name": "g"}}, "tool_choice.name", "invalid_value"),
    ({"tool_choice": {"type": "perhaps"}}, "tool_choice.type", "invalid_value"),
    (
        {"text": {"format": {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}}},
        "text.format.schema",
        "invalid_json_schema",
    ),
    ({"text": {"format": {"type": "json_schema", "schema": SCHEMA}}}, "text.format.name", "missing_required_parameter"),
]


@pytest.mark.parametrize(("change", "param", "code"), REFUSED)
async def test_what_the_provider_refuses_is_refused_with_the_field_at_fault(
    http: ClientSession, change: dict[str, Any], param: str, code: str | None
) -> None:
    async with http.post("/v1/responses", json={"model": "m", "input": "hi", **change}) as response:
        error = (await response.json())["error"]
    assert (response.status, error["type"], error["param"], error["code"]) == (400, "invalid_request_error", param, code)


async def test_json_mode_gives_a_json_object(client: AsyncOpenAI) -> None:
    response = await client.responses.create(model="m", input=MOON, text={"format": {"type": "json_object"}})
    assert isinstance(json.loads(response.output_text), dict)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=x", "order=up", "after=msg_none"], ids=["too few", "no number", "no order", "no item"]
)
async def test_pages_that_there_cannot_be(client: AsyncOpenAI, http: ClientSession, query: str) -> None:
    made = await client.responses.create(model="m", input=MOON)
    async with http.get(f"/v1/responses/{made.id}/input_items?{query}") as response:
        assert response.status == 400
        assert (await response.json())["error"]["param"] == query.partition("=")[0]
