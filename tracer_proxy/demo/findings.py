"""What must hold of a run, and whether it did."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tracer_proxy.demo.evidence import Evidence, Turn
from tracer_proxy.demo.split import LaneShare

CANARY_VERSION = "v2"
CANARY_COLOR = "canary"


@dataclass(frozen=True, slots=True)
class Finding:
    """``what`` was counted, and ``count``; ``complaint`` is a sentence if it is not as it must be, else empty."""

    what: str
    count: int
    note: str
    complaint: str


def grouped(number: int) -> str:
    """With a space between thousands."""
    return f"{number:,}".replace(",", " ")


def findings(evidence: Evidence, shares: Sequence[LaneShare], proxy_errors: Mapping[str, int]) -> list[Finding]:
    """``proxy_errors`` is what the proxy itself has counted, by kind."""
    good = [turn for turn in evidence.turns if not turn.error]
    return [
        _errors(evidence.turns, proxy_errors),
        _versions(good),
        _split(shares),
        _asked(good),
        _traces(evidence, good),
        _llm_calls(evidence, good),
        _colors(evidence, good),
    ]


def _errors(turns: Sequence[Turn], proxy_errors: Mapping[str, int]) -> Finding:
    failed = [turn for turn in turns if turn.error]
    complaint = ""
    if failed:
        complaint = f"A turn failed: session {failed[0].session}, turn {failed[0].number}: {failed[0].error}"
    elif proxy_errors:
        complaint = f"The proxy counted errors: {', '.join(f'{kind} {count}' for kind, count in proxy_errors.items())}."
    count = len(failed) or sum(proxy_errors.values())
    return Finding("errors, of callers or inside of the proxy", count, "", complaint)


def _versions(turns: Sequence[Turn]) -> Finding:
    versions: dict[str, set[str]] = {}
    for turn in turns:
        versions.setdefault(turn.session, set()).add(turn.version)
    torn = [session for session, seen in versions.items() if len(seen) > 1]
    complaint = f"Session {torn[0]} saw {' and '.join(sorted(versions[torn[0]]))}: it is not sticky." if torn else ""
    return Finding("sessions that saw two versions", len(torn), f"of {grouped(len(versions))}", complaint)


def _split(shares: Sequence[LaneShare]) -> Finding:
    wrong = [share for share in shares if not share.is_plausible]
    complaint = ""
    if wrong:
        lane = wrong[0]
        complaint = f"Lane {lane.lane.name} got {lane.drawn} sessions by weight; some {lane.expected:.0f} were to be expected."
    return Finding("lanes far from their weight", len(wrong), f"of {len(shares)}", complaint)


def _asked(turns: Sequence[Turn]) -> Finding:
    asked = [turn for turn in turns if turn.asked_for_canary]
    served = [turn for turn in asked if turn.version == CANARY_VERSION]
    complaint = ""
    if len(served) < len(asked):
        complaint = f"{len(asked) - len(served)} turns asked for the canary and did not get it."
    return Finding("turns that got the canary they asked for", len(served), f"of {grouped(len(asked))}", complaint)


def _traces(evidence: Evidence, turns: Sequence[Turn]) -> Finding:
    traces = {turn.trace_id for turn in turns} - {""}
    complaint = ""
    if len(traces) < len(turns):
        complaint = f"{grouped(len(turns))} turns were told only {grouped(len(traces))} trace ids between them."
    for turn in turns:
        visits = evidence.visits_of.get(turn.trace_id, [])
        if not complaint and [visit.version for visit in visits] != [turn.version]:
            complaint = f"Planner {turn.version} was not told trace {turn.trace_id}, which its caller was told."
    return Finding("traces, the same for caller and agent", len(traces), f"for {grouped(len(turns))} turns", complaint)


def _llm_calls(evidence: Evidence, turns: Sequence[Turn]) -> Finding:
    """A call belongs to a turn by what the prompt says; its trace id has to agree."""
    asked = sum(visit.asks for visit in evidence.visits)
    matched = sum(call.prompt == turn.prompt for turn in turns for call in evidence.calls_of.get(turn.trace_id, []))
    complaint = ""
    if matched != asked or len(evidence.calls) != asked:
        complaint = (
            f"The agents asked their models {grouped(asked)} times; the mock LLM saw {grouped(len(evidence.calls))} calls, "
            f"{grouped(matched)} of them in the trace of their turn."
        )
    return Finding("LLM calls in the trace of their turn", matched, f"of {grouped(asked)}", complaint)


def _colors(evidence: Evidence, turns: Sequence[Turn]) -> Finding:
    """Calls of canary turns are coloured, and others are not."""
    coloured = expected = stray = 0
    for turn in turns:
        for call in evidence.calls_of.get(turn.trace_id, []):
            if turn.version == CANARY_VERSION:
                expected += 1
                coloured += call.received.color == CANARY_COLOR
            else:
                stray += bool(call.received.color)
    complaint = ""
    if coloured < expected or stray:
        complaint = f"{coloured} of {expected} LLM calls of the canary came coloured, and {stray} others."
    return Finding("LLM calls of the canary, still coloured", coloured, f"of {grouped(expected)}", complaint)
