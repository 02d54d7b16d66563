"""What the agents can do: plan a trip."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TOOL_S = 0.005
"""That a tool takes."""


@dataclass(frozen=True)
class Tool:
    name: str
    description: str
    properties: dict[str, dict[str, str]]
    result: Callable[..., str]

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON Schema."""
        return {
            "type": "object",
            "properties": self.properties,
            "required": list(self.properties),
            "additionalProperties": False,
        }


def _text(description: str) -> dict[str, str]:
    return {"type": "string", "description": description}


TOOLS = [
    Tool(
        "search_flights",
        "Flights to a city",
        {"to": _text("where to")},
        lambda to: f"TP 42 goes to {to} at 9:40, for 120 euros.",
    ),
    Tool("get_weather", "The weather in a city", {"city": _text("its name")}, lambda city: f"7 °C and rain in {city}."),
    Tool("get_time", "The time in a city", {"city": _text("its name")}, lambda city: f"It is 8:15 in {city}."),
    Tool(
        "book_flight",
        "Books seats on a flight",
        {"flight": _text("its number"), "seats": {"type": "integer", "description": "how many"}},
        lambda flight, seats: f"{seats} booked on {flight}.",
    ),
]
_BY_NAME = {tool.name: tool for tool in TOOLS}
SYSTEM = "You plan trips. Look before you book."


async def use(tool: str, arguments: dict[str, Any]) -> str:
    await asyncio.sleep(TOOL_S)
    return _BY_NAME[tool].result(**arguments)


def use_now(tool: str, arguments: dict[str, Any]) -> str:
    time.sleep(TOOL_S)
    return _BY_NAME[tool].result(**arguments)
