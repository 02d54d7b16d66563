"""Notes of a small run in which all is as it must be, to be spoiled in one place by each test."""

from dataclasses import dataclass, field

from tracer_proxy.demo.evidence import Ask, Evidence, LlmCall, Received, ToolRun, Turn, Visit
from tracer_proxy.demo.split import Lane

LANES = [Lane("stable", "v1", 90), Lane("canary", "v2", 10)]


@dataclass
class Notes:
    turns: list[Turn] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    calls: list[LlmCall] = field(default_factory=list)

    def add(self, session: str, number: int, version: str, *, asked: bool = False) -> None:
        """A turn with two calls of the model and a tool between them."""
        trace_id = f"{len(self.turns) + 1:032x}"
        color = "canary" if version == "v2" else ""
        prompt = f"{session} {number}"
        self.turns.append(Turn(session, number, prompt, asked, trace_id, version))
        steps = (Ask("look(x)"), ToolRun("look(x)", "y"), Ask("It is y."))
        self.visits.append(Visit(version, Received(trace_id, span(), color), steps))
        for _ in range(2):
            self.calls.append(LlmCall(len(self.calls) + 1, Received(trace_id, span(), color), "gpt", prompt))

    def evidence(self) -> Evidence:
        return Evidence(self.turns, self.visits, self.calls)


_spans = iter(range(1, 1_000_000))


def span() -> str:
    return f"{next(_spans):016x}"


def good_run() -> Notes:
    """Nine sessions on v1, one on v2, and one that asked for v2; two turns each."""
    notes = Notes()
    for session in range(11):
        for number in (1, 2):
            notes.add(f"s-{session}", number, "v1" if session < 9 else "v2", asked=session == 10)
    return notes
