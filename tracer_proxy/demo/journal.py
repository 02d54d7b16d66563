"""What the mock LLM saw, read from its journal before old calls give way to new ones."""

from typing import Any

import aiohttp

from tracer_proxy import limits
from tracer_proxy.demo.evidence import LlmCall, received

TURNS_BETWEEN_READS = limits.MOCK_JOURNAL_CALLS_MAX // (2 * limits.DEMO_AGENT_ROUNDS_MAX)
"""The calls of so many turns fill half of the journal at most."""


class JournalReader:
    """Collects the calls of a mock at ``mock_url``, each once, however often it is read."""

    def __init__(self, client: aiohttp.ClientSession, mock_url: str) -> None:
        self._client = client
        self._url = f"{mock_url}/__mock__/calls"
        self._calls: dict[int, LlmCall] = {}

    async def read(self) -> None:
        async with self._client.get(self._url) as response:
            response.raise_for_status()
            found = await response.json()
        for call in found["calls"]:
            if call["number"] not in self._calls:
                self._calls[call["number"]] = _llm_call(call)

    @property
    def calls(self) -> list[LlmCall]:
        """In the order in which they came."""
        return [self._calls[number] for number in sorted(self._calls)]


def _llm_call(call: dict[str, Any]) -> LlmCall:
    request = call["request"]
    said = [message["content"] for message in request["messages"] if message["role"] == "user"]
    return LlmCall(call["number"], received(call["headers"]), request["model"], said[-1])
