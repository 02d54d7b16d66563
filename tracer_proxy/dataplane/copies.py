"""Copies of requests on their way to a shadow lane, and their answers, which nobody waits for.

A copy acts as the exchange of its upstream connection. It takes connections and places of the pool as any exchange does, but it
has one attempt only, and a bound on everything: how many there are, how long they take, how much they are told. Where one is
reached, the copy is given up and counted. Nothing of it reaches the original.
"""

from time import monotonic
from typing import TYPE_CHECKING

from tracer_proxy.dataplane import departure
from tracer_proxy.dataplane.clock import NEVER
from tracer_proxy.dataplane.model_witness import ModelReading
from tracer_proxy.dataplane.tasks import spawn
from tracer_proxy.errors import Kind, ProxyError, Side
from tracer_proxy.genai.answers import AnswerReader
from tracer_proxy.limits import INTERIM_RESPONSES_MAX, MIRROR_ANSWER_BYTES_MAX, MIRROR_COPIES_MAX
from tracer_proxy.routing.circuit import Circuit
from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.mirror import Mirror
from tracer_proxy.routing.route import Timeouts
from tracer_proxy.telemetry.catalogue import NotMirrored
from tracer_proxy.wire.bodies import BodyReader, UntilCloseBody, answer_body
from tracer_proxy.wire.response import ResponseHead

if TYPE_CHECKING:
    from tracer_proxy.dataplane.mirror import MirroredExchange
    from tracer_proxy.dataplane.upstream import Upstream

TIMEOUT, ANSWER_TOO_LARGE = "timeout", "answer_too_large"
"""Why a copy was given up, where its endpoint is not to blame."""


class Copies:
    """A worker's: those under way, and how much is kept of requests for their sake."""

    def __init__(self) -> None:
        self.under_way: set[Copy] = set()
        self.held_bytes = 0

    def close(self) -> None:
        for copy in list(self.under_way):
            copy.give_up(Kind.DRAINING)


class Copy:
    """The one copy of an exchange, which hears of its end."""

    __slots__ = (
        "_answer",
        "_body",
        "_circuit",
        "_interim_count",
        "_mirror",
        "_original",
        "_request",
        "_until",
        "answer_bytes",
        "answer_s",
        "answer_status",
        "attempt_began",
        "attempt_ended",
        "attempt_error",
        "deadline",
        "endpoint",
        "lane",
        "outcome",
        "peer",
        "reader",
        "reused",
        "sent_at",
        "span_id",
        "upstream",
        "worker",
    )

    def __init__(self, original: "MirroredExchange", mirror: Mirror) -> None:
        self._original, self._mirror = original, mirror
        self.worker, self.lane = original.worker, mirror.lane
        self.span_id = original.worker.ids.span()
        self.endpoint: Endpoint | None = None
        self.upstream: Upstream | None = None
        self._circuit: Circuit | None = None
        self._request = b""
        self._answer: ResponseHead | None = None
        self._body: BodyReader | None = None
        self.reader: AnswerReader | None = None
        """Of a model's answer, where answers are compared."""
        self._interim_count = 0
        self.deadline = self._until = NEVER
        self.peer, self.reused = "", False
        self.answer_status = self.answer_bytes = 0
        self.answer_s = self.sent_at = self.attempt_began = self.attempt_ended = 0.0
        self.attempt_error = ""
        self.outcome = ""
        """The status of an answer that is whole, else what kept it from being so; empty while the copy is under way."""

    # 1. An endpoint, and a connection to it.

    def begin(self, length: int | None, body: bytes) -> NotMirrored | None:
        """Why it may not be; ``None`` when it is under way. ``body`` is framed, ``length`` is that of the client's head."""
        original, worker, pool = self._original, self.worker, self.lane.pool
        circuit, limits = pool.circuit, pool.circuit.limits
        if len(worker.copies.under_way) >= MIRROR_COPIES_MAX:
            return NotMirrored.BUSY
        if circuit.requests >= limits.requests:
            return NotMirrored.POOL_FULL
        assert original.decision is not None
        endpoint = pool.pick(worker.dice, original.decision.session_key)
        if endpoint is None:
            return NotMirrored.NO_ENDPOINT
        upstream = worker.connections.take(endpoint)
        if upstream is None and (circuit.pending >= limits.pending or circuit.lacks_room):
            return NotMirrored.POOL_FULL
        self._request = departure.copy(original, self.lane, endpoint, self.span_id, length, body)
        self.endpoint, self._circuit = endpoint, circuit
        self.attempt_began = monotonic()
        endpoint.pending += 1
        circuit.requests += 1
        worker.copies.under_way.add(self)
        if upstream is None:
            circuit.pending += 1
            spawn(self._dial(endpoint, circuit), f"dial {endpoint} for a copy")
        else:
            endpoint.meter.connections_reused += 1
            try:
                self._send(upstream)
            except Exception as bug:
                self._tell(bug)
        return None

    async def _dial(self, endpoint: Endpoint, circuit: Circuit) -> None:
        try:
            try:
                upstream = await self.worker.connections.dial(endpoint, self._timeouts.connect)
            finally:
                circuit.pending -= 1
            upstream.join_circuit(circuit)
            endpoint.meter.connections_opened += 1
            if self.outcome:
                self.worker.connections.keep(upstream, self.lane.pool.idle_s)
            elif upstream.transport is None or upstream.transport.is_closing():
                self.upstream_lost()
            else:
                self._send(upstream)
        except ProxyError as error:
            self._fail(error)
        except Exception as bug:
            self._tell(bug)

    def _send(self, upstream: "Upstream") -> None:
        worker = self.worker
        self.upstream = upstream
        upstream.exchange = self
        self.peer, self.reused = upstream.peer, upstream.reused
        self._until = worker.clock.now + self._mirror.timeout
        self._wait(self._timeouts.first_byte)
        worker.clock.waiting.add(self)
        request, self._request = self._request, b""
        self.sent_at = monotonic()
        assert upstream.transport is not None
        upstream.transport.write(request)

    @property
    def _timeouts(self) -> Timeouts:
        assert self._original.decision is not None
        return self._original.decision.route.timeouts

    def _wait(self, seconds: float) -> None:
        self.deadline = min(self.worker.clock.now + seconds, self._until)

    # 2. The answer, as it comes.

    def from_upstream(self, data: bytes) -> None:
        try:
            self._read(data)
        except ProxyError as error:
            self._fail(error)
        except Exception as bug:
            self._tell(bug)

    def _read(self, data: bytes) -> None:
        assert self.upstream is not None
        fields, method = self._original.table.response_fields, self._original.head.method
        while self._body is None:
            found = self.upstream.read_answer(data, fields, method)
            if found is None:
                return
            answer, data = found
            if answer.status >= 200:
                self._answer_begins(answer)
                self._body = answer_body(answer, fields)
            elif answer.status == 101:
                raise ProxyError(Kind.UPSTREAM_BROKEN, "The upstream switches to a protocol that was not asked for.")
            else:
                self._count_interim()
                if not data:
                    return
        self._read_body(self._body, data)

    def _count_interim(self) -> None:
        self._interim_count += 1
        if self._interim_count > INTERIM_RESPONSES_MAX:
            raise ProxyError(Kind.UPSTREAM_BROKEN, "The upstream sends interim responses without end.")
        self._wait(self._timeouts.first_byte)

    def _answer_begins(self, answer: ResponseHead) -> None:
        assert self.endpoint is not None
        self._answer = answer
        self.answer_s = monotonic() - self.sent_at
        self.answer_status = answer.status
        self.endpoint.meter.answered(answer.status)
        reading = self._original.plan.reading
        if self._mirror.compare and isinstance(reading, ModelReading):
            self.reader = AnswerReader(
                reading.unread.api,
                status=answer.status,
                content_type=answer.values.get(b"content-type", b""),
                content_encoding=answer.values.get(b"content-encoding", b""),
                prefix=b"",
            )

    def _read_body(self, body: BodyReader, data: bytes) -> None:
        payload = body.feed(data)
        self.answer_bytes += len(payload)
        if self.reader is not None and payload:
            self.reader.feed(payload, monotonic())
        if body.done:
            self._answered(body)
        elif self.answer_bytes > MIRROR_ANSWER_BYTES_MAX:
            self.give_up(ANSWER_TOO_LARGE)
        else:
            self._wait(self._timeouts.idle)

    def upstream_ended(self) -> None:
        """That completes a body which says so."""
        if isinstance(self._body, UntilCloseBody):
            self._answered(self._body)

    # 3. The end.

    def _answered(self, body: BodyReader) -> None:
        answer, pool, now = self._answer, self.lane.pool, self.worker.clock.now
        assert answer is not None
        assert self.endpoint is not None
        if answer.status in pool.failure_statuses:
            pool.failed(self.endpoint, now)
        else:
            pool.succeeded(self.endpoint, self.answer_s, now)
        self._end(str(answer.status), is_clean=answer.persistent and body.done and not body.rest)

    def _fail(self, error: ProxyError) -> None:
        if error.side is Side.UPSTREAM and self.endpoint is not None and not self.outcome:
            self.lane.pool.failed(self.endpoint, self.worker.clock.now)
        self.give_up(error.kind)

    def give_up(self, why: str) -> None:
        """``why`` is a kind of error, or one of the reasons above."""
        if self.outcome:
            return
        self.attempt_error = why
        if self._answer is None and self.endpoint is not None:
            self.endpoint.meter.failed(why if isinstance(why, Kind) else Kind.CLIENT_GONE)
        self._end(why, is_clean=False)

    def _end(self, outcome: str, *, is_clean: bool) -> None:
        worker, upstream, endpoint = self.worker, self.upstream, self.endpoint
        self.outcome, self.attempt_ended = outcome, monotonic()
        worker.copies.under_way.discard(self)
        worker.clock.waiting.discard(self)
        self._request = b""
        if self._circuit is not None and endpoint is not None:
            self._measure(endpoint)
            endpoint.pending -= 1
            self._circuit.requests -= 1
            self._circuit = None
        if upstream is not None:
            self.upstream = None
            if is_clean:
                worker.connections.keep(upstream, self.lane.pool.idle_s)
            else:
                upstream.close()
        self._original.copy_ended()

    def _measure(self, endpoint: Endpoint) -> None:
        """As an attempt at its endpoint it is one like any other."""
        original, seconds = self._original, self.attempt_ended - self.attempt_began
        traced = original.trace_id if original.sampled else b""
        status, error = self.answer_status, self.attempt_error
        endpoint.http_meter.done(original.head.method, status, error, seconds, traced, self.span_id)

    def upstream_lost(self, reason: str = "") -> None:
        self._fail(ProxyError(Kind.UPSTREAM_CLOSED, "The upstream closed the connection before its answer was whole."))

    def expired(self) -> None:
        if self.worker.clock.now >= self._until:
            self.give_up(TIMEOUT)
        elif self._answer is None:
            self._fail(ProxyError(Kind.FIRST_BYTE_TIMEOUT, "The upstream did not begin to answer in time."))
        else:
            self._fail(ProxyError(Kind.IDLE_TIMEOUT, "The upstream stopped sending in the middle of its answer."))

    def _tell(self, bug: Exception) -> None:
        """Whatever it is, it must not cost more than the copy."""
        self.worker.loop.call_exception_handler({"message": "a copy failed", "exception": bug})
        self.give_up(Kind.INTERNAL)

    # An endpoint that reads slowly holds up its copy alone: what is sent was bounded before.

    def upstream_is_full(self) -> None:
        pass

    def upstream_drained(self) -> None:
        pass
