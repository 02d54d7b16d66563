"""The header names that carry trace context, baggage and colour, in lower case."""

TRACEPARENT = b"traceparent"
TRACESTATE = b"tracestate"
BAGGAGE = b"baggage"
B3 = b"b3"
X_B3_TRACEID = b"x-b3-traceid"
X_B3_SPANID = b"x-b3-spanid"
X_B3_PARENTSPANID = b"x-b3-parentspanid"
X_B3_SAMPLED = b"x-b3-sampled"
X_B3_FLAGS = b"x-b3-flags"
X_TRACE_ID_EXT = b"x-trace-id-ext"
X_TRAFFIC_COLOR = b"x-traffic-color"
X_SHADOW = b"x-tracer-proxy-shadow"
"""Marks what is done for a copy's sake, so that it can be left without side effects."""

TRACE_FIELDS: frozenset[bytes] = frozenset(
    {
        TRACEPARENT,
        TRACESTATE,
        BAGGAGE,
        B3,
        X_B3_TRACEID,
        X_B3_SPANID,
        X_B3_PARENTSPANID,
        X_B3_SAMPLED,
        X_B3_FLAGS,
        X_TRACE_ID_EXT,
        X_TRAFFIC_COLOR,
    }
)
"""What is removed from a request before one coherent set is written: two contexts side by side would split the trace."""
