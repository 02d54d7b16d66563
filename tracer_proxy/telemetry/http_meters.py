"""What a worker counts of HTTP by OpenTelemetry's conventions: ``http.server.*`` and ``http.client.*``.

A series is told by a tuple as the hot path has it; the text of its labels is made once a second, when it is collected. What
varies with a caller or an upstream (methods, statuses) is bounded: beyond that it counts as ``other``.
"""

from bisect import bisect_left

from tracer_proxy.limits import HTTP_SERIES_MAX
from tracer_proxy.telemetry import catalogue
from tracer_proxy.telemetry.catalogue import HTTP_BUCKETS_S
from tracer_proxy.telemetry.collected import Collected, Family
from tracer_proxy.telemetry.outcome import CLIENT_GONE_STATUS, client_error_type, server_error_type

_METHODS = frozenset((b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"CONNECT", b"OPTIONS", b"TRACE", b"PATCH"))
_OTHER_METHOD = b"_OTHER"
_OTHER = "other"
_OTHER_STATUS = -1

_ServerKey = tuple[bytes, int, str, bool, bool]
"""Method, status, error, over TLS, HTTP/1.1."""
_ClientKey = tuple[bytes, int, str]


class HttpServerMeter:
    """Exchanges with callers, for one ``http_route``; empty for those that no route took."""

    __slots__ = ("_family", "http_route")

    def __init__(self, http_route: str) -> None:
        self.http_route = http_route
        self._family: Family[_ServerKey] = Family(HTTP_BUCKETS_S, HTTP_SERIES_MAX, _other_server)

    def done(
        self,
        method: bytes,
        status: int,
        error: str,
        is_https: bool,
        version_1_1: bool,
        seconds: float,
        trace_id: bytes,
        span_id: bytes,
    ) -> None:
        """``status`` is what the caller got, 0 for nothing; ``error`` the kind of what ended it, else empty.

        ``seconds`` run from the request's head to the end of the answer. Ids are empty when the trace is not sampled.
        """
        if method not in _METHODS:
            method = _OTHER_METHOD
        histogram = self._family[method, status, error, is_https, version_1_1]
        # As ``Histogram.observe``, without the call.
        counts = histogram.counts
        counts[bisect_left(HTTP_BUCKETS_S, seconds)] += 1
        counts[-1] += seconds
        if trace_id and seconds >= histogram.slowest:
            histogram.slowest, histogram.spans = seconds, (trace_id, span_id)

    def collect(self, into: Collected) -> None:
        for (method, status, error, is_https, version_1_1), histogram in self._family.items():
            if any(histogram.counts):
                scheme, version = "https" if is_https else "http", "1.1" if version_1_1 else "1.0"
                failed = error if status == _OTHER_STATUS else server_error_type(status, error)
                # To a client that left first, no status was sent.
                sent = "" if status == CLIENT_GONE_STATUS else _status(status)
                labels = (method.decode(), self.http_route, sent, failed, scheme, version)
                into.observe(catalogue.SERVER_DURATION, labels, histogram)


class HttpClientMeter:
    """Attempts at one server, for all pools that have it. A Unix socket has its path as the address and port 0."""

    __slots__ = ("_family", "_server")

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, str(port) if port else "")
        self._family: Family[_ClientKey] = Family(HTTP_BUCKETS_S, HTTP_SERIES_MAX, _other_client)

    def done(self, method: bytes, status: int, error: str, seconds: float, trace_id: bytes, span_id: bytes) -> None:
        """One attempt has ended. ``status`` is 0 when there was no answer; the rest as in ``HttpServerMeter.done``."""
        if method not in _METHODS:
            method = _OTHER_METHOD
        histogram = self._family[method, status, error]
        counts = histogram.counts
        counts[bisect_left(HTTP_BUCKETS_S, seconds)] += 1
        counts[-1] += seconds
        if trace_id and seconds >= histogram.slowest:
            histogram.slowest, histogram.spans = seconds, (trace_id, span_id)

    def collect(self, into: Collected) -> None:
        for (method, status, error), histogram in self._family.items():
            if any(histogram.counts):
                # To its endpoints the proxy speaks HTTP/1.1 and nothing else.
                failed = error if status == _OTHER_STATUS else client_error_type(status, error)
                labels = (method.decode(), *self._server, _status(status), failed, "1.1")
                into.observe(catalogue.CLIENT_DURATION, labels, histogram)


def _status(status: int) -> str:
    return str(status) if status > 0 else _OTHER if status == _OTHER_STATUS else ""


def _other_server(key: _ServerKey) -> _ServerKey:
    return _OTHER_METHOD, _OTHER_STATUS, _OTHER, *key[3:]


def _other_client(key: _ClientKey) -> _ClientKey:
    return _OTHER_METHOD, _OTHER_STATUS, _OTHER
