"""Trace and span ids from the system's random source, drawn many at a time: one system call for hundreds of ids."""

import os
from struct import Struct

from tracer_proxy.context.ids import SPAN_ID_DIGITS, TRACE_ID_DIGITS

_BATCH = 256
_SPANS = Struct(f"{SPAN_ID_DIGITS}s" * _BATCH)
_TRACES = Struct(f"{TRACE_ID_DIGITS}s" * _BATCH)


class Ids:
    """Lower-case hex digits, never all zero (W3C Trace Context 3.2.2.3)."""

    __slots__ = ("_spans", "_traces")

    def __init__(self) -> None:
        self._spans: list[bytes] = []
        self._traces: list[bytes] = []

    def span(self) -> bytes:
        """16 digits."""
        if not self._spans:
            self._spans = _draw(_SPANS, SPAN_ID_DIGITS)
        return self._spans.pop()

    def trace(self) -> bytes:
        """32 digits."""
        if not self._traces:
            self._traces = _draw(_TRACES, TRACE_ID_DIGITS)
        return self._traces.pop()


def _draw(batch: Struct, digits: int) -> list[bytes]:
    ids = list(batch.unpack(os.urandom(batch.size // 2).hex().encode()))
    return _draw(batch, digits) if b"0" * digits in ids else ids
