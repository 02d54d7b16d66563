"""The demo's tree: what was noted of one trace, and nothing else."""

from dataclasses import replace

from demo_cases import LANES, Notes, good_run

from tracer_proxy.demo.tree import grow, lines, telling_turn


def drawn(notes: Notes, turn: int) -> list[str]:
    evidence = notes.evidence()
    return [f"{line.branch}{line.who}: {line.what}" for line in lines(grow(evidence, notes.turns[turn], LANES))]


def test_whole_trace() -> None:
    """Each below the one that called it, in the order of the calls."""
    notes = Notes()
    notes.add("s-1", 2, "v2")
    assert drawn(notes, 0) == [
        "caller: session s-1, turn 2: POST /agents/planner",
        "└─ tracer-proxy: route planner, lane canary, painted canary",
        "   └─ planner v2: got traceparent, x-traffic-color: canary",
        "      ├─ tracer-proxy: route openai, colour still canary",
        "      │  └─ mock gpt: call 1: look(x)",
        "      ├─ tool: look(x) → y",
        "      └─ tracer-proxy: route openai, colour still canary",
        "         └─ mock gpt: call 2: It is y.",
    ]


def test_span_ids_are_those_that_were_received() -> None:
    """The proxy's, by the notes of whom it called."""
    notes = Notes()
    notes.add("s-1", 1, "v1")
    spans = [line.span_id for line in lines(grow(notes.evidence(), notes.turns[0], LANES)) if line.span_id]
    assert spans == [notes.visits[0].received.span_id, *(call.received.span_id for call in notes.calls)]


def test_stable_and_asked_for() -> None:
    """No colour is not mentioned; one that was asked for is not called painted."""
    notes = Notes()
    notes.add("s-1", 1, "v1")
    notes.add("s-2", 1, "v2", asked=True)
    assert drawn(notes, 0)[1:4] == [
        "└─ tracer-proxy: route planner, lane stable",
        "   └─ planner v1: got traceparent, no colour",
        "      ├─ tracer-proxy: route openai",
    ]
    assert drawn(notes, 1)[1] == "└─ tracer-proxy: route planner, lane canary, canary by x-canary: 1"


def test_what_nobody_noted_is_not_drawn() -> None:
    """A call that the mock did not see; a trace that no agent saw."""
    notes = Notes()
    notes.add("s-1", 1, "v1")
    del notes.calls[1]
    assert drawn(notes, 0)[-1] == "      └─ tool: look(x) → y"
    notes.visits.clear()
    assert drawn(notes, 0) == ["caller: session s-1, turn 1: POST /agents/planner"]


def test_turn_that_tells_most() -> None:
    """On the canary by weight, else because it asked, else any that did not fail."""
    turns = good_run().turns
    chosen = telling_turn(turns, "v2")
    assert chosen is not None
    assert chosen.session == "s-9"
    without = [turn for turn in turns if turn.session != "s-9"]
    assert telling_turn(without, "v2") == without[-2]
    assert telling_turn(without[:3], "v2") == without[0]
    assert telling_turn([replace(turn, error="no") for turn in turns], "v2") is None
