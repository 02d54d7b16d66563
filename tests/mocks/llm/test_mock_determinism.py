"""The same request gets the same bytes, from any mock; another request gets other ids."""

import json
from typing import Any

import pytest
from aiohttp import ClientSession

from tracer_proxy.mocks import llm

USER = {"role": "user", "content": "What is the weather?"}
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {}}}}}
BODIES: list[dict[str, Any]] = [
    {"model": "m", "messages": [USER]},
    {"model": "m", "messages": [USER], "n": 3},
    {"model": "m", "messages": [USER], "tools": [TOOL]},
    {"model": "m", "messages": [USER], "stream": True, "stream_options": {"include_usage": True}},
    {"model": "m", "messages": [USER], "tools": [TOOL], "stream": True},
    {"model": "m", "messages": []},
]


async def answer(address: str, body: dict[str, Any], **headers: str) -> tuple[bytes, str]:
    async with (
        ClientSession() as session,
        session.post(f"http://{address}/v1/chat/completions", json=body, headers=headers) as response,
    ):
        return await response.read(), response.headers["x-request-id"]


@pytest.mark.parametrize("body", BODIES)
async def test_two_mocks_give_the_same_bytes(body: dict[str, Any], mock: llm.RunningMock) -> None:
    other = await llm.serve("127.0.0.1:0", llm.Settings(token_interval_s=0.0001))
    first = await answer(mock.address, body)
    again = await answer(mock.address, body, authorization="Bearer other", baggage="a=b")
    elsewhere = await answer(other.address, body)
    await other.stop()
    assert first == again == elsewhere


OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("completions", {"model": "m", "prompt": "hi", "n": 2, "logprobs": 2}),
    ("embeddings", {"model": "m", "input": ["hi", "there"]}),
    ("moderations", {"input": "I will kill you"}),
    ("responses", {"model": "m", "input": "hi", "reasoning": {"summary": "auto"}, "include": ["reasoning.encrypted_content"]}),
]


@pytest.mark.parametrize(("endpoint", "body"), OTHERS)
async def test_two_mocks_give_the_same_bytes_at_every_endpoint(
    endpoint: str, body: dict[str, Any], mock: llm.RunningMock
) -> None:
    other = await llm.serve("127.0.0.1:0")
    answers = []
    async with ClientSession() as session:
        for address in (mock.address, mock.address, other.address):
            async with session.post(f"http://{address}/v1/{endpoint}", json=body) as response:
                assert response.status == 200
                answers.append((await response.read(), response.headers["x-request-id"]))
    await other.stop()
    assert answers[0] == answers[1] == answers[2]


async def test_in_another_trace_the_same_is_said_under_other_ids(mock: llm.RunningMock) -> None:
    """As with a provider: whoever joins the steps of a conversation by ids must be able to tell two of them apart."""
    body = {"model": "m", "messages": [USER], "tools": [TOOL]}
    traces = ["a" * 32, "b" * 32]
    answers = [await answer(mock.address, body, traceparent=f"00-{trace}-{'c' * 16}-01") for trace in traces]
    again, _ = await answer(mock.address, body, traceparent=f"00-{traces[0]}-{'d' * 16}-01")
    first, other = (json.loads(said) for said, _ in answers)
    assert json.loads(again) == first
    ids = [completion["choices"][0]["message"]["tool_calls"][0].pop("id") for completion in (first, other)]
    assert ids[0] != ids[1]
    assert first.pop("id") != other.pop("id")
    assert first.pop("created") != other.pop("created")
    assert first == other


async def test_order_and_spacing_of_the_request_do_not_matter(http: ClientSession) -> None:
    spellings = (
        b'{"model":"m","messages":[{"role":"user","content":"hi"}]}',
        b'{ "messages": [ {"content": "hi", "role": "user"} ], "model": "m" }',
    )
    answers = set()
    for body in spellings:
        headers = {"content-type": "application/json"}
        async with http.post("/v1/chat/completions", data=body, headers=headers) as response:
            answers.add(await response.read())
    assert len(answers) == 1


async def test_other_requests_get_other_ids(http: ClientSession) -> None:
    ids = set()
    for number in range(50):
        body = {"model": "m", "messages": [USER], "tools": [TOOL], "seed": number}
        async with http.post("/v1/chat/completions", json=body) as response:
            completion = await response.json()
        ids |= {completion["id"], completion["choices"][0]["message"]["tool_calls"][0]["id"]}
    assert len(ids) == 100
