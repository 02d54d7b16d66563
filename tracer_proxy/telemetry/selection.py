"""Which exchanges failed, and which are exported; decided when they have ended."""

from tracer_proxy.errors import Kind
from tracer_proxy.genai.rpc_names import rpc_error
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.spans.status import server_error


def is_exported(record: Record, *, errors: bool, slower_s: float | None) -> bool:
    """Sampled, or failed while ``errors`` are wanted, be it only an attempt, or longer than ``slower_s``."""
    if record.sampled or (errors and (has_failed(record) or _has_failed_attempt(record))):
        return True
    return slower_s is not None and record.ended - record.began > slower_s


def has_failed(record: Record) -> bool:
    """The caller got an error that is no fault of its own, or an answer, even of 200, says that the call failed."""
    if server_error(record) or (record.answered is not None and record.answered.error):
        return True
    return rpc_error(record.rpc_answered) is not None


def _has_failed_attempt(record: Record) -> bool:
    return any(
        attempt.error not in ("", Kind.CLIENT_GONE) or (attempt.status is not None and attempt.status >= 500)
        for attempt in record.attempts
    )
