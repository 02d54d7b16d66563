"""Which spans failed, and of what (semantic conventions, HTTP spans, section Status)."""

from tracer_proxy.errors import VERDICTS, Kind, Side
from tracer_proxy.telemetry.outcome import CLIENT_GONE_STATUS, client_error_type, server_error_type
from tracer_proxy.telemetry.record import Attempt, Record

SIDES: dict[str, Side] = {kind.value: side for kind, (_, side) in VERDICTS.items()}
"""Who has to change something, by the kind of an error."""


def is_client_gone(record: Record) -> bool:
    """It left before it had its answer, which is nobody's fault."""
    return record.status == CLIENT_GONE_STATUS or record.error == Kind.CLIENT_GONE


def server_error(record: Record) -> str:
    """``error.type`` of the inbound leg; empty when it did not fail. 4xx is the caller's fault, so it is no error here."""
    return server_error_type(0 if is_client_gone(record) else record.status, record.error)


def client_error(attempt: Attempt) -> str:
    """``error.type`` of an outbound leg. 4xx is an error here: this side has asked."""
    return client_error_type(attempt.status or 0, attempt.error)
