"""One trace as an indented tree: what each receiver was told, hung below the span that told it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tracer_proxy.demo.caller import PATH
from tracer_proxy.demo.evidence import Ask, Evidence, LlmCall, ToolRun, Turn, Visit
from tracer_proxy.demo.split import Lane
from tracer_proxy.telemetry.branches import branches


@dataclass(slots=True)
class Node:
    """Who, what it did, and the span it told the next one (empty for who makes none)."""

    who: str
    what: str
    span_id: str = ""
    below: list["Node"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Line:
    """A node as one line; ``branch`` is the drawing before it."""

    branch: str
    who: str
    what: str
    span_id: str


def telling_turn(turns: Sequence[Turn], canary_version: str) -> Turn | None:
    """The one to show: on the canary by weight, else on the canary, else any that went well."""
    good = [turn for turn in turns if not turn.error]
    return max(good, key=lambda turn: (turn.version == canary_version) * (2 - turn.asked_for_canary), default=None)


def grow(evidence: Evidence, turn: Turn, lanes: Sequence[Lane]) -> Node:
    """The tree of a turn. What nobody noted is not in it."""
    root = Node("caller", f"session {turn.session}, turn {turn.number}: POST {PATH}")
    names = {lane.version: lane.name for lane in lanes}
    calls = iter(evidence.calls_of.get(turn.trace_id, []))
    for visit in evidence.visits_of.get(turn.trace_id, []):
        agent = Node(f"planner {visit.version}", _noted(visit), below=list(_steps(visit, calls)))
        what = f"route planner, lane {names.get(visit.version, 'unknown')}{_why(turn, visit)}"
        root.below.append(Node("tracer-proxy", what, visit.received.span_id, [agent]))
    return root


def lines(root: Node) -> Iterator[Line]:
    """Top to bottom."""
    for drawing, node in branches(root, lambda node: node.below):
        yield Line(drawing, node.who, node.what, node.span_id)


def _steps(visit: Visit, calls: Iterator[LlmCall]) -> Iterator[Node]:
    """An agent asks one thing after the other, so its questions and the calls of the trace are in the same order."""
    for step in visit.steps:
        if isinstance(step, ToolRun):
            yield Node("tool", f"{step.call} → {step.result}")
        elif call := next(calls, None):
            yield _llm_exchange(step, call)


def _llm_exchange(ask: Ask, call: LlmCall) -> Node:
    color = f", colour still {call.received.color}" if call.received.color else ""
    mock = Node(f"mock {call.model}", f"call {call.number}: {ask.reply}")
    return Node("tracer-proxy", f"route openai{color}", call.received.span_id, [mock])


def _noted(visit: Visit) -> str:
    return f"got traceparent, x-traffic-color: {visit.received.color}" if visit.received.color else "got traceparent, no colour"


def _why(turn: Turn, visit: Visit) -> str:
    if not visit.received.color:
        return ""
    return f", {visit.received.color} by x-canary: 1" if turn.asked_for_canary else f", painted {visit.received.color}"
