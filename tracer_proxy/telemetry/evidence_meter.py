"""What a worker keeps of the exchanges of one judged lane until control gets it.

The hot path only notes down; the notes are read many at a time, which costs half of reading each of them between all the other
things that an exchange needs.
"""

from collections import deque

from tracer_proxy.genai.pointed import number
from tracer_proxy.limits import CONFIDENCE_MAX, EVIDENCE_NOTES_MAX, EVIDENCE_TRACES_MAX
from tracer_proxy.telemetry.evidence import Evidence, count_in
from tracer_proxy.telemetry.turns import PlainLeg

Note = tuple[int, float, float | None, float | bytes | None, bytes]
"""The status it counts under, 5xx for whatever failed; seconds; those to the first token of a stream; how sure the answer is,
as a number or as a header says it; the trace id."""


class EvidenceMeter:
    """``turns`` is told whose the turns are, if a rollout asks for that; ``is_model`` says that the route leads to a model.
    ``errors`` are statuses that are errors beside 5xx.
    """

    __slots__ = ("_evidence", "_lane", "_notes", "_route", "errors", "is_model", "turns")

    def __init__(self, route: str, lane: str) -> None:
        self._route = route
        self._lane = lane
        self.turns: deque[PlainLeg] | None = None
        self.is_model = False
        self.errors: frozenset[int] = frozenset()
        self._evidence = Evidence()
        self._notes: list[Note] = []

    def note(self, note: Note) -> None:
        notes = self._notes
        notes.append(note)
        if len(notes) >= EVIDENCE_NOTES_MAX:
            self._read_notes()

    def take(self) -> Evidence | None:
        """What there is since the last time, if there is anything."""
        self._read_notes()
        taken = self._evidence
        if not taken.exchanges:
            return None
        self._evidence = Evidence()
        return taken

    def _read_notes(self) -> None:
        evidence, turns, errors = self._evidence, self.turns, self.errors
        evidence.exchanges += len(self._notes)
        for status, seconds, first_token_s, confidence, trace_id in self._notes:
            failed = status >= 500 or status in errors
            traces = evidence.failed if failed else evidence.sample
            if len(traces) < EVIDENCE_TRACES_MAX:
                traces.append(trace_id.decode())
            if failed:
                evidence.errors += 1
            elif status < 400:
                # What was refused says nothing of how long answers take and how good they are.
                count_in(evidence.latency, seconds)
                if first_token_s is not None:
                    count_in(evidence.first_token, first_token_s)
                if turns is not None:
                    turns.append((trace_id.decode(), 0, self._route, self._lane, self.is_model))
                if confidence is not None:
                    _count_confidence(evidence, number(confidence) if isinstance(confidence, bytes) else confidence)
        self._notes.clear()


def _count_confidence(evidence: Evidence, confidence: float | None) -> None:
    if confidence is not None and abs(confidence) <= CONFIDENCE_MAX:
        evidence.confidences += 1
        evidence.confidence_sum += confidence
        evidence.confidence_squares += confidence * confidence
