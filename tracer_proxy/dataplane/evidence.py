"""What exchanges say for or against the lane that served them, on routes that a rollout judges.

Noted down where the exchange ends, and not made of its record: what a judge wants are sums, and a record that is made, sent and
read for each exchange would cost a multiple of adding up a few numbers.
"""

from typing import TYPE_CHECKING

from tracer_proxy.errors import ProxyError, Side
from tracer_proxy.routing.decision import Decision
from tracer_proxy.routing.judged import Judged

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
    if exchange.witness is not None:
        exchange.witness.shown = Shown(exchange, decision, judged, status, seconds, confidence)
        return
    decision.lane.meter.evidence.note((status, seconds, exchange.first_body_s, confidence, exchange.trace_id))
    if judged.by_turns and status < 400:
        _claim_turn(exchange, decision)


class Shown:
    """The same, for whoever reads the answer to change and to complete."""

    __slots__ = ("_decision", "_exchange", "_judged", "_seconds", "confidence", "first_token_s", "status")

    def __init__(
        self,
        exchange: "Exchange",
        decision: Decision,
        judged: Judged,
        status: int,
        seconds: float,
        confidence: float | bytes | None,
    ) -> None:
        self._exchange = exchange
        self._decision = decision
        self._judged = judged
        self._seconds = seconds
        self.status = status
        self.first_token_s = exchange.first_body_s
        """``None`` for what is no stream."""
        self.confidence = confidence

    def note(self) -> None:
        exchange, decision = self._exchange, self._decision
        note = self.status, self._seconds, self.first_token_s, self.confidence, exchange.trace_id
        decision.lane.meter.evidence.note(note)
        if self._judged.by_turns and self.status < 400:
            _claim_turn(exchange, decision)


def _claim_turn(exchange: "Exchange", decision: Decision) -> None:
    """What the turn cost is the lane's."""
    route = decision.route
    leg = exchange.trace_id.decode(), 0, route.name, decision.lane.name, route.llm_api != ""
    exchange.worker.meters.turns.append(leg)
