"""Control's side of evidence: what all workers together have seen of the lanes that rollouts judge."""

from collections.abc import Iterator

from tracer_proxy.telemetry.deltas import Delta
from tracer_proxy.telemetry.evidence import Evidence, count_in, from_plain
from tracer_proxy.telemetry.turns import Leg, Turns


class Gathered:
    """Turns under way go with control: what is left of such a turn afterwards counts as one that cost less."""

    def __init__(self) -> None:
        self._turns = Turns()

    def add(self, delta: Delta, now: float) -> Iterator[tuple[str, str, Evidence]]:
        """Route, lane and what is new of it: exchanges that the delta tells of, and turns that are over by now.

        For each delta once, as with ``Totals.add``, which knows one that comes again. ``now`` is in seconds of any clock that
        runs evenly. Raises ``ValueError`` for what is no delta.
        """
        for route, lane, plain in delta["evidence"]:
            yield route, lane, from_plain(plain)
        for turn in self._turns.add((Leg(*leg) for leg in delta["turns"]), now):
            evidence = Evidence()
            count_in(evidence.tokens, turn.tokens)
            yield turn.route, turn.lane, evidence
