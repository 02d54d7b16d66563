"""The demo's findings: silent about a good run, and one sentence for each thing that may be wrong with one."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from demo_cases import LANES, Notes, good_run

from tracer_proxy.demo.evidence import Received
from tracer_proxy.demo.findings import Finding, findings
from tracer_proxy.demo.split import shares


def found(notes: Notes, errors: dict[str, int] | None = None) -> list[Finding]:
    evidence = notes.evidence()
    return findings(evidence, shares(LANES, evidence.turns), errors or {})


def test_good_run() -> None:
    """No complaint, and the numbers of the run."""
    assert [finding.complaint for finding in found(good_run())] == [""] * 7
    assert [finding.count for finding in found(good_run())] == [0, 0, 0, 2, 22, 44, 8]


def _fail_a_turn(notes: Notes) -> None:
    notes.turns[3] = replace(notes.turns[3], error="HTTP 502: no")


def _move_a_session(notes: Notes) -> None:
    notes.turns[1] = replace(notes.turns[1], version="v2")


def _refuse_the_canary(notes: Notes) -> None:
    notes.turns[-2:] = [replace(turn, version="v1") for turn in notes.turns[-2:]]


def _repeat_a_trace(notes: Notes) -> None:
    notes.turns[1] = replace(notes.turns[1], trace_id=notes.turns[0].trace_id)


def _tell_the_agent_another_trace(notes: Notes) -> None:
    notes.visits[0] = replace(notes.visits[0], received=Received("f" * 32, "1" * 16, ""))


def _lose_a_call(notes: Notes) -> None:
    del notes.calls[0]


def _put_a_call_into_the_trace_of_another_turn(notes: Notes) -> None:
    notes.calls[0] = replace(notes.calls[0], received=notes.calls[4].received)


def _lose_a_color(notes: Notes) -> None:
    notes.calls[-1] = replace(notes.calls[-1], received=replace(notes.calls[-1].received, color=""))


def _color_a_stable_call(notes: Notes) -> None:
    notes.calls[0] = replace(notes.calls[0], received=replace(notes.calls[0].received, color="canary"))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (_fail_a_turn, "A turn failed: session s-1, turn 2: HTTP 502: no"),
        (_move_a_session, "Session s-0 saw v1 and v2: it is not sticky."),
        (_refuse_the_canary, "2 turns asked for the canary and did not get it."),
        (_repeat_a_trace, "22 turns were told only 21 trace ids between them."),
        (_tell_the_agent_another_trace, f"Planner v1 was not told trace {1:032x}, which its caller was told."),
        (_lose_a_call, "The agents asked their models 44 times; the mock LLM saw 43 calls, 43 of them in the trace of"),
        (_put_a_call_into_the_trace_of_another_turn, "the mock LLM saw 44 calls, 43 of them in the trace of their turn."),
        (_lose_a_color, "7 of 8 LLM calls of the canary came coloured, and 0 others."),
        (_color_a_stable_call, "8 of 8 LLM calls of the canary came coloured, and 1 others."),
    ],
)
def test_spoiled_run(spoil: Callable[[Notes], None], complaint: str) -> None:
    """The complaint is made, whatever else follows from the same fault."""
    notes = good_run()
    spoil(notes)
    complaints = [finding.complaint for finding in found(notes)]
    assert any(complaint in each for each in complaints), complaints


def test_errors_that_only_the_proxy_saw() -> None:
    """They count too, by kind."""
    first = found(good_run(), {"client_gone": 2})[0]
    assert (first.count, first.complaint) == (2, "The proxy counted errors: client_gone 2.")


def test_lane_far_from_its_weight() -> None:
    """With what was to be expected."""
    notes = Notes()
    for session in range(100):
        notes.add(f"s-{session}", 1, "v1")
    complaints = [finding.complaint for finding in found(notes)]
    assert "" in complaints
    for session in range(100, 200):
        notes.add(f"s-{session}", 1, "v2")
    assert "Lane stable got 100 sessions by weight; some 180 were to be expected." in [each.complaint for each in found(notes)]
