"""The one coherent set of trace headers for the next hop."""

from collections.abc import Iterable

from tracer_proxy.context.trace import TraceContext

_FORMATS = ("tracecontext", "baggage", "b3", "b3multi")
_EXT = b"x-trace-id-ext: "
_PARENT = b"\r\ntraceparent: 00-"
_FLAGS = (b"-00", b"-01", b"-02", b"-03")


class Injector:
    """Writes the trace headers in the formats it was built for; built once, used for every exchange."""

    __slots__ = ("_b3", "_b3multi", "_only_tracecontext", "_tracecontext", "writes_baggage")

    def __init__(self, formats: Iterable[str]) -> None:
        """``formats``: any of ``tracecontext``, ``baggage``, ``b3``, ``b3multi``; ``ValueError`` for another."""
        wanted = frozenset(formats)
        unknown = sorted(wanted.difference(_FORMATS))
        if unknown:
            raise ValueError(f"unknown trace format {unknown[0]!r} to inject; use some of {', '.join(_FORMATS)}")
        self._tracecontext = "tracecontext" in wanted
        self._b3 = "b3" in wanted
        self._b3multi = "b3multi" in wanted
        self._only_tracecontext = self._tracecontext and not (self._b3 or self._b3multi)
        self.writes_baggage = "baggage" in wanted
        """Whether the caller is to write ``baggage``: what stands in it depends on the colour, not on the trace."""

    def block(self, context: TraceContext, span_id: bytes, sampled: bool) -> bytes:
        """Header lines, each ending with CRLF, that make ``span_id`` (16 lower-case hex digits) the parent of the next hop.

        ``x-trace-id-ext`` is always among them. The flags are rebuilt, so that only bits whose meaning is known go out.
        """
        trace_id = context.trace_id
        if self._only_tracecontext and not context.tracestate:
            # What nearly every exchange needs, in one step.
            flags = _FLAGS[sampled | context.random << 1]
            return b"".join((_EXT, trace_id, _PARENT, trace_id, b"-", span_id, flags, b"\r\n"))
        parts = [_EXT, trace_id]
        if self._tracecontext:
            flags = _FLAGS[sampled | context.random << 1]
            parts += (_PARENT, trace_id, b"-", span_id, flags)
            if context.tracestate:
                parts += (b"\r\ntracestate: ", context.tracestate)
        if self._b3:
            state = (b"-d" if context.debug else b"-1") if sampled else b"-0"
            parts += (b"\r\nb3: ", trace_id, b"-", span_id, state)
        if self._b3multi:
            parts += (b"\r\nx-b3-traceid: ", trace_id, b"\r\nx-b3-spanid: ", span_id)
            # Debug implies sampled; B3 asks not to send both.
            parts.append(b"\r\nx-b3-flags: 1" if sampled and context.debug else b"\r\nx-b3-sampled: %d" % sampled)
        parts.append(b"\r\n")
        return b"".join(parts)
