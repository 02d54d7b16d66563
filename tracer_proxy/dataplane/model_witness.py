"""What is read of calls of models: what was asked and said, what is remembered of it, and what it cost."""

from time import monotonic
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tracer_proxy.dataplane import tracing
from tracer_proxy.dataplane.evidence import Shown
from tracer_proxy.dataplane.witness import Reading, Witness
from tracer_proxy.errors import VERDICTS, Kind
from tracer_proxy.genai.answered import Answered, Usage
from tracer_proxy.genai.answers import AnswerReader
from tracer_proxy.genai.asked import Asked
from tracer_proxy.genai.requests import provider_name, read_request
from tracer_proxy.limits import TOKENS_COUNTED_MAX
from tracer_proxy.routing.route import Route
from tracer_proxy.stitching.turn import Turn
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.turns import Leg
from tracer_proxy.wire.response import ResponseHead

if TYPE_CHECKING:
    from tracer_proxy.dataplane.exchange import Exchange

_BROKEN_STATUS, _ = VERDICTS[Kind.UPSTREAM_BROKEN]


class ModelReading(Reading):
    def __init__(self, route: Route, path: bytes, api: str, operation: str) -> None:
        self.route = route
        self.path = path
        self.unread = Asked(api, operation, "", False, {}, "", "", "", (), (), b"")
        """What is known without the body."""

    def witness(self, exchange: "Exchange") -> "Witness":
        return ModelWitness(exchange, self)


class ModelWitness(Witness):
    """One call of a model."""

    def __init__(self, exchange: "Exchange", reading: ModelReading) -> None:
        super().__init__(exchange, reading.route)
        self._reading = reading
        self._asked: Asked | None = None
        self._reader: AnswerReader | None = None
        self.usage: Usage | None = None
        """Of the answer, when it has been read to its end."""
        self._has_joined = False
        self._is_remembered = False

    def _needs_body(self) -> bool:
        return self._is_joined_by_ids

    @property
    def _is_joined_by_ids(self) -> bool:
        return self._route.stitch and self._exchange.context.source == "new"

    @property
    def asked(self) -> Asked:
        if self._asked is None:
            self._asked = self._read_request() or self._reading.unread
            self._request.clear()
        return self._asked

    def _read_request(self) -> Asked | None:
        if self.has_enough:
            return None
        body = self._request[0] if len(self._request) == 1 else b"".join(self._request)
        asked = read_request(self._route.llm_api, self._reading.path, body, content_chars=self._route.capture_chars)
        if asked is None:
            self._abandon("unreadable")
        return asked

    def _find_trace(self) -> None:
        if self._is_joined_by_ids:
            self._join()
        elif self._route.stitch:
            # The session of the ids counts even where the trace is said.
            self._has_joined = True
            self._join_beside()

    def _join(self) -> None:
        exchange = self._exchange
        stitcher = exchange.worker.stitcher
        tracing.take(exchange, stitcher.join(self.asked, tracing.scope_of(exchange), tracing.began(exchange)))
        stitcher.counts.misses["unreadable"] += self.asked is self._reading.unread
        self._has_joined = True

    def _reader_for(self, head: ResponseHead) -> AnswerReader:
        values = head.values
        return AnswerReader(
            self.asked.api,
            status=head.status,
            content_type=values.get(b"content-type", b""),
            content_encoding=values.get(b"content-encoding", b""),
            prefix=self.asked.prefix,
            content_chars=self._route.capture_chars,
        )

    def _read_answer(self, head: ResponseHead, pieces: list[tuple[float, bytes]]) -> None:
        reader = self._reader
        if reader is None:
            reader = self._reader = self._reader_for(head)
        for at, piece in pieces:
            reader.feed(piece, at)
        if reader.is_whole and self._route.stitch and not self._is_remembered:
            # The client may go on at once, long before the connection has told that this was all.
            self._remember(reader.finish())

    def _remember(self, answered: Answered | None) -> None:
        self._is_remembered = True
        if answered is not None and not self._exchange.plan.is_shadow:
            exchange, turn = self._exchange, self._turn()
            now = monotonic() + exchange.worker.clock.unix_offset
            stitcher, scope = exchange.worker.stitcher, tracing.scope_of(exchange)
            stitcher.remember(turn, scope, exchange.span_id, answered, self.asked, now)

    def _turn(self) -> Turn:
        exchange = self._exchange
        if not self._has_joined:
            self._has_joined = True
            self._join_beside()
        assert exchange.joined is not None
        return tracing.turn_of(exchange, exchange.joined)

    def _join_beside(self) -> None:
        """The caller, or the path, said which trace: that wins. What ids say counts where it fits, and else is a link."""
        exchange = self._exchange
        stitcher, scope = exchange.worker.stitcher, tracing.scope_of(exchange)
        stitcher.counts.joins[exchange.context.source] += exchange.joined is None
        stitcher.counts.misses["too_large"] += self.has_enough and exchange.context.source == "new"
        beside = stitcher.beside(self.asked, scope, exchange.trace_id, tracing.began(exchange))
        exchange.joined = exchange.joined or beside
        exchange.links = [*exchange.links, *beside.links]
        exchange.tools = beside.tools
        exchange.session = exchange.session or beside.session

    def _end(self) -> None:
        answered = self._reader.finish() if self._reader is not None else None
        if self._route.stitch and not self._is_remembered:
            self._remember(answered)
        if answered is not None:
            self.usage = answered.usage
        self._count(answered)
        if answered is not None and self._exchange.table.counts_turns and not self._exchange.plan.is_shadow:
            self._tell_tokens(answered.usage)
        if self.shown is not None:
            self._show(self.shown, answered)
        if self._reader is not None and self._reader.gave_up:
            self._abandon(self._reader.gave_up)
        if self._record is not None:
            self._complete(self._record, answered)

    def _complete(self, record: Record, answered: Answered | None) -> None:
        record.asked, record.answered = self.asked, answered
        if answered is not None and answered.first_chunk_at is not None:
            # Read by the monotonic clock; a record tells the time of day.
            at = answered.first_chunk_at + self._exchange.worker.clock.unix_offset
            record.answered = replace(answered, first_chunk_at=at)
        if self._route.stitch:
            exchange, turn = self._exchange, self._turn()
            record.links, record.tools = exchange.links, list(exchange.tools)
            record.session = record.session or turn.session

    def _tell_tokens(self, usage: Usage) -> None:
        tokens = (usage.input or 0) + (usage.output or 0)
        if tokens > 0:
            exchange = self._exchange
            exchange.worker.meters.turns.append(Leg(exchange.trace_id.decode(), min(tokens, TOKENS_COUNTED_MAX)))

    def _show(self, shown: Shown, answered: Answered | None) -> None:
        """An error in a 4xx is the caller's fault, as the status is. What cannot be read is not held against the lane."""
        reader = self._reader
        begun_at = answered.first_chunk_at if answered is not None else None
        shown.first_token_s = begun_at - self._exchange.began if begun_at is not None else None
        if reader is not None and self._exchange.answer_status < 400:
            broke_off = reader.is_stream and not reader.is_whole and not reader.gave_up
            if broke_off or (answered is not None and answered.error):
                shown.status = _BROKEN_STATUS

    def _count(self, answered: Answered | None) -> None:
        exchange, asked = self._exchange, self.asked
        endpoint = exchange.endpoint
        if endpoint is None:
            return
        error = exchange.attempt_error or (answered.error if answered is not None else "")
        if not error and exchange.answer_status >= 400:
            error = str(exchange.answer_status)
        first_at = answered.first_chunk_at if answered is not None else None
        exchange.worker.meters.gen_ai.done(
            asked.operation,
            provider_name(self._route.llm_api, endpoint.host),
            asked.model,
            answered.model if answered is not None else "",
            endpoint.host,
            endpoint.port,
            error,
            exchange.attempt_ended - exchange.attempt_began,
            answered.usage if answered is not None else Usage(),
            first_at - exchange.sent_at if first_at is not None else None,
            answered.gaps if answered is not None else (),
            exchange.trace_id if exchange.sampled else b"",
            exchange.span_id,
        )
