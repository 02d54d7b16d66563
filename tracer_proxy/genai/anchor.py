"""Digests by which a tool call is known again when its id is not unique.

Some models count their calls (``call_0``, ``functions.search:1``), so an id alone says nothing: two conversations, or two
turns of one, share it. A call is then known by its name, its arguments, the whole message that holds it, and everything said
before. Digests are xxh3: fast, and to be keyed by whoever stores them.
"""

from collections.abc import Iterable, Sequence

import msgspec
import xxhash

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder(order="deterministic").encode


def prefix_digest(said: Iterable[bytes]) -> bytes:
    """16 bytes; ``said`` are the messages as they stand in the request's body."""
    return xxhash.xxh3_128_digest(b",".join(said))


def prefix_digests(said: Iterable[Iterable[bytes | memoryview | msgspec.Raw]], places: Iterable[int]) -> dict[int, bytes]:
    """``prefix_digest(said[:place])`` by place, for all of ``places`` in one pass and without a copy.

    A message comes in pieces.
    """
    wanted = sorted(set(places))
    digest = xxhash.xxh3_128()
    digests = {0: digest.digest()}
    for place, pieces in enumerate(said if wanted else (), 1):
        for piece in pieces:
            digest.update(piece)
        if place in wanted:
            digests[place] = digest.digest()
            if place == wanted[-1]:
                break
        digest.update(b",")
    return digests


def canonical(arguments: str | bytes) -> bytes:
    """JSON with sorted keys and no spaces; what is no JSON stays as it is."""
    try:
        return _encode(_decode(arguments or "{}"))
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        return arguments.encode(errors="replace") if isinstance(arguments, str) else bytes(arguments)


def arguments_digest(arguments: str | bytes) -> bytes:
    return xxhash.xxh3_128_digest(canonical(arguments))


def call_anchors(prefix: bytes, text: str, calls: Sequence[tuple[str, str | bytes]]) -> list[bytes]:
    """One for each of ``calls``, (name, arguments) in the order of the message; ``text`` is all else that the message says."""
    if not prefix:
        return [b""] * len(calls)
    message = xxhash.xxh3_128(prefix + text.encode(errors="replace"))
    for name, arguments in calls:
        message.update(b"\0" + name.encode(errors="replace") + b"\0" + canonical(arguments))
    whole = message.digest()
    return [xxhash.xxh3_128_digest(whole + b"%d" % place) for place in range(len(calls))]
