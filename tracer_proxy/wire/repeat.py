"""Heads that come again. Two heads that differ only in a trace context and a body's length mean the same but for these two."""

from tracer_proxy.limits import LENGTH_DIGITS_MAX

_TRACEPARENT_BYTES = 55
_HEX_AND_DASH = b"0123456789abcdef-"

Repeat = tuple[bytes, bytes, bytes]
"""A head taken apart: all but the two values, the traceparent, and the decimal digits of the length; empty when absent."""


def take_apart(raw: bytes) -> Repeat | None:
    """``None`` when a value is not of the usual form: such a head is read as a whole, every time.

    Only the usual spellings are looked for. With another one, or a second field of the same name, the value stays in the
    rest, which then never comes again.
    """
    traceparent = b""
    before, name, after = raw.partition(b"\r\ntraceparent: ")
    if name:
        traceparent, after = after[:_TRACEPARENT_BYTES], after[_TRACEPARENT_BYTES:]
        if after[:2] not in (b"\r\n", b"") or traceparent.translate(None, _HEX_AND_DASH):
            return None
        raw = before + name + after
    taken = take_length(raw)
    return None if taken is None else (taken[0], traceparent, taken[1])


def take_length(raw: bytes) -> tuple[bytes, bytes] | None:
    """All of a head but the value of its Content-Length, and that value; ``None`` when it is not decimal digits."""
    before, name, after = raw.partition(b"\r\nContent-Length: ")
    if not name:
        before, name, after = raw.partition(b"\r\ncontent-length: ")
        if not name:
            return raw, b""
    length, end, after = after.partition(b"\r\n")
    if not length.isdigit() or len(length) > LENGTH_DIGITS_MAX:
        return None
    return before + name + end + after, length
