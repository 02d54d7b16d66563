"""The trace context of a request: which trace, which parent, and whether somebody decided on sampling.

Formats are tried in the order ``traceparent``, ``b3``, ``x-b3-*``, ``x-trace-id-ext``; the first valid one wins, and an
invalid one never overrides a valid one. References are to W3C Trace Context level 2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from tracer_proxy.context.b3 import read_multi, read_single, sampling_hint
from tracer_proxy.context.ids import is_external_id, is_trace_id
from tracer_proxy.context.names import B3, TRACEPARENT, TRACESTATE, X_B3_TRACEID, X_TRACE_ID_EXT
from tracer_proxy.context.tracestate import bounded

__all__ = ["TraceContext", "external_id", "extract", "new_trace", "ratio_sampled", "ratio_threshold", "sampling_hint"]

_IDS_AND_FLAGS = rb"-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})"
_HEX_TO_0 = bytes(ord("0") if byte in b"0123456789abcdef" else byte for byte in range(256))
_SHAPE = b"00-%b-%b-00" % (b"0" * 32, b"0" * 16)
_NO_TRACE, _NO_SPAN = b"0" * 32, b"0" * 16
# A later version may go on after another "-" (section 4.3); ff is forbidden. A comma there comes from a second header line,
# and two traceparents are as good as none.
_match_later_version = re.compile(b"(?!00|ff)[0-9a-f]{2}" + _IDS_AND_FLAGS + b"(?:-[^,]*)?").fullmatch

# Bit 0 is sampled, bit 1 random; the others mean nothing yet (section 3.2.2.5).
_FLAGS: dict[bytes, tuple[bool, bool]] = {b"%02x" % byte: (bool(byte & 1), bool(byte & 2)) for byte in range(256)}

_RIGHT_64_BITS = slice(16, None)
_RIGHT_56_BITS = slice(18, None)
_ALL_REJECTED = 1 << 56


@dataclass(slots=True)
class TraceContext:
    """What a caller said about its trace. Ids are lower-case hex."""

    trace_id: bytes
    """32 digits."""
    parent_id: bytes
    """The caller's span, 16 digits; ``b""`` if it named none."""
    sampled: bool | None
    """``None`` when nobody has decided: the receiver's sampler does."""
    random: bool
    """Whether the right-most 56 bits of the trace id are known to be random; never guessed."""
    source: str
    """``traceparent``, ``b3``, ``b3multi``, ``x-trace-id-ext`` or ``new``."""
    tracestate: bytes = b""
    """As received, within the limits; ``b""`` if there is none."""
    debug: bool = False
    """B3's emphasised yes; it is passed on."""
    external_id: bytes = b""
    """An id of the caller's own that is no trace id: for the record only."""
    conflicts: tuple["TraceContext", ...] = ()
    """What other valid formats in the same request say, where they name another trace."""


def extract(fields: Mapping[bytes, bytes]) -> TraceContext | None:
    """The trace context of a request, or ``None`` if it names no valid trace.

    ``fields`` maps lower-case header names to stripped values; the values of a repeated header are joined with ``b", "``.
    """
    context = None
    traceparent = fields.get(TRACEPARENT)
    if traceparent is not None:
        context = _version_00(traceparent) or _later_version(traceparent)
        if len(fields) == 1:
            # The everyday case: nothing beside it to look at.
            return context
        if context is not None and TRACESTATE in fields:
            context.tracestate = bounded(fields[TRACESTATE])
    ext = fields.get(X_TRACE_ID_EXT)
    if context is not None and ext == context.trace_id:
        ext = None  # the proxy before this one wrote it; it adds nothing
    if ext is not None or B3 in fields or X_B3_TRACEID in fields:
        return _with_other_formats(context, fields)
    return context


def _version_00(traceparent: bytes) -> TraceContext | None:
    # Comparing the shape and cutting is cheaper than matching a pattern; nearly every exchange comes through here.
    if traceparent.translate(_HEX_TO_0) != _SHAPE or traceparent[:3] != b"00-":
        return None
    trace_id, parent_id = traceparent[3:35], traceparent[36:52]
    if trace_id == _NO_TRACE or parent_id == _NO_SPAN:
        return None
    sampled, random = _FLAGS[traceparent[53:]]
    return TraceContext(trace_id, parent_id, sampled, random, "traceparent")


def _later_version(traceparent: bytes) -> TraceContext | None:
    match = _match_later_version(traceparent)
    if match is None:
        return None
    trace_id, parent_id, flags = match.groups()
    sampled, random = _FLAGS[flags]
    return TraceContext(trace_id, parent_id, sampled, random, "traceparent")


def external_id(fields: Mapping[bytes, bytes]) -> bytes:
    """The caller's own id in ``x-trace-id-ext``; ``b""`` if there is none, if it is invalid, or if it is a trace id."""
    value = fields.get(X_TRACE_ID_EXT, b"")
    return value if is_external_id(value) else b""


def new_trace(trace_id: bytes, sampled: bool | None = None, external_id: bytes = b"") -> TraceContext:
    """A trace that starts here. ``trace_id`` is 32 lower-case hex digits from a random source."""
    return TraceContext(trace_id, b"", sampled, random=True, source="new", external_id=external_id)


def ratio_threshold(ratio: float) -> int:
    """The threshold of rejection for a sampling ratio from 0.0 (nothing) to 1.0 (everything), in units of 2**-56."""
    if not 0.0 <= ratio <= 1.0:
        raise ValueError(f"sampling ratio {ratio} is outside 0.0 to 1.0; give the share of traces to keep, such as 0.25")
    return _ALL_REJECTED - round(ratio * _ALL_REJECTED)


def ratio_sampled(trace_id: bytes, ratio_threshold: int) -> bool:
    """Whether a trace is kept: the same answer in every process (OpenTelemetry's consistent probability sampling)."""
    return int(trace_id[_RIGHT_56_BITS], 16) >= ratio_threshold


def _with_other_formats(context: TraceContext | None, fields: Mapping[bytes, bytes]) -> TraceContext | None:
    others = _other_formats(fields)
    if context is None:
        if not others:
            return None
        context = others.pop(0)
    conflicts = []
    for other in others:
        # 64-bit peers know only the right half of a trace id.
        if other.trace_id[_RIGHT_64_BITS] != context.trace_id[_RIGHT_64_BITS]:
            conflicts.append(other)
        elif other.debug and context.sampled:
            # traceparent has no debug flag: without this it would be lost behind a hop that writes both formats.
            context.debug = True
    context.conflicts = tuple(conflicts)
    context.external_id = external_id(fields)
    return context


def _other_formats(fields: Mapping[bytes, bytes]) -> list[TraceContext]:
    """Every valid format but ``traceparent``, in the order of precedence."""
    found = []
    single = read_single(fields[B3]) if B3 in fields else None
    if single is not None:
        found.append(TraceContext(single.trace_id, single.span_id, single.sampled, False, "b3", debug=single.debug))
    multi = read_multi(fields) if X_B3_TRACEID in fields else None
    if multi is not None:
        found.append(TraceContext(multi.trace_id, multi.span_id, multi.sampled, False, "b3multi", debug=multi.debug))
    trace_id = fields[X_TRACE_ID_EXT].lower() if X_TRACE_ID_EXT in fields else b""
    if is_trace_id(trace_id):
        found.append(TraceContext(trace_id, b"", sampling_hint(fields), False, "x-trace-id-ext"))
    return found
