"""The colour a request brings along."""

import re
from collections.abc import Mapping

from tracer_proxy.context.baggage import member
from tracer_proxy.context.names import BAGGAGE, X_TRAFFIC_COLOR
from tracer_proxy.limits import COLOR_BYTES_MAX

_match_color = re.compile(rb"[a-z0-9][a-z0-9._-]{0,%d}" % (COLOR_BYTES_MAX - 1)).fullmatch


def is_color(value: bytes) -> bool:
    """1 to 32 characters of ``a-z0-9._-``, the first a letter or a digit: safe in every header, label, log and file name."""
    return _match_color(value) is not None


def inbound_color(fields: Mapping[bytes, bytes]) -> bytes:
    """The colour in ``x-traffic-color``, else in the baggage member ``color``; ``b""`` if neither holds a valid one.

    ``fields`` is shaped as for ``trace.extract``. Whether the sender is to be believed is the caller's decision.
    """
    value = fields.get(X_TRAFFIC_COLOR)
    if value is not None and is_color(value):
        return value
    baggage = fields.get(BAGGAGE)
    if baggage is not None:
        value = member(baggage, b"color")
        if value is not None and is_color(value):
            return value
    return b""
