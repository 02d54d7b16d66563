"""The session key: what stickiness hangs on. A ladder of places to look; the first hit wins, the trace id always hits."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

from tracer_proxy.context.baggage import member
from tracer_proxy.context.session_name import session_name
from tracer_proxy.genai.json_pointer import Pointer
from tracer_proxy.genai.requests.sessions import session_of_claude_code
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.matcher import cookie_value, query_value


class Rung(ABC):
    """One place to look. ``source`` is what the config and ``explain`` call it, for example ``header:x-session-id``."""

    __slots__ = ("is_secret", "name", "source")

    is_one_place = True
    """``source`` says just where it looks."""
    reads_body = False
    """What it finds stands in the body."""
    reads_head = True
    """What it finds hangs on the head alone: equal heads have equal keys."""

    def __init__(self, source: str, name: str = "") -> None:
        self.source = source
        self.name = name.encode()
        self.is_secret = False
        """What it finds is a credential: records tell a digest of it."""

    @abstractmethod
    def find(self, asking: Asking, trace_id: bytes) -> bytes | None: ...

    def found_at(self, asking: Asking) -> str:
        """Just where, after something was found."""
        return self.source


class HeaderRung(Rung):
    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(f"header:{name}", name.lower())

    def find(self, asking: Asking, trace_id: bytes) -> bytes | None:
        return asking.head.fields.values.get(self.name)


class HarnessRung(Rung):
    """The headers of known agent harnesses (``context.session_headers``)."""

    __slots__ = ()

    is_one_place = False

    def __init__(self) -> None:
        super().__init__("harness")

    def find(self, asking: Asking, trace_id: bytes) -> bytes | None:
        return asking.agent_session[0].encode()

    def found_at(self, asking: Asking) -> str:
        return asking.agent_session[1]


class QueryRung(Rung):
    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(f"query:{name}", name)

    def find(self, asking: Asking, trace_id: bytes) -> bytes | None:
        return query_value(asking.head.query, self.name)


class CookieRung(Rung):
    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(f"cookie:{name}", name)

    def find(self, asking: Asking, trace_id: bytes) -> bytes | None:
        return cookie_value(asking.head.fields.values.get(b"cookie"), self.name)


class BaggageRung(Rung):
    __slots__ = ()

    def __init__(self, key: str) -> None:
        super().__init__(f"baggage:{key}", key)

    def find(self, asking: Asking, trace_id: bytes) -> bytes | None:
        return member(asking.baggage, self.name) if asking.baggage else None


class BodyRung(Rung):
    """Places in a JSON body, the first that has something."""

    __slots__ = ("pointers",)

    is_one_place = False
    reads_body = True
    reads_head = False

    def __init__(self, source: str, pointers: Sequence[Pointer]) -> None:
        super().__init__(source)
        self.pointers = tuple(pointers)

    def find(self, asking: Asking, trace_id: bytes) -> bytes | None:
        return self._look(asking)[0].encode()

    def found_at(self, asking: Asking) -> str:
        return self._look(asking)[1]

    def _look(self, asking: Asking) -> tuple[str, str]:
        if asking.body is not None:
            for pointer in self.pointers:
                found = asking.body.at(pointer)
                if pointer == CLAUDE_CODE:
                    found = session_of_claude_code(found)
                if found:
                    return found, "body:/" + "/".join(pointer)
        return "", self.source


CLAUDE_CODE: Final = ("metadata", "user_id")
"""Of others that is a user, not a session."""
KNOWN_IN_BODY: Final = (
    ("metadata", "session_id"),
    CLAUDE_CODE,
    ("session_id",),
    ("litellm_session_id",),
    ("conversation",),
    ("conversation", "id"),
)
"""``conversation`` is a name or an object (OpenAI Responses)."""
A2A_CONTEXT: Final = (("params", "message", "contextId"), ("params", "contextId"))


class AnswerRung(Rung):
    """The session of an earlier answer whose id the request repeats: ``previous_response_id``, or ids of tool calls."""

    __slots__ = ()

    reads_body = True
    reads_head = False

    def __init__(self) -> None:
        super().__init__("answer")

    def find(self, asking: Asking, trace_id: bytes) -> bytes | None:
        return asking.earlier


class TraceRung(Rung):
    """Where it is known that the trace is one of several of a session, that session."""

    __slots__ = ()

    reads_head = False

    def __init__(self) -> None:
        super().__init__("trace")

    def find(self, asking: Asking, trace_id: bytes) -> bytes | None:
        return asking.earlier or trace_id


def find_session(ladder: Sequence[Rung], asking: Asking, trace_id: bytes) -> tuple[bytes, Rung]:
    """The key's name and the rung it came from; ``ladder`` ends with a ``TraceRung``, so there always is one."""
    for rung in ladder:
        key = rung.find(asking, trace_id)
        if key:
            return session_name(key), rung
    return trace_id, ladder[-1]


def hangs_on_body(ladder: Sequence[Rung], asking: Asking) -> bool:
    """Whether the body decides: nothing before the first rung that looks into it has a key."""
    for rung in ladder:
        if rung.reads_body:
            return True
        if rung.reads_head and rung.find(asking, b""):
            return False
    return False
