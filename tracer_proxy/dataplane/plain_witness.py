"""What is read on a route whose protocol is nobody's business: answers, for the one number by which a rollout judges them."""

from typing import TYPE_CHECKING

from tracer_proxy.dataplane.witness import Reading, Witness
from tracer_proxy.routing.route import Route
from tracer_proxy.wire.response import ResponseHead

if TYPE_CHECKING:
    from tracer_proxy.dataplane.exchange import Exchange


class PlainReading(Reading):
    def __init__(self, route: Route) -> None:
        self.route = route

    def witness(self, exchange: "Exchange") -> "Witness":
        return PlainWitness(exchange, self.route)


class PlainWitness(Witness):
    def hangs_on_body(self, length: int | None) -> bool:
        return False

    def _needs_body(self) -> bool:
        return False

    def request(self, payload: bytes) -> None:
        """Is not looked at, and so not kept."""

    def _find_trace(self) -> None:
        """The headers have said it."""

    def _read_answer(self, head: ResponseHead, pieces: list[tuple[float, bytes]]) -> None:
        """What there is to read has been read."""

    def _end(self) -> None:
        """Nothing is left to do."""
