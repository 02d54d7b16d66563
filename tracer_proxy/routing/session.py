"""The session key: what stickiness hangs on. A ladder of places to look; the first hit wins, the trace id always hits."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from tracer_proxy.context.baggage import member
from tracer_proxy.routing.matcher import cookie_value, query_value
from tracer_proxy.wire.request import RequestHead


class Rung(ABC):
    """One place to look. ``source`` is what logs and ``explain`` call it, for example ``header:x-session-id``."""

    __slots__ = ("name", "source")

    def __init__(self, source: str, name: str = "") -> None:
        self.source = source
        self.name = name.encode()

    @abstractmethod
    def find(self, head: RequestHead, baggage: bytes, trace_id: bytes) -> bytes | None: ...


class HeaderRung(Rung):
    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(f"header:{name}", name.lower())

    def find(self, head: RequestHead, baggage: bytes, trace_id: bytes) -> bytes | None:
        return head.fields.values.get(self.name)


class QueryRung(Rung):
    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(f"query:{name}", name)

    def find(self, head: RequestHead, baggage: bytes, trace_id: bytes) -> bytes | None:
        return query_value(head.query, self.name)


class CookieRung(Rung):
    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(f"cookie:{name}", name)

    def find(self, head: RequestHead, baggage: bytes, trace_id: bytes) -> bytes | None:
        return cookie_value(head.fields.values.get(b"cookie"), self.name)


class BaggageRung(Rung):
    __slots__ = ()

    def __init__(self, key: str) -> None:
        super().__init__(f"baggage:{key}", key)

    def find(self, head: RequestHead, baggage: bytes, trace_id: bytes) -> bytes | None:
        return member(baggage, self.name) if baggage else None


class TraceRung(Rung):
    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("trace")

    def find(self, head: RequestHead, baggage: bytes, trace_id: bytes) -> bytes | None:
        return trace_id


def find_session(ladder: Sequence[Rung], head: RequestHead, baggage: bytes, trace_id: bytes) -> tuple[bytes, Rung]:
    """The key and the rung it came from; ``ladder`` ends with a ``TraceRung``, so there always is one."""
    for rung in ladder:
        key = rung.find(head, baggage, trace_id)
        if key:
            return key, rung
    return trace_id, ladder[-1]
