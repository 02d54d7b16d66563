"""What a lane has shown of its confidence in the last minutes, kept in slices of time."""

from msgspec import Struct, field

from tracer_proxy.limits import ROLLOUT_CONFIDENCE_PARTS, ROLLOUT_SLICES
from tracer_proxy.telemetry.evidence import Evidence


class Recent(Struct):
    """Reaches back over as much time as is asked for, and at most one slice further."""

    ran_s: float = 0.0
    """How long it has been kept."""
    slices: list[tuple[float, Evidence]] = field(default_factory=list)
    """When each began, and what it has; the oldest first."""

    def add(self, evidence: Evidence, reach_s: float) -> None:
        width = reach_s / ROLLOUT_SLICES
        if not self.slices or self.ran_s >= self.slices[-1][0] + width:
            self.slices = [each for each in self.slices if each[0] + width > self.ran_s - reach_s]
            self.slices.append((self.ran_s, Evidence()))
        self.slices[-1][1].add(_confidence_of(evidence))

    def of_last(self, reach_s: float, bound: float) -> Evidence | None:
        """``None`` until it has been kept for so long, and unless it was below ``bound`` for all of that: a busy minute weighs
        more than four quiet ones, and is a minute all the same.
        """
        if self.ran_s < reach_s:
            return None
        width, begin = reach_s / ROLLOUT_SLICES, self.ran_s - reach_s
        parts = [Evidence() for _ in range(ROLLOUT_CONFIDENCE_PARTS)]
        for began, evidence in self.slices:
            if began + width > begin:
                place = int((began - begin) / reach_s * ROLLOUT_CONFIDENCE_PARTS)
                parts[max(0, min(place, ROLLOUT_CONFIDENCE_PARTS - 1))].add(evidence)
        if any(part.confidences and part.confidence_sum >= bound * part.confidences for part in parts):
            return None
        whole = Evidence()
        for part in parts:
            whole.add(part)
        return whole


def _confidence_of(evidence: Evidence) -> Evidence:
    """Without the spreads, which would make each slice as large as the whole."""
    return Evidence(
        exchanges=evidence.exchanges,
        errors=evidence.errors,
        confidences=evidence.confidences,
        confidence_sum=evidence.confidence_sum,
        confidence_squares=evidence.confidence_squares,
        failed=evidence.failed,
        sample=evidence.sample,
    )
