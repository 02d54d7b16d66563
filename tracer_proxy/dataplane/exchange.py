"""The life of a request, from top to bottom.

    begin           who is asking, where it goes, what it sends
    connect         a kept connection, or a new one
    dispatch        the head out, with what has come of the body
    from_client     the body, as it comes
    from_upstream   the answer's head, then its body, as it comes
    finish          both connections go back

and beside it what may go wrong: ``fail``, ``expired``, ``client_gone``, ``upstream_lost``.
"""

from typing import TYPE_CHECKING

from tracer_proxy.context.trace import external_id, extract, new_trace, ratio_sampled, sampling_hint
from tracer_proxy.dataplane import departure
from tracer_proxy.dataplane.clock import NEVER
from tracer_proxy.dataplane.plan import Plan
from tracer_proxy.dataplane.respond import error_response
from tracer_proxy.dataplane.tasks import spawn
from tracer_proxy.dataplane.tunnel import Tunnel
from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import INTERIM_RESPONSES_MAX, REPLAY_BYTES_MAX, SHOWN_PATH_BYTES_MAX
from tracer_proxy.routing.decision import Decision, decide
from tracer_proxy.routing.pool import Endpoint
from tracer_proxy.wire.bodies import BodyReader, ChunkedBody, LengthBody, Reframed, UntilCloseBody, end_of_chunks, too_large
from tracer_proxy.wire.request import IDEMPOTENT
from tracer_proxy.wire.response import UNTIL_CLOSE, ResponseHead, protocol_was_offered

if TYPE_CHECKING:
    from tracer_proxy.dataplane.downstream import Downstream
    from tracer_proxy.dataplane.upstream import Upstream


class Exchange:
    __slots__ = (
        "_answer",
        "_answer_body",
        "_client_stays",
        "_interim_count",
        "_outbox",
        "_replayable",
        "_request_body",
        "_stale_retries",
        "_upstream_deaf",
        "context",
        "decision",
        "downstream",
        "endpoint",
        "head",
        "length",
        "plan",
        "request_done",
        "sampled",
        "span_id",
        "table",
        "trace_id",
        "upstream",
        "worker",
    )

    def __init__(self, downstream: "Downstream", plan: Plan) -> None:
        self.downstream = downstream
        self.worker = downstream.worker
        self.plan = plan
        self.head = head = plan.head
        self.length = length = head.length
        self.table = plan.table
        """The table at the start: a reload does not move what is under way."""
        self.upstream: Upstream | None = None
        self.endpoint: Endpoint | None = None
        self.decision: Decision | None = None
        self.request_done = length == 0
        self._request_body: Reframed | None = None
        self._outbox = b""
        """Body bytes, framed for the upstream, that wait for a connection or may have to be sent again."""
        self._replayable = head.method in IDEMPOTENT
        self._stale_retries = 0
        self._upstream_deaf = False
        """The upstream has answered with an error before the body ended: the rest of the body is of no use to it."""
        self._answer: ResponseHead | None = None
        self._answer_body: Reframed | None = None
        self._client_stays = head.persistent
        self._interim_count = 0

    # 1. Who is asking, where it goes, what it sends.

    def begin(self, rest: bytes) -> None:
        """``rest`` is what came behind the head."""
        self.worker.exchanges += 1
        self._join_trace()
        if self.request_done and rest:
            self.downstream.give_back(rest)
        try:
            self._choose_lane()
            if not self.request_done:
                self._start_body(rest)
        except ProxyError as error:
            self.fail(error)
            return
        if self.plan.is_last_hop:
            self._answer_in_place()
        else:
            self._connect()

    def _join_trace(self) -> None:
        fields = self.plan.trace_fields
        ids = self.worker.ids
        context = extract(fields) if fields else None
        if context is None:
            context = new_trace(ids.trace(), sampling_hint(fields), external_id(fields)) if fields else new_trace(ids.trace())
        self.context = context
        self.trace_id = context.trace_id
        self.span_id = ids.span()
        sampled = context.sampled
        self.sampled = ratio_sampled(context.trace_id, self.table.sample_threshold) if sampled is None else sampled

    def _choose_lane(self) -> None:
        plan = self.plan
        decision = plan.decision
        if decision is None:
            if plan.route is None:
                raise self._no_route()
            decision = decide(self.table, plan.route, plan.head, self.context, plan.baggage, plan.color)
            if not decision.hangs_on_trace:
                plan.decision = decision
        self.decision = decision
        self.endpoint = endpoint = decision.lane.pool.pick(self.worker.dice)
        endpoint.pending += 1

    def _no_route(self) -> ProxyError:
        asked = f"{self.head.method.decode()} {self.head.path[:SHOWN_PATH_BYTES_MAX].decode()}"
        return ProxyError(Kind.NO_ROUTE, f"No route matches {asked}; `tracer-proxy explain` shows what was tried.")

    def _start_body(self, rest: bytes) -> None:
        assert self.decision is not None
        length = self.length
        allowed = self.decision.route.request_body_max
        if length is None:
            chunks = ChunkedBody(Kind.MALFORMED, self.table.request_fields, allowed)
            self._request_body = Reframed(chunks, chunked=True)
        elif allowed is not None and length > allowed:
            raise too_large(allowed)
        elif length == len(rest):
            # Most requests come in one piece.
            self._outbox = rest
            self.request_done = True
            return
        else:
            self._request_body = Reframed(LengthBody(length), chunked=False)
        if rest:
            self._outbox = self._read_body(rest)

    # 2. A connection: a kept one if there is one.

    def _connect(self) -> None:
        assert self.endpoint is not None
        upstream = self.worker.connections.take(self.endpoint)
        if upstream is not None:
            self._dispatch(upstream)
        else:
            self._dial(self.endpoint)

    def _dial(self, endpoint: Endpoint) -> None:
        self.downstream.deadline = NEVER
        if not self.request_done:
            self.downstream.transport.pause_reading()
        spawn(self._dial_and_dispatch(endpoint), f"dial {endpoint}")

    async def _dial_and_dispatch(self, endpoint: Endpoint) -> None:
        error: ProxyError
        try:
            assert self.decision is not None
            upstream = await self.worker.connections.dial(endpoint, self.decision.route.timeouts.connect)
            self._dialled(upstream, self.decision.lane.pool.idle_s)
            return
        except ProxyError as failure:
            error = failure
        except Exception as bug:
            self.worker.loop.call_exception_handler({"message": f"dialling {endpoint} failed", "exception": bug})
            error = ProxyError(Kind.INTERNAL, "The proxy failed to pass the request on; its log says why.")
        if self.downstream.exchange is self:
            self.fail(error)

    def _dialled(self, upstream: "Upstream", idle_s: float) -> None:
        if self.downstream.exchange is not self:
            # The client left meanwhile; the connection is good for the next one.
            self.worker.connections.keep(upstream, idle_s)
        elif upstream.transport is None or upstream.transport.is_closing():
            # Accepted and closed before this task ran again: nobody would ever tell this exchange.
            self.upstream_lost()
        else:
            # Read on before the dispatch, for that may fill the upstream and so stop the client again.
            self.downstream.transport.resume_reading()
            self._dispatch(upstream)

    # 3. The head out, and what has come of the body, in one write.

    def _dispatch(self, upstream: "Upstream") -> None:
        self.upstream = upstream
        upstream.exchange = self
        transport = upstream.transport
        assert transport is not None
        transport.write(departure.request(self, self._outbox))
        if not (self._replayable and upstream.reused):
            self._replayable = False
            self._outbox = b""
        self._await_upstream()

    # 4. The body, as it comes.

    def from_client(self, data: bytes) -> None:
        try:
            framed = self._read_body(data)
        except ProxyError as error:
            self.fail(error)
            return
        if self._upstream_deaf:
            return
        if self.upstream is None:
            self._outbox += framed
            return
        if framed:
            assert self.upstream.transport is not None
            self.upstream.transport.write(framed)
        if self._replayable:
            self._outbox += framed
            if len(self._outbox) > REPLAY_BYTES_MAX:
                self._replayable = False
                self._outbox = b""
        self._await_upstream()

    def _read_body(self, data: bytes) -> bytes:
        """The body bytes in ``data``, framed for the upstream."""
        body = self._request_body
        assert body is not None
        framed = body.feed(data)
        if body.reader.done:
            self.request_done = True
            if body.reader.rest:
                self.downstream.give_back(body.reader.rest)
        return framed

    def _await_upstream(self) -> None:
        assert self.decision is not None
        timeouts = self.decision.route.timeouts
        wait = timeouts.first_byte if self.request_done and self._answer is None else timeouts.idle
        self.downstream.deadline = self.worker.clock.now + wait

    # 5. The answer: its head, then its body, as it comes.

    def from_upstream(self, data: bytes) -> None:
        try:
            if self._answer is None:
                self._read_answer(data)
            else:
                self._relay_answer(data)
        except ProxyError as error:
            self.fail(error)

    def _read_answer(self, data: bytes) -> None:
        assert self.upstream is not None
        self._replayable = False
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
            self.downstream.transport.write(departure.interim_head(answer))
        self._await_upstream()

    def _start_answer(self, answer: ResponseHead, rest: bytes) -> None:
        stays = self.head.persistent and self.request_done and not self.worker.leaving
        if answer.length == len(rest) and self.request_done:
            # Most answers that are not streamed come in one piece.
            self._answer, self._client_stays = answer, stays
            self.downstream.transport.write(departure.response(self, answer, rest, stays=stays, chunked=False))
            self._finish()
            return
        # Chunks let a client of HTTP/1.1 tell a complete answer from one that broke off; to HTTP/1.0 only a close does.
        endless = answer.length is None or answer.length == UNTIL_CLOSE
        body = Reframed(self._reader_of(answer), chunked=endless and self.head.version_1_1)
        # Read before the head goes out: of a body that is broken at once the client can still be told.
        framed = body.feed(rest)
        self._answer, self._answer_body = answer, body
        self._client_stays = stays and (body.chunked or not endless)
        self._upstream_deaf = answer.status >= 400 and not self.request_done
        self._pass_answer(departure.response(self, answer, framed, stays=self._client_stays, chunked=body.chunked))

    def _reader_of(self, answer: ResponseHead) -> BodyReader:
        if answer.length is None:
            return ChunkedBody(Kind.UPSTREAM_BROKEN, self.table.response_fields)
        return UntilCloseBody() if answer.length == UNTIL_CLOSE else LengthBody(answer.length)

    def _relay_answer(self, data: bytes) -> None:
        assert self._answer_body is not None
        self._pass_answer(self._answer_body.feed(data))

    def _pass_answer(self, out: bytes) -> None:
        assert self._answer_body is not None
        if out:
            self.downstream.transport.write(out)
        if self._answer_body.reader.done:
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
        downstream.exchange = None
        # The tunnel counts as pending at its endpoint until it closes.
        Tunnel.between(downstream, upstream, decision.route.timeouts.tunnel, self._release_endpoint)

    def _answer_in_place(self) -> None:
        """RFC 9110 7.6.2: with Max-Forwards at 0 the request ends here."""
        self._release_endpoint()
        self.downstream.transport.write(departure.last_hop_response(self.head, self.trace_id))
        self.downstream.exchange_done(keep=False, request_done=self.request_done)

    # 6. Both connections go back.

    def _finish(self) -> None:
        answer, upstream, body, decision = self._answer, self.upstream, self._answer_body, self.decision
        assert answer is not None
        assert upstream is not None
        assert decision is not None
        self._release_endpoint()
        self.upstream = None
        surplus = body is not None and body.reader.rest
        # An upstream that was not sent the whole body would take the next request for the rest of it.
        if answer.persistent and self.request_done and not self._upstream_deaf and not surplus:
            self.worker.connections.keep(upstream, decision.lane.pool.idle_s)
        else:
            upstream.close()
        self.downstream.exchange_done(keep=self._client_stays, request_done=self.request_done)

    def _release_endpoint(self) -> None:
        if self.endpoint is not None:
            self.endpoint.pending -= 1
            self.endpoint = None

    # Back-pressure: whoever is full stops the other side from being read.

    def client_is_full(self) -> None:
        if self.upstream is not None and self.upstream.transport is not None:
            self.upstream.transport.pause_reading()

    def client_drained(self) -> None:
        if self.upstream is not None and self.upstream.transport is not None:
            self.upstream.transport.resume_reading()
            self._await_upstream()

    def upstream_is_full(self) -> None:
        if not self.request_done:
            self.downstream.transport.pause_reading()

    def upstream_drained(self) -> None:
        self.downstream.transport.resume_reading()
        self._await_upstream()

    # What may go wrong.

    def fail(self, error: ProxyError) -> None:
        """Answers with the error, or breaks off an answer that has begun."""
        self.worker.failed(error, self._details())
        self._release_endpoint()
        if self.upstream is not None:
            self.upstream.close()
            self.upstream = None
        downstream = self.downstream
        if self._answer is not None:
            endless = self._answer.length in (None, UNTIL_CLOSE)
            unframed = endless and self._answer_body is not None and not self._answer_body.chunked
            downstream.break_off(reset=unframed or downstream.is_full)
            return
        keep = self.head.persistent and self.request_done
        api = self.decision.route.llm_api if self.decision is not None else ""
        with_body = self.head.method != b"HEAD"
        downstream.transport.write(error_response(error, self.trace_id, api, with_body=with_body, keep=keep))
        downstream.exchange_done(keep=keep, request_done=self.request_done)

    def _details(self) -> dict[str, str]:
        details = {"trace_id": self.trace_id.decode()}
        if self.decision is not None:
            details |= {"route": self.decision.route.name, "lane": self.decision.lane.name}
        if self.endpoint is not None:
            details["endpoint"] = str(self.endpoint)
        return details

    def expired(self) -> None:
        """A limit of the route has passed. Whoever holds things up is to blame."""
        if self.downstream.is_full:
            if self.downstream.takes_bytes():
                self._await_upstream()
            else:
                self.fail(ProxyError(Kind.CLIENT_GONE, "The client stopped reading."))
        elif self._answer is not None:
            self.fail(ProxyError(Kind.IDLE_TIMEOUT, "The upstream stopped sending in the middle of its answer."))
        elif self.request_done:
            self.fail(ProxyError(Kind.FIRST_BYTE_TIMEOUT, "The upstream did not begin to answer in time."))
        elif self.downstream.transport.is_reading():
            self.fail(ProxyError(Kind.SLOW_REQUEST, "The request body stopped coming."))
        else:
            self.fail(ProxyError(Kind.IDLE_TIMEOUT, "The upstream stopped reading the request."))

    def client_gone(self) -> None:
        """The upstream is closed at once: nobody waits for what it would still generate."""
        self.worker.failed(ProxyError(Kind.CLIENT_GONE, "The client closed the connection."), self._details())
        self._release_endpoint()
        if self.upstream is not None:
            self.upstream.close()
            self.upstream = None

    def upstream_ended(self) -> None:
        """The upstream has closed its side in good order: that completes a body which says so."""
        body = self._answer_body
        if body is not None and isinstance(body.reader, UntilCloseBody):
            body.reader.done = True
            self._pass_answer(end_of_chunks(b"") if body.chunked else b"")

    def upstream_lost(self) -> None:
        upstream = self.upstream
        self.upstream = None
        if upstream is not None and self._replayable and upstream.reused and self._stale_retries == 0:
            # It was closed while it lay idle. Nothing of an answer has come and sending again is harmless (RFC 9110 9.2.2).
            self._stale_retries += 1
            assert self.endpoint is not None
            self._dial(self.endpoint)
            return
        if self._answer is not None:
            message = "The upstream broke off in the middle of its answer."
        else:
            message = "The upstream closed the connection before it answered."
        self.fail(ProxyError(Kind.UPSTREAM_CLOSED, message))
