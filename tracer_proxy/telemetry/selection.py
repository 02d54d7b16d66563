"""Which exchanges are exported, decided when they have ended."""

from tracer_proxy.errors import Kind
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.spans.status import server_error


def is_exported(record: Record, *, errors: bool, slower_s: float | None) -> bool:
    """Sampled, or failed while ``errors`` are wanted, or longer than ``slower_s``."""
    if record.sampled or (errors and has_failed(record)):
        return True
    return slower_s is not None and record.ended - record.began > slower_s


def has_failed(record: Record) -> bool:
    """The caller got an error that is no fault of its own, an attempt failed, or an answer of 200 says that the call did."""
    if server_error(record) or (record.answered is not None and record.answered.error):
        return True
    if record.rpc_answered is not None and record.rpc_answered.error_code:
        return True
    return any(
        attempt.error not in ("", Kind.CLIENT_GONE) or (attempt.status is not None and attempt.status >= 500)
        for attempt in record.attempts
    )
