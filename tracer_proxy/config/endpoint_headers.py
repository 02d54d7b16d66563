"""Headers that a pool adds to its requests: which names it may set, and what a value may hold."""

import re
from typing import Annotated

from tracer_proxy.config.matchers import read_header_name
from tracer_proxy.config.values import Form, text, wrong
from tracer_proxy.context.names import TRACE_FIELDS
from tracer_proxy.routing.table import FORWARDED_FIELDS
from tracer_proxy.wire.fields import FRAMING, HOP_BY_HOP

_VALUE = re.compile(r"[!-~](?:[\t -~]*[!-~])?")
_TRACE = frozenset(name.decode() for name in TRACE_FIELDS)
_HOPS = frozenset(name.decode() for name in FORWARDED_FIELDS) | {"via"}
_CONNECTION = frozenset(name.decode() for name in FRAMING | HOP_BY_HOP) | {"trailer", "expect"}


def _read_pool_header_name(value: object) -> str:
    """The spelling stays: it is what the endpoint sees."""
    lower = read_header_name(value)
    if lower == "host":
        raise wrong("expected another header; what the endpoint sees as Host is chosen by the pool's key 'host'")
    if lower in _TRACE:
        raise wrong("expected another header; trace and colour headers are written by the proxy")
    if lower in _HOPS:
        raise wrong("expected another header; Via and the X-Forwarded- headers are written by the proxy")
    if lower in _CONNECTION:
        raise wrong("expected another header; this one belongs to a connection or a body, and the proxy writes it")
    return str(value)


def _read_pool_header_value(value: object) -> str:
    found = text(value, "a header value")
    if found != found.strip():
        raise wrong("expected a header value without white space or a line break at its ends")
    if not _VALUE.fullmatch(found):
        raise wrong("expected a header value of visible ASCII characters, not empty and without control characters")
    return found


PoolHeaderName = Annotated[str, Form("header name", _read_pool_header_name, {"type": "string"})]
PoolHeaderValue = Annotated[str, Form("text", _read_pool_header_value, {"type": "string"})]
