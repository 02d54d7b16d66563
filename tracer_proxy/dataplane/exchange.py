"""The life of a request, from top to bottom.

    begin           who is asking, where it goes, what it sends
    connect         an endpoint, and a kept connection to it or a new one
    dispatch        the head out, with what has come of the body
    from_client     the body, as it comes
    from_upstream   the answer's head, then its body, as it comes
    finish          both connections go back

and beside it what may go wrong: ``expired``, ``upstream_lost`` and what else is the endpoint's fault may be followed by another
attempt, from ``connect`` on; ``fail`` and ``client_gone`` are the end. What belongs to an attempt alone is in ``attempts.py``.
"""

from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from tracer_proxy.context.trace import TraceContext, external_id, extract, new_trace, ratio_sampled, sampling_hint
from tracer_proxy.dataplane import accounts, departure, tracing
from tracer_proxy.dataplane.attempts import Attempts
from tracer_proxy.dataplane.plan import Plan
from tracer_proxy.dataplane.respond import error_response
from tracer_proxy.dataplane.tunnel import Tunnel
from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.genai.json_body import JsonBody
from tracer_proxy.limits import (
    CLIENT_LOOK_S,
    HELD_BODIES_BYTES_MAX,
    INTERIM_RESPONSES_MAX,
    LOOK_AHEAD_BYTES_MAX,
    SHOWN_PATH_BYTES_MAX,
)
from tracer_proxy.routing.decision import Decision, decide
from tracer_proxy.routing.route import Route, Timeouts
from tracer_proxy.routing.table import Inbound
from tracer_proxy.stitching.turn import Joined
from tracer_proxy.telemetry.catalogue import Shed
from tracer_proxy.telemetry.record import Link, ToolRun
from tracer_proxy.wire.bodies import ChunkedBody, LengthBody, Reframed, UntilCloseBody, answer_body, end_of_chunks, too_large
from tracer_proxy.wire.request import IDEMPOTENT
from tracer_proxy.wire.response import UNTIL_CLOSE, ResponseHead, protocol_was_offered

if TYPE_CHECKING:
    from tracer_proxy.dataplane.downstream import Downstream
    from tracer_proxy.dataplane.upstream import Upstream
    from tracer_proxy.dataplane.witness import Witness

# A member of an enum is looked up through its metaclass, a global of the module is not.
_PARENT = Inbound.PARENT


_NO_LINKS: list[Link] = []


class Exchange(Attempts):
    __slots__ = (
        "_answer_body",
        "_client_stays",
        "_interim_count",
        "_looks_ahead",
        "_patience_ends",
        "_request_body",
        "_said",
        "_upstream_deaf",
        "began",
        "color",
        "context",
        "first_body_s",
        "first_byte_s",
        "head",
        "is_stream",
        "joined",
        "length",
        "links",
        "pieces",
        "received_bytes",
        "sent_bytes",
        "server_span_id",
        "session",
        "table",
        "tools",
        "witness",
    )

    def __init__(self, downstream: "Downstream", plan: Plan) -> None:
        self.downstream = downstream
        self.worker = downstream.worker
        self.plan = plan
        self.head = head = plan.head
        self.length = length = head.length
        self.table = plan.table
        """The table at the start: a reload does not move what is under way."""
        self.decision = self.upstream = self.endpoint = None
        self._circuit = self._retries = self._answer = None
        self.answer_status = 0
        self.past_attempts = ()
        self.peer, self.reused = "", False
        self.request_done = length == 0
        self._request_body: Reframed | None = None
        self._outbox = b""
        self._held_bytes = 0
        self._repeatable = True
        self._looks_ahead = False
        """The body is read before it is decided where it goes."""
        self._said: list[bytes] | None = None
        """The body, bare, as far as it has come; only where it has a say in that."""
        self._patience_ends = 0.0
        """When an upstream that is full has been waited for long enough."""
        self._upstream_deaf = False
        """The upstream has answered with an error before the body ended: the rest of the body is of no use to it."""
        self._answer_body: Reframed | None = None
        self._client_stays = head.persistent
        self._interim_count = 0
        self.first_byte_s: float | None = None
        """From the beginning to the head of the answer."""
        self.first_body_s: float | None = None
        """Of a stream, to the first bytes of its body: agents send the head long before."""
        self.sent_bytes = 0
        self.is_stream = False
        """The answer is a stream of events, or the connection became a tunnel."""
        self.pieces = 0
        """Of a stream, as they went to the client."""
        self.color = b""
        """What the trace has had before, where that is known."""
        self.session = ""
        """What the session is called, where that was found before the ladder is climbed."""
        self.joined: Joined | None = None
        """What its trace was found by, other than headers."""
        self.links: list[Link] = _NO_LINKS
        self.tools: Sequence[ToolRun] = ()
        self.witness: Witness | None = None
        """Reads what passes, where the route is one to a model or a tool."""

    # 1. Who is asking, where it goes, what it sends.

    def begin(self, rest: bytes) -> None:
        """``rest`` is what came behind the head."""
        worker = self.worker
        self.began = monotonic()
        self.received_bytes = 0
        self._read_context()
        if self.request_done and rest:
            self.downstream.give_back(rest)
        try:
            if worker.exchanges_open > worker.settings.exchanges_max:
                worker.shed(Shed.EXCHANGES)
                raise ProxyError(Kind.OVERLOADED, "The proxy has as many requests under way as it may; try again soon.")
            route = self.plan.route
            if route is None:
                raise self._no_route()
            if self.plan.reading is not None:
                self.witness = self.plan.reading.witness(self)
            if not self.request_done:
                if self.plan.needs_body and (self.length is None or self.length <= LOOK_AHEAD_BYTES_MAX):
                    self._said = []
                self._start_body(rest, route)
            if self._said is not None or (self.witness is not None and self.witness.hangs_on_body(self.length)):
                if not self.request_done:
                    self._look_ahead()
                    return
                self._read_ahead()
            self._choose_lane(route)
        except ProxyError as error:
            self.fail(error)
            return
        self._depart()

    def _depart(self) -> None:
        if self.plan.is_last_hop:
            self._answer_in_place()
        else:
            self.connect()

    def _read_context(self) -> None:
        plan, ids, table = self.plan, self.worker.ids, self.table
        self.server_span_id, self.span_id = ids.span(), ids.span()
        fields = plan.trace_fields
        context = extract(fields) if fields else None
        if context is not None and (context.conflicts or table.inbound is not _PARENT):
            context = tracing.by_policy(self, context)
        if context is None:
            context = new_trace(ids.trace(), sampling_hint(fields), external_id(fields)) if fields else new_trace(ids.trace())
        self.take_context(context)
        if plan.run and plan.trusted and context.source == "new":
            tracing.join_run(self)

    def take_context(self, context: TraceContext) -> None:
        """The exchange is part of this trace."""
        self.context = context
        self.trace_id = context.trace_id
        sampled = context.sampled
        if sampled is None or (not self.table.believe_sampled and context.source in tracing.EXPLICIT):
            route = self.plan.route
            threshold = self.table.sample_threshold if route is None else route.sample_threshold
            sampled = ratio_sampled(context.trace_id, threshold)
        self.sampled = sampled

    def _choose_lane(self, route: Route) -> None:
        plan = self.plan
        # A colour that is remembered counts for this exchange alone, so that its decision is not kept for others.
        recalls = self.table.has_colors and not plan.color and self.worker.colors.has_any()
        decision = None if recalls else plan.decision
        if decision is None:
            decision = self._decide(route, partial(tracing.recall, self) if recalls else None)
            varies = recalls or self.table.rules_read_clock or route.split.draining or plan.needs_body
            if decision.is_lasting and not varies:
                plan.decision = decision
        self.decision = decision
        self.lane = decision.lane
        decision.route.budget.requests += 1
        if decision.color and not plan.is_shadow:
            # What a copy's colour is must not become that of the original's next step.
            tracing.remember_color(self, decision)
        if decision.fell_back:
            decision.lane.meter.fallbacks += 1
        if route.split.notes_sessions:
            tracing.note_session(self, decision)

    def _decide(self, route: Route, recall: Callable[[bytes], tuple[bytes, bool]] | None) -> Decision:
        asking = self.plan.asking
        asking.earlier = self.session.encode() if self.session else b""
        if self.table.rules_read_clock:
            asking.now = self.began + self.worker.clock.unix_offset
        has_served = partial(tracing.has_served, self, route) if route.split.draining else None
        decision = decide(self.table, route, asking, self.context, self.plan.color, recall, has_served)
        asking.body = None
        return decision

    def _no_route(self) -> ProxyError:
        asked = f"{self.head.method.decode()} {self.head.path[:SHOWN_PATH_BYTES_MAX].decode()}"
        return ProxyError(Kind.NO_ROUTE, f"No route matches {asked}; `tracer-proxy explain` shows what was tried.")

    def _start_body(self, rest: bytes, route: Route) -> None:
        length = self.length
        self.received_bytes = len(rest)
        allowed = route.request_body_max
        if length is None:
            chunks = ChunkedBody(Kind.MALFORMED, self.table.request_fields, allowed)
            self._request_body = Reframed(chunks, chunked=True)
        elif allowed is not None and length > allowed:
            raise too_large(allowed)
        elif length == len(rest):
            # Most requests come in one piece.
            self._outbox = rest
            self.request_done = True
            if self._said is not None:
                self._said.append(rest)
            if self.witness is not None:
                self.witness.request(rest)
            return
        else:
            self._request_body = Reframed(LengthBody(length), chunked=False)
        if rest:
            self._outbox = self._read_body(rest)

    def _look_ahead(self) -> None:
        """Where the exchange goes, or which trace it is in, may hang on its body, which is not there yet."""
        self._looks_ahead = True
        self._hold_outbox()
        self.downstream.deadline = self.worker.clock.now + self._timeouts.idle

    def _looked_ahead(self) -> None:
        """The body is there, or too long to wait for."""
        self._looks_ahead = False
        assert self.plan.route is not None
        if self.request_done:
            self._read_ahead()
        self._said = None
        self._choose_lane(self.plan.route)
        self._depart()

    def _read_ahead(self) -> None:
        """All of the body is there, and nothing has gone on."""
        if self._said is not None:
            self.plan.asking.body = JsonBody(b"".join(self._said))
            self._said = None
        if self.witness is not None:
            self.witness.find_trace()

    @property
    def _timeouts(self) -> Timeouts:
        assert self.plan.route is not None
        return self.plan.route.timeouts

    # 2. An endpoint, and a connection to it: ``attempts.py``. Each attempt comes back to the next step.

    # 3. The head out, and what has come of the body, in one write.

    def _dispatch(self, upstream: "Upstream") -> None:
        self.upstream = upstream
        upstream.exchange = self
        assert upstream.transport is not None
        assert self.decision is not None
        outbox, retries = self._outbox, self.decision.route.retries
        harmless = self.head.method in IDEMPOTENT or retries.non_idempotent
        if harmless and (upstream.reused or retries.repeats_sent):
            if retries.per_try is not None:
                self._further()
            if outbox:
                self._hold_outbox()
        elif self._held_bytes:
            self._forget_outbox()
        else:
            self._repeatable = False
            self._outbox = b""
        # Before the write, for that may fill the upstream, which has the client looked at now and then.
        self._await_upstream()
        self.peer, self.reused = upstream.peer, upstream.reused
        if self.witness is not None:
            outbox = self.witness.outgoing(outbox)
        self.sent_at = monotonic()
        upstream.transport.write(departure.request(self, outbox))
        if self.downstream.is_held_up:
            self.downstream.regulate()

    # 4. The body, as it comes.

    def from_client(self, data: bytes) -> None:
        self.received_bytes += len(data)
        try:
            framed = self._read_body(data)
            if self._looks_ahead:
                self._outbox += framed
                is_long = self.received_bytes > LOOK_AHEAD_BYTES_MAX
                if self.request_done or is_long or self.worker.held_bytes > HELD_BODIES_BYTES_MAX:
                    self._looked_ahead()
                else:
                    self._look_ahead()
                return
        except ProxyError as error:
            self.fail(error)
            return
        if self._upstream_deaf:
            return
        if self._repeatable:
            self._outbox += framed
            self._hold_outbox()
        if self.upstream is None:
            return
        self._await_upstream()
        if framed:
            assert self.upstream.transport is not None
            self.upstream.transport.write(framed)

    def _read_body(self, data: bytes) -> bytes:
        """The body bytes in ``data``, framed for the upstream."""
        body = self._request_body
        assert body is not None
        framed = body.feed(data)
        if self._said is not None:
            self._said.append(body.payload)
        if self.witness is not None:
            self.witness.request(body.payload)
        if body.reader.done:
            self.request_done = True
            if body.reader.rest:
                self.downstream.give_back(body.reader.rest)
        return framed

    def _await_upstream(self) -> None:
        timeouts = self._timeouts
        if not self.request_done or self._answer is not None:
            wait = timeouts.idle
        elif self._retries is None or not self._repeatable:
            wait = timeouts.first_byte
        else:
            wait = self._retries.per_try_s or timeouts.first_byte
        self.downstream.deadline = self.worker.clock.now + wait

    # 5. The answer: its head, then its body, as it comes.

    def from_upstream(self, data: bytes) -> None:
        try:
            if self._answer is None:
                self._read_answer(data)
            else:
                self._relay_answer(data)
        except ProxyError as error:
            self._attempt_failed(error)

    def _read_answer(self, data: bytes) -> None:
        assert self.upstream is not None
        while True:
            found = self.upstream.read_answer(data, self.table.response_fields, self.head.method)
            if found is None:
                return
            answer, data = found
            if answer.status >= 200:
                self._start_answer(answer, data)
                return
            if answer.status == 101:
                self._switch_protocols(answer, data)
                return
            self._pass_interim(answer)
            if not data:
                return

    def _pass_interim(self, answer: ResponseHead) -> None:
        self._interim_count += 1
        if self._interim_count > INTERIM_RESPONSES_MAX:
            raise ProxyError(Kind.UPSTREAM_BROKEN, "The upstream sends interim responses without end.")
        if self.head.version_1_1:
            self._forget_outbox()
            self.downstream.transport.write(departure.interim_head(answer))
        self._await_upstream()

    def _start_answer(self, answer: ResponseHead, rest: bytes) -> None:
        self._answer_begins(answer)
        if answer.status >= 400 and self._repeatable and self._pass_over(answer, rest):
            return
        stays = self.head.persistent and self.request_done and not self.worker.leaving
        witness = self.witness
        if witness is not None:
            witness.answer_begins(answer)
        if answer.length == len(rest) and self.request_done:
            # Most answers that are not streamed come in one piece.
            self._answer, self._client_stays = answer, stays
            self.sent_bytes = len(rest)
            self.downstream.transport.write(departure.response(self, answer, rest, stays=stays, chunked=False))
            if witness is not None:
                witness.answer(rest)
            self._finish()
            return
        # Chunks let a client of HTTP/1.1 tell a complete answer from one that broke off; to HTTP/1.0 only a close does.
        endless = answer.length is None or answer.length == UNTIL_CLOSE
        body = Reframed(answer_body(answer, self.table.response_fields), chunked=endless and self.head.version_1_1)
        # Read before the head goes out: of a body that is broken at once the client can still be told.
        framed = body.feed(rest)
        self._forget_outbox()
        self._answer, self._answer_body = answer, body
        self.sent_bytes = len(framed)
        self._client_stays = stays and (body.chunked or not endless)
        self._upstream_deaf = answer.status >= 400 and not self.request_done
        self.is_stream = answer.values.get(b"content-type", b"").startswith(b"text/event-stream")
        if self.is_stream:
            self.worker.meters.worker.streams_open += 1
        self._pass_answer(departure.response(self, answer, framed, stays=self._client_stays, chunked=body.chunked))

    def _answer_begins(self, answer: ResponseHead) -> None:
        now = monotonic()
        self.answer_s = now - self.sent_at
        self.answer_status = answer.status
        self.first_byte_s = now - self.began
        assert self.endpoint is not None
        self.endpoint.meter.answered(answer.status)

    def _relay_answer(self, data: bytes) -> None:
        assert self._answer_body is not None
        framed = self._answer_body.feed(data)
        self.sent_bytes += len(framed)
        self._pass_answer(framed)

    def _pass_answer(self, out: bytes) -> None:
        body = self._answer_body
        assert body is not None
        if out:
            self.downstream.transport.write(out)
            self.pieces += 1
        if self.is_stream and self.first_body_s is None and body.payload:
            self.first_body_s = monotonic() - self.began
        if self.witness is not None and body.payload:
            self.witness.answer(body.payload)
        if body.reader.done:
            self._finish()
        else:
            self._await_upstream()

    def _switch_protocols(self, answer: ResponseHead, rest: bytes) -> None:
        """RFC 9110 7.8: only to what was offered. From here on nobody reads what passes."""
        upgrade = answer.values.get(b"upgrade", b"")
        if not protocol_was_offered(self.head.upgrade, upgrade):
            raise ProxyError(Kind.UPSTREAM_BROKEN, "The upstream switches to a protocol that was not asked for.")
        upstream, downstream, decision = self.upstream, self.downstream, self.decision
        assert upstream is not None
        assert decision is not None
        downstream.transport.write(departure.switching_head(self, answer, upgrade) + rest)
        downstream.leave_exchange()
        self._forget_outbox()
        assert self.endpoint is not None
        self._answer_begins(answer)
        self.is_stream = True
        accounts.count(self, answer.status, monotonic())
        self.worker.meters.worker.tunnels_opened += 1
        self.lane.pool.succeeded(self.endpoint, self.answer_s, self.worker.clock.now)
        Tunnel.between(downstream, upstream, decision.route.timeouts.tunnel, self._tunnel_closed)

    def _tunnel_closed(self, tunnel: Tunnel) -> None:
        """Until here it counts at its endpoint, and its connection at the pool; and only now there is a whole to record."""
        assert self.upstream is not None
        self.upstream.leave_circuit()
        self._measure_attempt(None)
        self._release_endpoint()
        near, far = tunnel.ends
        self.received_bytes, self.sent_bytes, self.pieces = near.passed_bytes, far.passed_bytes, far.pieces
        accounts.record(self, 101, None, self.attempt_ended)

    def _answer_in_place(self) -> None:
        """RFC 9110 7.6.2: with Max-Forwards at 0 the request ends here."""
        status = 204 if self.head.method == b"OPTIONS" else 405
        accounts.settle(self, status, status, None, monotonic())
        self.downstream.transport.write(departure.last_hop_response(self.head, self.trace_id))
        self.downstream.exchange_done(keep=False, request_done=self.request_done)

    # 6. Both connections go back.

    def _finish(self) -> None:
        answer, body = self._answer, self._answer_body
        assert answer is not None
        surplus = body is not None and body.reader.rest
        # An upstream that was not sent the whole body would take the next request for the rest of it.
        self._end_attempt(answer, is_clean=answer.persistent and self.request_done and not self._upstream_deaf and not surplus)
        accounts.settle(self, answer.status, answer.status, None, self.attempt_ended)
        if self._held_bytes:
            self._forget_outbox()
        self.downstream.exchange_done(keep=self._client_stays, request_done=self.request_done)

    # Back-pressure: whoever is full stops the other side from being read.

    @property
    def takes_body(self) -> bool:
        return self._looks_ahead or (self.upstream is not None and not self.upstream.is_full)

    def client_is_full(self) -> None:
        if self.upstream is not None and self.upstream.transport is not None:
            self.upstream.transport.pause_reading()

    def client_drained(self) -> None:
        if self.upstream is not None and self.upstream.transport is not None:
            self.upstream.transport.resume_reading()
            self._await_upstream()

    def upstream_is_full(self) -> None:
        if not self.request_done:
            self.downstream.regulate()
            self._patience_ends = self.downstream.deadline
            self._look_again()

    def upstream_drained(self) -> None:
        self.downstream.regulate()
        self._await_upstream()

    # What may go wrong.

    def fail(self, error: ProxyError) -> None:
        """Answers with the error, or breaks off an answer that has begun."""
        self.worker.failed(error, accounts.details(self))
        self._let_go(error)
        accounts.settle(self, error.status, error.status if self._answer is None else self._answer.status, error, monotonic())
        downstream = self.downstream
        if self._answer is not None:
            endless = self._answer.length in (None, UNTIL_CLOSE)
            unframed = endless and self._answer_body is not None and not self._answer_body.chunked
            downstream.break_off(reset=unframed or downstream.is_full)
            return
        keep = self.head.persistent and self.request_done
        api = self.plan.route.llm_api if self.plan.route is not None else ""
        with_body = self.head.method != b"HEAD"
        downstream.transport.write(error_response(error, self.trace_id, api, with_body=with_body, keep=keep))
        downstream.exchange_done(keep=keep, request_done=self.request_done)

    def expired(self) -> None:
        """A limit of the route has passed. Whoever holds things up is to blame."""
        downstream = self.downstream
        client_waits = not self.request_done and not downstream.transport.is_reading()
        if client_waits and self.worker.clock.now < self._patience_ends:
            if downstream.has_left():
                downstream.transport.abort()
            else:
                self._look_again()
        elif downstream.is_full:
            if downstream.takes_bytes():
                self._await_upstream()
            else:
                self.fail(ProxyError(Kind.CLIENT_GONE, "The client stopped reading."))
        elif self._answer is not None:
            self._attempt_failed(ProxyError(Kind.IDLE_TIMEOUT, "The upstream stopped sending in the middle of its answer."))
        elif self.request_done:
            self._attempt_failed(ProxyError(Kind.FIRST_BYTE_TIMEOUT, "The upstream did not begin to answer in time."))
        elif not client_waits:
            self.fail(ProxyError(Kind.SLOW_REQUEST, "The request body stopped coming."))
        else:
            self._attempt_failed(ProxyError(Kind.IDLE_TIMEOUT, "The upstream stopped reading the request."))

    def _look_again(self) -> None:
        """The client is not read, so that its leaving would not be heard of; then somebody has to look."""
        self.downstream.deadline = min(self._patience_ends, self.worker.clock.now + CLIENT_LOOK_S)

    def client_gone(self) -> None:
        """The upstream is closed at once: nobody waits for what it would still generate."""
        gone = ProxyError(Kind.CLIENT_GONE, "The client closed the connection.")
        self.worker.failed(gone, accounts.details(self))
        self._let_go(gone)
        accounts.settle(self, gone.status, gone.status if self._answer is None else self._answer.status, gone, monotonic())

    def upstream_ended(self) -> None:
        """The upstream has closed its side in good order: that completes a body which says so."""
        body = self._answer_body
        if body is not None and isinstance(body.reader, UntilCloseBody):
            body.reader.done = True
            body.payload = b""
            self._pass_answer(end_of_chunks(b"") if body.chunked else b"")
