"""Which spans failed, and of what (semantic conventions, HTTP spans, section Status)."""

from tracer_proxy.errors import VERDICTS, Kind, Side
from tracer_proxy.telemetry.record import Attempt, Record

SIDES: dict[str, Side] = {kind.value: side for kind, (_, side) in VERDICTS.items()}
"""Who has to change something, by the kind of an error."""

CLIENT_GONE_STATUS = 499


def is_client_gone(record: Record) -> bool:
    """It left before it had its answer, which is nobody's fault."""
    return record.status == CLIENT_GONE_STATUS or record.error == Kind.CLIENT_GONE


def server_error(record: Record) -> str:
    """``error.type`` of the inbound leg; empty when it did not fail. 4xx is the caller's fault, so it is no error here."""
    if is_client_gone(record):
        return ""
    if record.error and SIDES.get(record.error) is not Side.CLIENT:
        return record.error
    return str(record.status) if record.status >= 500 else ""


def client_error(attempt: Attempt) -> str:
    """``error.type`` of an outbound leg. 4xx is an error here: this side has asked."""
    if attempt.error and attempt.error != Kind.CLIENT_GONE:
        return attempt.error
    return str(attempt.status) if attempt.status is not None and attempt.status >= 400 else ""
