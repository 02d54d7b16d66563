"""What the caller, the agents and the mock LLM each noted of a turn, and how the notes are put together: by trace id."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


@dataclass(frozen=True, slots=True)
class Received:
    """The trace that a request brought: its trace id, the span that sent it, its colour. Empty where there was none."""

    trace_id: str
    span_id: str
    color: str


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn as the caller saw it. ``error`` says why it failed and is empty when it did not."""

    session: str
    number: int
    prompt: str
    """What it said; no other turn says the same."""
    asked_for_canary: bool
    trace_id: str = ""
    """From ``x-trace-id-ext`` of the answer."""
    version: str = ""
    """The agent's, from ``x-agent-version`` of the answer."""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """One question of an agent to its model. ``reply`` is a tool call or a text."""

    reply: str


@dataclass(frozen=True, slots=True)
class ToolRun:
    """A tool that the agent ran itself."""

    call: str
    result: str


@dataclass(frozen=True, slots=True)
class Visit:
    """One turn as the agent saw it; ``steps`` is what it did about it, in order."""

    version: str
    received: Received
    steps: tuple[Ask | ToolRun, ...]

    @property
    def asks(self) -> int:
        return sum(isinstance(step, Ask) for step in self.steps)


@dataclass(frozen=True, slots=True)
class LlmCall:
    """One call as the mock LLM saw it; ``number`` counts all its calls."""

    number: int
    received: Received
    model: str
    prompt: str
    """What the user said last."""


class Evidence:
    """All notes of a run."""

    def __init__(self, turns: Sequence[Turn], visits: Sequence[Visit], calls: Sequence[LlmCall]) -> None:
        self.turns = turns
        self.visits = visits
        self.calls = calls
        self.visits_of: dict[str, list[Visit]] = defaultdict(list)
        """By trace id, as ``calls_of``; these in the order in which they came."""
        self.calls_of: dict[str, list[LlmCall]] = defaultdict(list)
        for visit in visits:
            self.visits_of[visit.received.trace_id].append(visit)
        for call in calls:
            self.calls_of[call.received.trace_id].append(call)


def received(headers: Mapping[str, str]) -> Received:
    """Read from the headers of a request as they came."""
    match = _TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    trace_id, span_id = match.groups() if match else ("", "")
    return Received(trace_id, span_id, headers.get("x-traffic-color", ""))


def said(error: BaseException) -> str:
    """What an exception says; its name if it says nothing, as a timeout does."""
    return str(error) or type(error).__name__
