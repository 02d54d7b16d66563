"""What exchanges say for or against the lane that served them, on routes that a rollout judges.

Counted where the exchange ends, and not made of its record: what a judge wants are sums, and a record that is made, sent and
read for each exchange would cost a multiple of adding up five numbers.
"""

import re
from typing import TYPE_CHECKING

from tracer_proxy.errors import ProxyError, Side
from tracer_proxy.limits import CONFIDENCE_MAX, EVIDENCE_TRACES_MAX
from tracer_proxy.routing.decision import Decision
from tracer_proxy.routing.judged import Judged
from tracer_proxy.telemetry.evidence import count_in
from tracer_proxy.telemetry.turns import Leg

if TYPE_CHECKING:
    from tracer_proxy.dataplane.exchange import Exchange

# A member of an enum is looked up through its metaclass, a global of the module is not.
_UPSTREAM = Side.UPSTREAM
_decimal = re.compile(rb"-?[0-9]{1,15}(?:\.[0-9]{1,15})?").fullmatch


def show(exchange: "Exchange", decision: Decision, judged: Judged, error: ProxyError | None, now: float) -> None:
    """Once for each exchange that became no tunnel. Where its answer is read, what that says comes before it is counted."""
    if decision.fell_back or exchange.lane is not decision.lane:
        return
    if (error is None and not exchange.answer_status) or (error is not None and error.side is not _UPSTREAM):
        # The lane was not asked, or others are to blame.
        return
    shown = Shown(exchange, decision, judged, error is not None or exchange.answer_status >= 500, now)
    if exchange.witness is None:
        shown.count()
    else:
        exchange.witness.shown = shown


class Shown:
    """One exchange, with what reading its answer may still change."""

    __slots__ = ("_decision", "_exchange", "_judged", "_seconds", "confidence", "first_token_s", "has_failed")

    def __init__(self, exchange: "Exchange", decision: Decision, judged: Judged, has_failed: bool, now: float) -> None:
        self._exchange = exchange
        self._decision = decision
        self._judged = judged
        self._seconds = now - exchange.began
        self.has_failed = has_failed
        self.first_token_s = exchange.first_body_s
        """``None`` for what is no stream."""
        self.confidence: float | None = None

    def count(self) -> None:
        """What failed, or was refused with a status of 4xx, says nothing of how long answers take and how good they are."""
        exchange, evidence = self._exchange, self._decision.lane.meter.evidence
        evidence.exchanges += 1
        traces = evidence.failed if self.has_failed else evidence.sample
        if len(traces) < EVIDENCE_TRACES_MAX:
            traces.append(exchange.trace_id.decode())
        if self.has_failed:
            evidence.errors += 1
        elif exchange.answer_status < 400:
            count_in(evidence.latency, self._seconds)
            if self.first_token_s is not None:
                count_in(evidence.first_token, self.first_token_s)
            judged = self._judged
            if judged.confidence_header:
                self.confidence = _said(exchange, judged.confidence_header)
            if self.confidence is not None and abs(self.confidence) <= CONFIDENCE_MAX:
                evidence.confidences += 1
                evidence.confidence_sum += self.confidence
                evidence.confidence_squares += self.confidence**2
            if judged.by_turns:
                self._claim_turn()

    def _claim_turn(self) -> None:
        exchange, route, lane = self._exchange, self._decision.route, self._decision.lane
        leg = Leg(exchange.trace_id.decode(), 0, route.name, lane.name, may_go_on=bool(route.llm_api))
        exchange.worker.meters.turns.append(leg)


def _said(exchange: "Exchange", header: bytes) -> float | None:
    """Decimal text, and nothing else: it must say the same to everybody who reads it."""
    said = exchange.answer.values.get(header) if exchange.answer is not None else None
    return float(said) if said is not None and _decimal(said) else None
