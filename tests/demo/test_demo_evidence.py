"""What the demo reads on the wire: trace headers, and the mock LLM's journal."""

import aiohttp
import pytest

from tracer_proxy import limits
from tracer_proxy.demo.evidence import LlmCall, Received, received
from tracer_proxy.demo.journal import JournalReader
from tracer_proxy.mocks import llm

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.mark.parametrize(
    ("headers", "read"),
    [
        ({"traceparent": f"00-{TRACE}-{SPAN}-01", "x-traffic-color": "canary"}, Received(TRACE, SPAN, "canary")),
        ({"traceparent": f"00-{TRACE}-{SPAN}-03"}, Received(TRACE, SPAN, "")),
        ({"traceparent": f"00-{TRACE}-{SPAN}"}, Received("", "", "")),
        ({}, Received("", "", "")),
    ],
)
def test_trace_headers(headers: dict[str, str], read: Received) -> None:
    """What is missing or broken is empty."""
    assert received(headers) == read


async def test_journal_is_collected_before_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call once, in order, though the mock remembers only the last three."""
    monkeypatch.setattr(limits, "MOCK_JOURNAL_CALLS_MAX", 3)
    mock = await llm.serve("127.0.0.1:0")
    try:
        async with aiohttp.ClientSession(f"http://{mock.address}") as client:
            reader = JournalReader(client, f"http://{mock.address}")
            for number in range(1, 8):
                body = {"model": "gpt", "messages": [{"role": "user", "content": f"question {number}"}]}
                headers = {"traceparent": f"00-{TRACE}-{number:016x}-01"}
                async with client.post("/v1/chat/completions", json=body, headers=headers) as response:
                    assert response.status == 200
                if number % 2:
                    await reader.read()
    finally:
        await mock.stop()
    assert reader.calls == [
        LlmCall(number, Received(TRACE, f"{number:016x}", ""), "gpt", f"question {number}") for number in range(1, 8)
    ]
