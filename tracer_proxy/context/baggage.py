"""``baggage``: passed through as it came; the only members ever written are the colour and a copy's mark (https://www.w3.org/TR/baggage/)."""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

from tracer_proxy.limits import BAGGAGE_BYTES_MAX, BAGGAGE_MEMBERS_MAX

_COLOR: Final = b"color"
_SHADOW: Final = b"shadow"
_CONTROL_BYTES = bytes(byte for byte in range(128) if (byte < 0x20 and byte != ord("\t")) or byte == 0x7F)

# The key is a token (RFC 9110 section 5.6.2). The value is its owner's: spaces and UTF-8 pass, though the grammar wants them
# percent-encoded. Possessive quantifiers, so that a bad member costs no backtracking.
_MEMBER = rb"[ \t]*+[!#$%&'*+\-.^_`|~0-9A-Za-z]++[ \t]*+=[^\x00-\x08\x0a-\x1f\x7f,]*+"
_match_member = re.compile(_MEMBER).fullmatch
_match_members = re.compile(_MEMBER + b"(?:," + _MEMBER + b")*").fullmatch


def member(baggage: bytes, key: bytes) -> bytes | None:
    """The percent-decoded value of the first member called ``key``, without its properties; ``None`` if there is none.

    Decoding can yield any byte: check the value before it goes into a header or a log.
    """
    if baggage.find(key) < 0:
        return None
    for part in checked(baggage).split(b","):
        name, equals, value = part.partition(b"=")
        if equals and name.strip(b" \t") == key:
            return unquote_to_bytes(value.partition(b";")[0].strip(b" \t"))
    return None


def checked(baggage: bytes) -> bytes:
    """``baggage`` itself, or ``b""`` if a control byte stands in it: no honest sender writes one."""
    return baggage if len(baggage.translate(None, _CONTROL_BYTES)) == len(baggage) else b""


def with_color(baggage: bytes, color: bytes) -> bytes:
    """``baggage`` with ``color`` (a colour, or ``b""`` for none) as its only member of that name, in first place.

    The other members stay byte for byte and in order. What is no ``key=value`` is dropped, and so are whole members from
    the right until the limits hold. ``baggage`` itself is returned when there is nothing to change.
    """
    wanted = b"color=" + color if color else b""
    if not baggage or baggage == wanted:
        return baggage or wanted
    result = baggage if not wanted or baggage.startswith(wanted + b",") else b"%b,%b" % (wanted, baggage)
    # No other mention of the colour: nothing to remove, and nothing to take apart.
    if result.count(_COLOR) == bool(wanted) and _fits(result) and _match_members(result):
        return result
    result = _rebuilt(checked(baggage), wanted)
    return baggage if result == baggage else result


def is_shadow(baggage: bytes) -> bool:
    return member(baggage, _SHADOW) == b"1"


def with_shadow(baggage: bytes) -> bytes:
    """``baggage`` with ``shadow=1`` in first place, within the limits as ``with_color`` has them."""
    return _rebuilt(checked(baggage), b"shadow=1", _SHADOW)


def _fits(baggage: bytes) -> bool:
    return len(baggage) <= BAGGAGE_BYTES_MAX and baggage.count(b",") < BAGGAGE_MEMBERS_MAX


def _rebuilt(baggage: bytes, wanted: bytes, key: bytes = _COLOR) -> bytes:
    members = [part for part in baggage.split(b",") if _match_member(part) and _key(part) != key]
    if wanted:
        members.insert(0, wanted)
    del members[BAGGAGE_MEMBERS_MAX:]
    size = sum(map(len, members)) + len(members) - 1
    while size > BAGGAGE_BYTES_MAX:
        size -= len(members.pop()) + 1
    return b",".join(members).strip(b" \t")


def _key(part: bytes) -> bytes:
    return part.partition(b"=")[0].strip(b" \t")
