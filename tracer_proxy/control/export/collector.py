"""HTTP to a collector: one try of one batch, and what came of it.

The SDK's exporter says of a batch only whether it went well, sleeps between tries of its own, takes a redirection for success,
and does not look at what a collector rejected. A session of ours, which it is given, knows better.
"""

from email.utils import parsedate_to_datetime
from typing import Any

import requests
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tracer_proxy.control.export.not_taken import NotTaken

_TRANSIENT = frozenset((429, 502, 503, 504))
"""OTLP 1.x, section OTLP/HTTP Response: all others must not be sent again."""
_PROTOBUF = "application/x-protobuf"


class CollectorSession(requests.Session):
    """Raises ``NotTaken``, which the SDK's exporter does not answer with tries of its own."""

    def __init__(self) -> None:
        super().__init__()
        # Spans must not go through the proxy that makes them.
        self.trust_env = False
        self.failure: NotTaken | None = None
        self.rejected = 0
        """Spans of the last batch that the collector took without keeping them."""

    def request(self, *arguments: Any, **more: Any) -> requests.Response:
        self.failure, self.rejected = None, 0
        try:
            response = self._sent(*arguments, **more)
            if not 200 <= response.status_code < 300:
                raise _refusal(response)
        except NotTaken as failure:
            self.failure = failure
            raise
        except requests.RequestException as error:
            is_transient = isinstance(
                error, requests.ConnectionError | requests.Timeout | requests.exceptions.ChunkedEncodingError
            )
            self.failure = NotTaken(_why(error), is_transient=is_transient)
            raise self.failure from error
        except OSError as error:
            # A certificate that cannot be read.
            self.failure = NotTaken(str(error), is_transient=False)
            raise self.failure from error
        self.rejected = _rejected(response)
        return response

    def _sent(self, *arguments: Any, **more: Any) -> requests.Response:
        try:
            return super().request(*arguments, **more)
        except requests.Timeout:
            raise
        except requests.ConnectionError:
            # Mostly a kept connection that the collector has closed meanwhile.
            return super().request(*arguments, **more)


def _refusal(response: requests.Response) -> NotTaken:
    reason = f"it answered {response.status_code} {response.reason}".rstrip()
    return NotTaken(reason, is_transient=response.status_code in _TRANSIENT, wait_s=_retry_after(response))


def _retry_after(response: requests.Response) -> float:
    """Seconds. A date counts from the collector's own clock."""
    asked = response.headers.get("retry-after", "")
    if asked.isdecimal():
        return float(asked)
    try:
        return max(0.0, (parsedate_to_datetime(asked) - parsedate_to_datetime(response.headers["date"])).total_seconds())
    except (ValueError, KeyError, TypeError):
        return 0.0


def _rejected(response: requests.Response) -> int:
    if not response.content or not response.headers.get("content-type", "").startswith(_PROTOBUF):
        return 0
    try:
        answer = ExportTraceServiceResponse.FromString(response.content)
    except DecodeError:
        return 0
    return max(0, int(answer.partial_success.rejected_spans))


def _why(error: requests.RequestException) -> str:
    """Requests wraps what happened several times, and repeats addresses."""
    if isinstance(error, requests.exceptions.SSLError):
        return f"TLS failed: {_innermost(error)}"
    if isinstance(error, requests.ConnectTimeout):
        return "it did not accept a connection in time"
    if isinstance(error, requests.Timeout):
        return "it did not answer in time"
    return _innermost(error)


def _innermost(error: BaseException) -> str:
    while True:
        inner = getattr(error, "reason", None) or next(
            (each for each in reversed(error.args) if isinstance(each, BaseException)), None
        )
        if not isinstance(inner, BaseException):
            break
        error = inner
    return str(error).rpartition(">: ")[2] or type(error).__name__
