"""What a request says, as far as it may decide on its way."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from tracer_proxy.context.session_headers import session_of
from tracer_proxy.genai.json_body import JsonBody
from tracer_proxy.wire.request import RequestHead

if TYPE_CHECKING:
    from tracer_proxy.routing.color import ColorRule

_MODEL: Final = ("model",)
_model_in_path = re.compile(rb"/models/([^/:]+)").search


def unread(head: RequestHead) -> str:
    """Why its body is not looked into for what decides on its way; empty if it may be.

    It is when it is JSON without an encoding, and sent without waiting for a word of the endpoint's.
    """
    values = head.fields.values
    given = values.get(b"content-type", b"")
    kind = given.partition(b";")[0].strip().lower()
    if kind != b"application/json" and not (kind.startswith(b"application/") and kind.endswith(b"+json")):
        return f"content-type is {given.decode('utf-8', 'backslashreplace')}" if given else "content-type is missing"
    if b"content-encoding" in values:
        return "it has a content-encoding"
    return "it waits for 100-continue" if b"expect" in values else ""


class Asking:
    """One for all requests with the same head on a connection: what differs between them is set for each."""

    __slots__ = ("_agent_session", "baggage", "body", "candidates", "certificate", "earlier", "head", "now", "peer", "rules")

    def __init__(self, head: RequestHead, *, baggage: bytes = b"", peer: bytes = b"", certificate: Sequence[str] = ()) -> None:
        self.head = head
        self.baggage = baggage
        """Empty when its sender is not trusted."""
        self.peer = peer
        """The client's address; empty on a Unix socket."""
        self.certificate = certificate
        """The names in the certificate that the client has shown, if the proxy asks for one."""
        self.body: JsonBody | None = None
        """What its body says, where that was read before it is decided."""
        self.earlier = b""
        """The session of earlier answers whose ids the request repeats."""
        self.now = 0.0
        """In Unix seconds, where some rule asks what time it is."""
        self.rules: Sequence[ColorRule] = ()
        self.candidates: Sequence[tuple[int, ColorRule]] = ()
        """Those of the ``rules`` that may hold for this head, with their numbers; found with the first request. What they
        look at does not differ between requests with the same head."""
        self._agent_session: tuple[str, str] | None = None

    def came_again(self) -> None:
        """Values of the head have changed."""
        self._agent_session = None

    @property
    def agent_session(self) -> tuple[str, str]:
        """What a known agent harness calls its session, and where it says so; both empty if no header does."""
        if self._agent_session is None:
            self._agent_session = session_of(self.head.fields.values)
        return self._agent_session

    @property
    def model(self) -> bytes | None:
        """From the body, else from the path, where Gemini's API has it."""
        named = self.body.at(_MODEL) if self.body is not None else ""
        if named:
            return named.encode()
        found = _model_in_path(self.head.path)
        return found[1] if found else None
