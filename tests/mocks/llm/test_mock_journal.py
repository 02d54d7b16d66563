"""The journal over HTTP: what it holds, what it never holds, and where it ends."""

import io
import json
from typing import Any

import pytest
from aiohttp import ClientSession
from openai import AsyncOpenAI
from openai.types.chat import ChatCompletionMessageParam

from tracer_proxy import limits

API_KEY = "sk-do-not-record-0123456789"
JSON_TYPE = {"content-type": "application/json"}
QUESTION: list[ChatCompletionMessageParam] = [{"role": "user", "content": "hi"}]
TRACE = {
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    "tracestate": "a=1",
    "baggage": "color=blue",
    "x-trace-id-ext": "0af7651916cd43dd8448eb211c80319c",
    "x-traffic-color": "blue",
    "x-session-id": "s-1",
}


async def journal(http: ClientSession) -> dict[str, Any]:
    async with http.get("/__mock__/calls") as response:
        found: dict[str, Any] = await response.json()
        return found


async def test_a_call_is_recorded_with_its_trace_headers(client: AsyncOpenAI, http: ClientSession) -> None:
    await client.chat.completions.create(model="m", messages=QUESTION, extra_headers=TRACE)
    (call,) = (await journal(http))["calls"]
    assert call["request"] == {"model": "m", "messages": QUESTION}
    del call["request"], call["request_bytes"]
    assert call == {
        "number": 1,
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": TRACE,
        "status": 200,
        "stream": False,
    }


async def test_streams_and_refusals_are_recorded_too(http: ClientSession) -> None:
    async with http.post("/v1/chat/completions", json={"model": "m", "messages": QUESTION, "stream": True}) as response:
        await response.read()
    await http.post("/v1/chat/completions", json={"model": "m"})
    await http.post("/v1/chat/completions", data=b"{", headers=JSON_TYPE)
    await http.get("/v1/nothing")
    calls = (await journal(http))["calls"]
    assert [(call["status"], call["stream"]) for call in calls] == [(200, True), (400, False), (400, False), (404, False)]
    assert [call["request"] is None for call in calls] == [False, False, True, True]


async def test_a_stream_is_recorded_before_its_first_event(http: ClientSession) -> None:
    """Clients hang up at the last event, so the record must not depend on an orderly end."""
    async with http.post("/v1/chat/completions", json={"model": "m", "messages": QUESTION, "stream": True}):
        assert len((await journal(http))["calls"]) == 1


async def test_no_secret_is_recorded(client: AsyncOpenAI, http: ClientSession) -> None:
    await client.chat.completions.create(
        model="m",
        messages=QUESTION,
        extra_headers={"x-api-key": API_KEY, "cookie": API_KEY},
        extra_query={"key": API_KEY},
        extra_body={"metadata": {"api_key": API_KEY}, "mcp": [{"Authorization": f"Bearer {API_KEY}"}]},
    )
    async with http.get("/__mock__/calls") as response:
        text = await response.text()
    assert API_KEY not in text
    assert text.count("[redacted]") == 2


async def test_the_journal_can_be_emptied(http: ClientSession) -> None:
    await http.get("/v1/models")
    async with http.delete("/__mock__/calls") as response:
        assert await response.json() == {"forgotten": 1}
    assert await journal(http) == {"calls": [], "dropped": 0}


async def test_the_oldest_calls_give_way(http: ClientSession) -> None:
    for _ in range(limits.MOCK_JOURNAL_CALLS_MAX + 5):
        async with http.get("/models"):
            pass
    found = await journal(http)
    assert found["dropped"] == 5
    assert [call["number"] for call in found["calls"]] == list(range(6, limits.MOCK_JOURNAL_CALLS_MAX + 6))


async def test_the_mocks_own_paths_are_not_recorded(http: ClientSession) -> None:
    await http.get("/healthz")
    await http.get("/__mock__/nothing")
    assert (await journal(http))["calls"] == []


@pytest.mark.parametrize(("size", "is_kept"), [(-1000, True), (1, False)])
async def test_a_very_large_request_is_recorded_without_its_body(http: ClientSession, size: int, is_kept: bool) -> None:
    content = "x" * (limits.MOCK_JOURNAL_REQUEST_BYTES_MAX + size)
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]}).encode()
    async with http.post("/v1/chat/completions", data=io.BytesIO(body), headers=JSON_TYPE) as response:
        assert response.status == 200
    (call,) = (await journal(http))["calls"]
    assert (call["request"] is not None) == is_kept
    assert call["request_bytes"] > len(content)
