"""What a worker counts of copies to one shadow lane. Apart from all else: no copy is counted, or billed, as an exchange."""

from collections import Counter

from tracer_proxy.genai.answered import Usage
from tracer_proxy.limits import LANE_ANSWERS_MAX, TOKENS_COUNTED_MAX
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.catalogue import BUCKETS_S, NotMirrored, Pairing
from tracer_proxy.telemetry.collected import Collected, Histogram

SIDES = ("original", "copy")


class MirrorMeter:
    """``labels`` are the names of the route and its shadow lane."""

    __slots__ = ("_bytes", "_durations", "_outcomes", "_pairs", "_tokens", "labels", "not_mirrored")

    def __init__(self, labels: tuple[str, str]) -> None:
        self.labels = labels
        self.not_mirrored: Counter[NotMirrored] = Counter()
        self._outcomes: Counter[str] = Counter()
        self._pairs: Counter[Pairing] = Counter()
        self._durations = {side: Histogram(BUCKETS_S) for side in SIDES}
        self._bytes: Counter[str] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()

    def copy_done(self, outcome: str) -> None:
        """``outcome`` is the status of the answer, or what kept it from being whole."""
        known = outcome in self._outcomes or len(self._outcomes) < LANE_ANSWERS_MAX
        self._outcomes[outcome if known else "other"] += 1

    def pair_done(self, pairing: Pairing) -> None:
        self._pairs[pairing] += 1

    def measured(self, side: str, seconds: float, size: int, usage: Usage | None) -> None:
        """One side of a pair of which both are whole; ``size`` is that of the answer's body."""
        self._durations[side].observe(seconds)
        self._bytes[side] += size
        if usage is not None:
            for sort, tokens in (("input", usage.input), ("output", usage.output)):
                if tokens is not None:
                    self._tokens[side, sort] += min(max(tokens, 0), TOKENS_COUNTED_MAX)

    def collect(self, into: Collected) -> None:
        labels = self.labels
        for outcome, count in self._outcomes.items():
            into.add(catalogue.MIRRORED, (*labels, outcome), count)
            self._outcomes[outcome] = 0
        for reason, count in self.not_mirrored.items():
            into.add(catalogue.NOT_MIRRORED, (*labels, reason.value), count)
        for pairing, count in self._pairs.items():
            into.add(catalogue.MIRROR_PAIRS, (*labels, pairing.value), count)
        for side in SIDES:
            into.observe(catalogue.MIRROR_DURATION, (*labels, side), self._durations[side])
            into.add(catalogue.MIRROR_BYTES, (*labels, side), self._bytes[side])
        for (side, sort), tokens in self._tokens.items():
            into.add(catalogue.MIRROR_TOKENS, (*labels, side, sort), tokens)
        for counts in (self.not_mirrored, self._pairs, self._bytes, self._tokens):
            counts.clear()
