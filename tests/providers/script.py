"""What a provider plays: tools to call, step by step, and an answer when all have been called."""

from dataclasses import dataclass, field
from typing import Any

from providers.refused import Refused


@dataclass(frozen=True)
class Call:
    tool: str
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One answer of the model: calls that may run in parallel, and what it says beside them."""

    calls: tuple[Call, ...]
    text: str = ""


TRIP = (
    Step((Call("search_flights", {"to": "Oslo"}),)),
    Step((Call("get_weather", {"city": "Oslo"}), Call("get_time", {"city": "Oslo"})), text="Weather and time next."),
    Step((Call("book_flight", {"flight": "TP 42", "seats": 1}),)),
)


@dataclass(frozen=True)
class Script:
    steps: tuple[Step, ...] = TRIP
    answer: str = "Booked: TP 42 to Oslo, where it is 7 °C."

    @property
    def exchanges(self) -> int:
        """Requests that a turn takes."""
        return len(self.steps) + 1

    @property
    def tools(self) -> list[str]:
        """Of all calls of a turn, in order."""
        return [call.tool for step in self.steps for call in step.calls]

    def step_after(self, results: int) -> Step | None:
        """The step that is due once ``results`` tools have answered; none when the answer is due."""
        begins = 0
        for step in self.steps:
            if results == begins:
                return step
            begins += len(step.calls)
        if results < begins:
            raise Refused(400, f"{results} tool results do not complete a step of the script")
        return None
