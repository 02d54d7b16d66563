"""The keys of a memory: keyed digests, so that nobody reads an id, a name or a credential out of it.

Parts of fixed length come first and at most one of any length last, and each kind has a letter of its own: two different things
never have the same key.
"""

from hashlib import blake2b
from typing import NamedTuple

from xxhash import xxh3_128_digest


class Scope(NamedTuple):
    """Whose ids these are: the same id from another listener or with another credential is another id."""

    listener: bytes
    credential: bytes
    """As the client sent it: ``authorization``, ``x-api-key``, ``api-key`` or ``x-goog-api-key``. Never kept."""
    session: str = ""
    """What the client calls its session, where a header says it."""
    client: bytes = b""
    """Its address; that of a Unix socket is empty."""

    @property
    def place(self) -> bytes:
        """Where an agent stands: what its calls of models and of tools have in common, for their credentials differ."""
        return b"%d:%b%b" % (len(self.listener), self.listener, self.client)


class Keys:
    """Each returns 16 bytes. ``secret`` is the same in every process that shares the memory; at most 64 bytes."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._seed = int.from_bytes(secret[:8].ljust(8, b"\0"), "big")

    def digest(self, *parts: bytes) -> bytes:
        return blake2b(b"".join(parts), digest_size=16, key=self._secret).digest()

    def scope(self, scope: Scope) -> bytes:
        return self.digest(b"s%d:" % len(scope.listener), scope.listener, scope.credential)

    def listener(self, listener: bytes) -> bytes:
        return self.digest(b"l", listener)

    def witness(self, anchor: bytes, session: bytes) -> bytes:
        """What an id that is not unique counts with: all that was said before, and the session if it has a name."""
        return self.digest(b"w", anchor.ljust(16, b"\0"), session)

    def call(self, scope: bytes, call_id: bytes, witness: bytes = b"") -> bytes:
        return self.digest(b"W" if witness else b"c", scope, witness, call_id)

    def tool_run(self, trace_id: bytes, call: bytes) -> bytes:
        """Of the call under that key: the same for whoever hands its result back."""
        return self.digest(b"x", trace_id, call)

    def response(self, scope: bytes, response_id: str) -> bytes:
        return self.digest(b"r", scope, response_id.encode(errors="replace"))

    def conversation(self, scope: bytes, conversation_id: str) -> bytes:
        return self.digest(b"v", scope, conversation_id.encode(errors="replace"))

    def session(self, scope: bytes, session: bytes) -> bytes:
        return self.digest(b"n", scope, session)

    def returned(self, tool_run: bytes) -> bytes:
        return self.digest(b"d", tool_run)

    def pending(self, listener: bytes, arguments_digest: bytes, tool_end: bytes) -> bytes:
        return self.digest(b"p", listener, arguments_digest, tool_end)

    def run(self, owner: bytes, run: bytes) -> bytes:
        return self.digest(b"u", owner, run)

    # Colours are looked up for every exchange without one, so a fast hash must do: a seed keys it as well, and a colour that
    # somebody managed to get by a collision is worth nothing.

    def trace_color(self, trace_id: bytes) -> bytes:
        return xxh3_128_digest(b"t" + trace_id, self._seed)

    def lane_session(self, route: bytes, lane: bytes, session: bytes) -> bytes:
        lengths = b"a%d:%d:" % (len(route), len(lane))
        return xxh3_128_digest(b"".join((lengths, route, lane, session)), self._seed)

    def session_color(self, scope: Scope, session: bytes) -> bytes:
        lengths = b"o%d:%d:" % (len(scope.listener), len(scope.credential))
        return xxh3_128_digest(b"".join((lengths, scope.listener, scope.credential, session)), self._seed)
