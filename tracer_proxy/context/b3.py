"""B3, single and multiple headers, read strictly (https://github.com/openzipkin/b3-propagation).

A ``b3`` header that breaks the format counts as absent as a whole; of the ``x-b3-*`` headers each counts for itself.
Sampling has three answers: yes, no, and ``None`` for B3's *defer*: nobody has decided yet.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from tracer_proxy.context.ids import TRACE_ID_DIGITS, is_span_id, is_trace_id
from tracer_proxy.context.names import B3, X_B3_FLAGS, X_B3_SAMPLED, X_B3_SPANID, X_B3_TRACEID

_SHORT_TRACE_ID_DIGITS: Final = 16
_DEBUG = b"d"
# The parent of the caller's span is checked, not used: some tracers write zeros for a root.
_match_single = re.compile(
    rb"(?!0+-)([0-9a-f]{32}|[0-9a-f]{16})-(?!0{16})([0-9a-f]{16})(?:-([01d])(?:-[0-9a-f]{16})?)?"
).fullmatch
_STATES: dict[bytes, bool] = {b"0": False, b"1": True, _DEBUG: True}
# Tracers older than the specification say true and false.
_SAMPLED: dict[bytes, bool] = {b"0": False, b"1": True, b"false": False, b"true": True}


class B3Context(NamedTuple):
    """What a B3 caller said; the trace id is padded to 32 digits."""

    trace_id: bytes
    span_id: bytes
    sampled: bool | None
    debug: bool


def read_single(value: bytes) -> B3Context | None:
    """Read ``{trace}-{span}[-{0|1|d}[-{parent}]]``. A sampling state alone holds no ids: see ``sampling_hint``."""
    match = _match_single(value)
    if match is None:
        return None
    trace_id, span_id, state = match.groups()
    return B3Context(_padded(trace_id), span_id, _STATES.get(state), state == _DEBUG)


def read_multi(fields: Mapping[bytes, bytes]) -> B3Context | None:
    """Read ``x-b3-traceid`` and ``x-b3-spanid`` with the sampling state that goes with them."""
    trace_id = _padded(fields.get(X_B3_TRACEID, b""))
    span_id = fields.get(X_B3_SPANID, b"")
    if not is_trace_id(trace_id) or not is_span_id(span_id):
        return None
    sampled = sampling_hint(fields)
    return B3Context(trace_id, span_id, sampled, sampled is True and fields.get(X_B3_FLAGS) == b"1")


def sampling_hint(fields: Mapping[bytes, bytes]) -> bool | None:
    """The sampling state that a caller sent without ids: ``b3: 0`` means do not sample; ``None`` when there is none.

    ``b3`` goes before ``x-b3-*``, and the debug flag implies yes.
    """
    state = _STATES.get(fields.get(B3, b""))
    if state is not None:
        return state
    if fields.get(X_B3_FLAGS) == b"1":
        return True
    return _SAMPLED.get(fields.get(X_B3_SAMPLED, b""))


def _padded(trace_id: bytes) -> bytes:
    """A 64-bit trace id as 128 bits; any other value as it is."""
    return trace_id.rjust(TRACE_ID_DIGITS, b"0") if len(trace_id) == _SHORT_TRACE_ID_DIGITS else trace_id
