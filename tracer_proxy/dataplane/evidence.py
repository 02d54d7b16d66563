"""What exchanges say for or against the lane that served them, on routes that a rollout judges.

Noted down where the exchange ends, and not made of its record: what a judge wants are sums, and a record that is made, sent and
read for each exchange would cost a multiple of adding up a few numbers.
"""

from typing import TYPE_CHECKING

from tracer_proxy.errors import ProxyError, Side
from tracer_proxy.routing.decision import Decision
from tracer_proxy.routing.judged import Judged
from tracer_proxy.telemetry.evidence_meter import EvidenceMeter

if TYPE_CHECKING:
    from tracer_proxy.dataplane.exchange import Exchange

# A member of an enum is looked up through its metaclass, a global of the module is not.
_UPSTREAM = Side.UPSTREAM


def show(
    exchange: "Exchange", decision: Decision, judged: Judged, status: int, error: ProxyError | None, seconds: float
) -> None:
    """Once for each exchange that became no tunnel. Where its answer is read, what that says comes before it counts.

    ``status`` is that which it counts under.
    """
    if decision.fell_back or exchange.lane is not decision.lane or exchange.plan.is_shadow:
        return
    if (error is None and not exchange.answer_status) or (error is not None and error.side is not _UPSTREAM):
        # The lane was not asked, or others are to blame.
        return
    confidence = None
    if judged.confidence_header:
        answer = exchange.answer
        confidence = answer.values.get(judged.confidence_header) if answer is not None else None
    lane = decision.lane.meter.evidence
    if exchange.witness is None:
        lane.note((status, seconds, exchange.first_body_s, confidence, exchange.trace_id))
    else:
        exchange.witness.shown = Shown(lane, status, seconds, exchange.first_body_s, confidence, exchange.trace_id)


class Shown:
    """The same, for whoever reads the answer to change and to complete."""

    __slots__ = ("_lane", "_seconds", "_trace_id", "confidence", "first_token_s", "status")

    def __init__(
        self,
        lane: EvidenceMeter,
        status: int,
        seconds: float,
        first_token_s: float | None,
        confidence: float | bytes | None,
        trace_id: bytes,
    ) -> None:
        self._lane = lane
        self._seconds = seconds
        self._trace_id = trace_id
        self.status = status
        self.first_token_s = first_token_s
        """``None`` for what is no stream."""
        self.confidence = confidence

    def note(self) -> None:
        self._lane.note((self.status, self._seconds, self.first_token_s, self.confidence, self._trace_id))
