"""What counts as failed, and as what: the one rule for ``error.type`` in spans, metrics and the log.

By the conventions for HTTP (spans, section Status): 4xx is the caller's fault, so it is no error of the leg that comes in, but
one of the leg that goes out, for that side has asked. That a client left is nobody's fault.
"""

from tracer_proxy.errors import VERDICTS, Kind, Side

CLIENT_GONE_STATUS, _ = VERDICTS[Kind.CLIENT_GONE]
"""Stands for no status at all: none was sent."""
_CLIENT_FAULTS = frozenset(kind.value for kind, (_, side) in VERDICTS.items() if side is Side.CLIENT)
_CLIENT_GONE = Kind.CLIENT_GONE.value


def server_error_type(status: int, kind: str) -> str:
    """Of the inbound leg; empty when it did not fail. ``kind`` is that of the proxy's own error, empty without one."""
    if kind == _CLIENT_GONE:
        return ""
    if kind and kind not in _CLIENT_FAULTS:
        return kind
    return str(status) if status >= 500 else ""


def client_error_type(status: int, kind: str) -> str:
    """Of an attempt. ``status`` is 0 when there was no answer."""
    if kind and kind != _CLIENT_GONE:
        return kind
    return str(status) if status >= 400 else ""
