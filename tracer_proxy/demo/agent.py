"""A small agent as a web service: it asks its model, runs the tool the model calls, and asks again until there is an answer.

All that it does for the sake of tracing is to pass three headers on.
"""

import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from tracer_proxy import limits
from tracer_proxy.demo.evidence import Ask, ToolRun, Visit, received, said

Message = dict[str, Any]

_PASSED_ON = ("traceparent", "tracestate", "baggage")
_WEATHER = {"Lisbon": "sunny, 26 °C", "Oslo": "light snow, -2 °C", "Nairobi": "clear, 23 °C", "Hanoi": "warm rain, 29 °C"}
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "The weather in a city.",
            "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
        },
    }
]


class Agent:
    """One version of the planner. ``visits`` are its notes."""

    def __init__(self, version: str, model: str, llm_url: str, client: aiohttp.ClientSession) -> None:
        self._version = version
        self._model = model
        self._llm_url = llm_url
        self._client = client
        self.visits: deque[Visit] = deque(maxlen=limits.DEMO_SESSIONS_MAX * limits.DEMO_TURNS_MAX)

    async def answer(self, request: web.Request) -> web.Response:
        """The handler: a message as plain text in, the answer as JSON out."""
        steps: list[Ask | ToolRun] = []
        try:
            text = await self._turn(await request.text(), request.headers, steps)
        except (aiohttp.ClientError, TimeoutError) as error:
            return self._json({"error": f"The model did not answer: {said(error)}"}, 502)
        finally:
            self.visits.append(Visit(self._version, received(request.headers), tuple(steps)))
        return self._json({"agent": "planner", "version": self._version, "answer": text}, 200)

    async def _turn(self, message: str, headers: Mapping[str, str], steps: list[Ask | ToolRun]) -> str:
        passed_on = {name: headers[name] for name in _PASSED_ON if name in headers}
        messages: list[Message] = [{"role": "user", "content": message}]
        for _ in range(limits.DEMO_AGENT_ROUNDS_MAX):
            reply = await self._ask(messages, passed_on)
            calls = reply.get("tool_calls") or []
            steps.append(Ask(", ".join(map(_shown, calls)) or reply["content"]))
            if not calls:
                return str(reply["content"])
            messages += [reply, *(_run(call, steps) for call in calls)]
        return "There is no end to this."

    async def _ask(self, messages: list[Message], headers: Mapping[str, str]) -> Message:
        """The model's message."""
        body = {"model": self._model, "messages": messages, "tools": _TOOLS}
        async with self._client.post(f"{self._llm_url}/chat/completions", json=body, headers=headers) as response:
            response.raise_for_status()
            reply: Message = (await response.json())["choices"][0]["message"]
            return reply

    def _json(self, value: object, status: int) -> web.Response:
        text = json.dumps(value, ensure_ascii=False) + "\n"
        return web.Response(
            text=text, status=status, content_type="application/json", headers={"x-agent-version": self._version}
        )


def _run(call: Message, steps: list[Ask | ToolRun]) -> Message:
    """Runs a tool; returns the message that tells its result."""
    city = json.loads(call["function"]["arguments"]).get("city", "")
    result = _WEATHER.get(city, "changeable, 15 °C")
    steps.append(ToolRun(_shown(call), result))
    return {"role": "tool", "tool_call_id": call["id"], "content": result}


def _shown(call: Message) -> str:
    return f"{call['function']['name']}({call['function']['arguments']})"


@asynccontextmanager
async def serving(version: str, model: str, llm_url: str, listener: socket.socket) -> AsyncIterator[Agent]:
    """Answers on ``listener`` until the block ends."""
    app = web.Application(client_max_size=limits.DEMO_MESSAGE_BYTES_MAX)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=limits.MOCK_STOP_S)
    timeout = aiohttp.ClientTimeout(total=limits.DEMO_REQUEST_S)
    async with aiohttp.ClientSession(timeout=timeout) as client:
        agent = Agent(version, model, llm_url, client)
        app.router.add_route("*", "/agents/planner", agent.answer)
        await runner.setup()
        try:
            await web.SockSite(runner, listener).start()
            yield agent
        finally:
            await runner.cleanup()
