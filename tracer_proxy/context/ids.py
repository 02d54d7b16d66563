"""What a trace id, a span id and a caller's own id look like."""

import string
from typing import Final

from tracer_proxy.limits import EXTERNAL_ID_BYTES_MAX

TRACE_ID_DIGITS: Final = 32
SPAN_ID_DIGITS: Final = 16

_LOWER_HEX = b"0123456789abcdef"
_EXTERNAL_ID_BYTES = (string.ascii_letters + string.digits + "-._~:/+@=").encode()
_NO_TRACE = b"0" * TRACE_ID_DIGITS
_NO_SPAN = b"0" * SPAN_ID_DIGITS


def is_lower_hex(value: bytes) -> bool:
    """Whether every byte is one of ``0-9a-f``; true of the empty value."""
    return not value.translate(None, _LOWER_HEX)


def is_trace_id(value: bytes) -> bool:
    """32 lower-case hex digits, not all zero."""
    return len(value) == TRACE_ID_DIGITS and is_lower_hex(value) and value != _NO_TRACE


def is_span_id(value: bytes) -> bool:
    """16 lower-case hex digits, not all zero."""
    return len(value) == SPAN_ID_DIGITS and is_lower_hex(value) and value != _NO_SPAN


def is_external_id(value: bytes) -> bool:
    """1 to 128 characters that are safe in a header, a log line and a URL, and not 32 hex digits: those are a trace id."""
    if not 0 < len(value) <= EXTERNAL_ID_BYTES_MAX or value.translate(None, _EXTERNAL_ID_BYTES):
        return False
    return len(value) != TRACE_ID_DIGITS or not is_lower_hex(value.lower())
