"""The attempts of an exchange to get an answer: for each an endpoint, its place in the pool, and a connection.

    connect         an endpoint, and a kept connection to it or a new one
    dispatch        is the exchange's
    end             how it went, told to the pool; the connection goes back or is closed

After an attempt that failed another one may follow, as long as the request is ``repeatable`` and the client has not been sent
anything: what and when is up to ``retries.py``.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from tracer_proxy.dataplane import admission
from tracer_proxy.dataplane.clock import NEVER
from tracer_proxy.dataplane.plan import Plan
from tracer_proxy.dataplane.recording import attempt_of
from tracer_proxy.dataplane.retries import Retries
from tracer_proxy.dataplane.tasks import spawn
from tracer_proxy.errors import Kind, ProxyError, Side
from tracer_proxy.limits import HELD_BODIES_BYTES_MAX, REPLAY_BYTES_MAX
from tracer_proxy.routing.circuit import Circuit
from tracer_proxy.routing.decision import Decision
from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.lane import Lane
from tracer_proxy.routing.retry import OUTCOMES
from tracer_proxy.routing.retry import retry_after as read_retry_after
from tracer_proxy.telemetry.record import Attempt as AttemptRecord
from tracer_proxy.wire.response import ResponseHead

if TYPE_CHECKING:
    from tracer_proxy.dataplane.downstream import Downstream
    from tracer_proxy.dataplane.upstream import Upstream
    from tracer_proxy.dataplane.worker import Worker


class Attempts(ABC):
    __slots__ = (
        "_answer",
        "_circuit",
        "_held_bytes",
        "_outbox",
        "_repeatable",
        "_retries",
        "answer_s",
        "answer_status",
        "attempt_began",
        "attempt_ended",
        "attempt_error",
        "decision",
        "downstream",
        "endpoint",
        "lane",
        "past_attempts",
        "peer",
        "plan",
        "request_done",
        "reused",
        "sampled",
        "sent_at",
        "span_id",
        "trace_id",
        "upstream",
        "worker",
    )

    # Set by the exchange: one constructor costs less than two.
    worker: "Worker"
    downstream: "Downstream"
    plan: Plan
    request_done: bool
    decision: Decision | None
    lane: Lane
    """The decision's, or the same by a pool that stands in."""
    upstream: "Upstream | None"
    endpoint: Endpoint | None
    """Of the last attempt, as what follows is."""
    span_id: bytes
    """What the endpoint is told is its parent."""
    attempt_began: float
    """In seconds of the monotonic clock."""
    attempt_ended: float
    attempt_error: str
    """The kind of the error that ended it."""
    sent_at: float
    """When the request went out."""
    answer_s: float
    """From then to the head of the answer."""
    answer_status: int
    """0 for no answer."""
    peer: str
    """The address of the connection."""
    reused: bool
    """It was a kept one."""
    past_attempts: Sequence[AttemptRecord]
    """Those before the last one."""
    trace_id: bytes
    sampled: bool
    _circuit: Circuit | None
    """Where the attempt under way is counted."""
    _retries: Retries | None
    _outbox: bytes
    """Body bytes, framed for the upstream, that wait for a connection or may have to be sent again."""
    _held_bytes: int
    """What the worker was told of the outbox."""
    _repeatable: bool
    """All that has come of the body is in the outbox, and nothing was sent that must not be sent again."""
    _answer: ResponseHead | None
    """What the client has been sent the head of."""

    @property
    def attempts(self) -> int:
        """How many there were, with the one under way; 1 before the first as well."""
        return 1 if self._retries is None else self._retries.attempts

    @property
    def answer(self) -> ResponseHead | None:
        """What the client has been sent the head of."""
        return self._answer

    @abstractmethod
    def _dispatch(self, upstream: "Upstream") -> None:
        """Sends the request."""

    @abstractmethod
    def fail(self, error: ProxyError) -> None:
        """Ends the exchange."""

    def connect(self) -> None:
        """Begins an attempt, or goes on with the pool that stands in; else the exchange fails."""
        assert self.decision is not None
        pool = self.lane.pool
        circuit = pool.circuit
        if circuit.requests >= circuit.limits.requests:
            self._turned_away(admission.full(self.worker, pool, "requests"))
            return
        tried = self._retries.tried if self._retries is not None else ()
        endpoint = pool.pick(self.worker.dice, self.decision.session_key, tried)
        if endpoint is None:
            self._turned_away(admission.nobody(pool))
            return
        upstream = self.worker.connections.take(endpoint)
        if upstream is None and (refusal := admission.refuse_dial(self.worker, pool)):
            self._turned_away(refusal)
            return
        if self.endpoint is not None:
            self._note_attempt()
        self.endpoint = endpoint
        self.attempt_began = monotonic()
        endpoint.pending += 1
        circuit.requests += 1
        self._circuit = circuit
        if self._retries is not None:
            self._retries.attempts += 1
            if self._retries.attempts > 1:
                endpoint.meter.retries += 1
        if upstream is None:
            self._dial(endpoint, circuit)
        else:
            endpoint.meter.connections_reused += 1
            self._dispatch(upstream)

    def _turned_away(self, error: ProxyError) -> None:
        if self.endpoint is not None:
            self._note_attempt()
            self.endpoint = None
        if not self._further().fail_over():
            self.fail(error)

    def _note_attempt(self) -> None:
        """Of the one before, which has ended; the next one has a span of its own."""
        self.past_attempts = (*self.past_attempts, attempt_of(self))
        self.span_id = self.worker.ids.span()
        self.answer_status = 0
        self.peer, self.reused = "", False

    def _further(self) -> Retries:
        if self._retries is None:
            assert self.decision is not None
            self._retries = Retries(self, self.decision.route)
        return self._retries

    def _dial(self, endpoint: Endpoint, circuit: Circuit) -> None:
        self.downstream.deadline = NEVER
        self._hold_outbox()
        self.downstream.regulate()
        circuit.pending += 1
        spawn(self._dial_and_dispatch(endpoint, circuit), f"dial {endpoint}")

    async def _dial_and_dispatch(self, endpoint: Endpoint, circuit: Circuit) -> None:
        error: ProxyError
        try:
            assert self.decision is not None
            try:
                upstream = await self.worker.connections.dial(endpoint, self.decision.route.timeouts.connect)
            finally:
                circuit.pending -= 1
            upstream.join_circuit(circuit)
            endpoint.meter.connections_opened += 1
            self._dialled(upstream)
            return
        except ProxyError as failure:
            error = failure
        except Exception as bug:
            self.worker.loop.call_exception_handler({"message": f"dialling {endpoint} failed", "exception": bug})
            error = ProxyError(Kind.INTERNAL, "The proxy failed to pass the request on; its log says why.")
        if self.downstream.exchange is self:
            try:
                self._attempt_failed(error)
            except Exception as bug:
                # Whatever it is, the client must get an answer.
                self.worker.loop.call_exception_handler({"message": f"an attempt at {endpoint} failed", "exception": bug})
                self.fail(ProxyError(Kind.INTERNAL, "The proxy failed to pass the request on; its log says why."))

    def _dialled(self, upstream: "Upstream") -> None:
        if self.downstream.exchange is not self:
            # The client left meanwhile; the connection is good for the next one.
            self.worker.connections.keep(upstream, self.lane.pool.idle_s)
        elif upstream.transport is None or upstream.transport.is_closing():
            # Accepted and closed before this task ran again: nobody would ever tell this exchange.
            self.upstream_lost()
        else:
            self._dispatch(upstream)

    # The body, kept so that it can be sent again.

    def _hold_outbox(self) -> None:
        """Tells the worker what is kept. What was sent is kept within the bounds only, and given up quietly."""
        size, worker = len(self._outbox), self.worker
        worker.held_bytes += size - self._held_bytes
        self._held_bytes = size
        if self.upstream is not None and (size > REPLAY_BYTES_MAX or worker.held_bytes > HELD_BODIES_BYTES_MAX):
            self._forget_outbox()

    def _forget_outbox(self) -> None:
        """From here on the request cannot be sent again."""
        self._repeatable = False
        self._outbox = b""
        self.worker.held_bytes -= self._held_bytes
        self._held_bytes = 0

    # The end of an attempt, and what follows.

    def _end_attempt(self, answer: ResponseHead | None, *, is_clean: bool, error: ProxyError | None = None) -> None:
        """Tells the pool how its endpoint did; without an answer it failed. ``is_clean``: the connection may serve another."""
        pool, endpoint, upstream, worker = self.lane.pool, self.endpoint, self.upstream, self.worker
        assert endpoint is not None
        self._measure_attempt(error)
        if answer is None or answer.status in pool.failure_statuses:
            pool.failed(endpoint, worker.clock.now)
        else:
            pool.succeeded(endpoint, self.answer_s, worker.clock.now)
        self._release_endpoint()
        if upstream is not None:
            self.upstream = None
            if is_clean:
                worker.connections.keep(upstream, pool.idle_s)
            else:
                upstream.close()

    def _release_endpoint(self) -> None:
        circuit = self._circuit
        if circuit is not None:
            assert self.endpoint is not None
            self.endpoint.pending -= 1
            circuit.requests -= 1
            self._circuit = None

    def upstream_lost(self, reason: str = "") -> None:
        """``reason`` is what TLS has to say about it: an endpoint may refuse our certificate after the connection stands."""
        upstream = self.upstream
        if upstream is not None and upstream.reused and self._repeatable and not upstream.heads.partial:
            # It was closed while it lay idle: nothing of an answer has come. What replaces it is new, so this happens once.
            self.upstream = None
            assert self.endpoint is not None
            assert self._circuit is not None
            self._dial(self.endpoint, self._circuit)
            return
        if self._answer is not None:
            message = "The upstream broke off in the middle of its answer."
        else:
            message = "The upstream closed the connection before it answered" + (f": TLS says {reason}." if reason else ".")
        self._attempt_failed(ProxyError(Kind.UPSTREAM_CLOSED, message))

    def _attempt_failed(self, error: ProxyError) -> None:
        """Lets another attempt follow, if the endpoint is to blame and the client has not been told anything."""
        if error.side is Side.UPSTREAM:
            self._count_failed_attempt(error)
            self._end_attempt(None, is_clean=False, error=error)
            if self._repeatable and self._answer is None and self._further().follow(OUTCOMES[error.kind]):
                return
        self.fail(error)

    def _pass_over(self, answer: ResponseHead, rest: bytes) -> bool:
        """Lets another attempt follow instead of this answer, if the route wants that and it may be."""
        assert self.decision is not None
        if answer.status not in self.decision.route.retries.statuses:
            return False
        told = answer.values.get(b"retry-after", b"") if answer.status in (429, 503) else b""
        pause_s = self._further().pause_s(read_retry_after(told, time.time()) if told else 0.0)  # noqa: TID251 — it may be a date
        if pause_s is None:
            return False
        # With a body yet to come the connection is of no use to anybody.
        self._end_attempt(answer, is_clean=answer.persistent and self.request_done and answer.length == len(rest))
        self._further().again_after(pause_s)
        return True

    def _count_failed_attempt(self, error: ProxyError) -> None:
        """What became of an attempt is counted once: by the status of its answer, if there was one."""
        if self._circuit is not None and self._answer is None:
            assert self.endpoint is not None
            self.endpoint.meter.failed(error.kind)

    def _measure_attempt(self, error: ProxyError | None) -> None:
        """Once for each, when it has ended."""
        assert self.endpoint is not None
        self.attempt_error = kind = error.kind if error is not None else ""
        self.attempt_ended = now = monotonic()
        seconds, traced = now - self.attempt_began, self.trace_id if self.sampled else b""
        self.endpoint.http_meter.done(self.plan.head.method, self.answer_status, kind, seconds, traced, self.span_id)

    def _let_go(self, error: ProxyError) -> None:
        self._count_failed_attempt(error)
        if self._circuit is not None:
            self._measure_attempt(error)
        if self._retries is not None:
            self._retries.cancel()
        self._forget_outbox()
        self._release_endpoint()
        if self.upstream is not None:
            self.upstream.close()
            self.upstream = None
