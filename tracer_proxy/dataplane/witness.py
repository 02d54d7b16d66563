"""Reads what passes beside the traffic, after the bytes went on and within bounds: on routes to models and tools, and on any
other where a rollout wants to know what an answer says.

The loop writes what it was given at the end of each round, and calls back what was asked for soon in the next one. So a look
that is asked for when bytes are forwarded comes after them, and before the client can send anything in return.
"""

from abc import ABC, abstractmethod
from time import monotonic
from typing import TYPE_CHECKING

from tracer_proxy.dataplane.evidence import Shown
from tracer_proxy.genai.pointed import PointedReader
from tracer_proxy.limits import LOOK_AHEAD_BYTES_MAX
from tracer_proxy.routing.route import Route
from tracer_proxy.telemetry.catalogue import Abandoned
from tracer_proxy.telemetry.record import Record
from tracer_proxy.wire.response import ResponseHead

if TYPE_CHECKING:
    from tracer_proxy.dataplane.exchange import Exchange


class Reading(ABC):
    """What is read of the exchanges of one plan."""

    @abstractmethod
    def witness(self, exchange: "Exchange") -> "Witness": ...


class Witness(ABC):
    """``request`` and ``answer`` are told of each piece of the bodies, bare; ``conclude`` comes last."""

    def __init__(self, exchange: "Exchange", route: Route) -> None:
        self._exchange = exchange
        self._route = route
        self._request: list[bytes] = []
        self._request_bytes = 0
        self.has_enough = False
        """The request's body is longer than what may be held of it, and is not looked at."""
        self._head: ResponseHead | None = None
        self._pieces: list[tuple[float, bytes]] = []
        self._is_scheduled = self._is_over = False
        self._record: Record | None = None
        self.shown: Shown | None = None
        """What the exchange says of its lane, where a rollout judges that; counted when all has been read."""
        self._confidence: PointedReader | None = None

    # The request.

    def hangs_on_body(self, length: int | None) -> bool:
        """Whether the trace is found only with the body, and it is not too long to wait for."""
        if length is not None and length > LOOK_AHEAD_BYTES_MAX:
            self._give_up_request()
            return False
        return self._needs_body() and b"expect" not in self._exchange.plan.head.fields.values

    @abstractmethod
    def _needs_body(self) -> bool: ...

    def request(self, payload: bytes) -> None:
        self._request_bytes += len(payload)
        if self._request_bytes <= LOOK_AHEAD_BYTES_MAX:
            self._request.append(payload)
        else:
            self._give_up_request()

    def _give_up_request(self) -> None:
        if not self.has_enough:
            self.has_enough = True
            self._request.clear()
            self._abandon("too_large")

    def find_trace(self) -> None:
        """The body is there, and nothing has gone on."""
        try:
            self._find_trace()
        except Exception as bug:
            self._tell(bug)

    @abstractmethod
    def _find_trace(self) -> None: ...

    def outgoing(self, body: bytes) -> bytes:
        """What goes on in place of the request's body."""
        return body

    # The answer.

    def answer_begins(self, head: ResponseHead) -> None:
        self._head = head
        judged = self._route.judged
        if judged is not None and judged.confidence_pointer:
            kind, encoding = head.values.get(b"content-type", b""), head.values.get(b"content-encoding", b"")
            self._confidence = PointedReader(judged.confidence_pointer, content_type=kind, content_encoding=encoding)

    def answer(self, payload: bytes) -> None:
        self._pieces.append((monotonic(), payload))
        self._look_soon()

    def conclude(self, record: Record | None) -> None:
        """The exchange has ended. What was read completes its record, if there is one."""
        self._record, self._is_over = record, True
        self._look_soon()

    def _look_soon(self) -> None:
        if not self._is_scheduled:
            self._is_scheduled = True
            self._exchange.worker.loop.call_soon(self._look)

    def _look(self) -> None:
        self._is_scheduled = False
        try:
            self._read()
        except Exception as bug:
            self._tell(bug)
        if self._is_over:
            if self.shown is not None:
                self.shown.note()
            if self._record is not None:
                self._exchange.worker.records.put(self._record)
            self._request.clear()

    def _tell(self, bug: Exception) -> None:
        """Whatever it is, it must not cost more than what there was to read."""
        self._exchange.worker.loop.call_exception_handler({"message": "an exchange could not be read", "exception": bug})

    def _read(self) -> None:
        pieces, self._pieces = self._pieces, []
        if self._head is not None:
            if self._confidence is not None:
                self._read_confidence(self._confidence, pieces)
            self._read_answer(self._head, pieces)
        if self._is_over:
            self._end()

    def _read_confidence(self, reader: PointedReader, pieces: list[tuple[float, bytes]]) -> None:
        for _, piece in pieces:
            reader.feed(piece)
        if self._is_over and self.shown is not None:
            self.shown.confidence = reader.finish()

    @abstractmethod
    def _read_answer(self, head: ResponseHead, pieces: list[tuple[float, bytes]]) -> None:
        """``pieces`` of the body, with the times at which they came."""

    @abstractmethod
    def _end(self) -> None:
        """The exchange has ended, and all of it has been read."""

    def _abandon(self, reason: str) -> None:
        self._exchange.worker.meters.worker.observations_abandoned[Abandoned(reason)] += 1
