"""HTTP attributes of both legs (semantic conventions, HTTP spans; stable)."""

from tracer_proxy.telemetry.outcome import CLIENT_GONE_STATUS
from tracer_proxy.telemetry.record import Attempt, Record
from tracer_proxy.telemetry.redaction import redacted_query
from tracer_proxy.telemetry.spans.data import Attributes
from tracer_proxy.telemetry.spans.urls import cut, full_url, host_and_port

_METHODS = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"))
"""RFC 9110, section 9, RFC 5789, and QUERY."""
_TO_ENDPOINTS = "1.1"
"""The version that the proxy speaks."""


def method_in_name(method: str) -> str:
    """Any caller can invent a method, and names must stay few."""
    return method if method in _METHODS else "HTTP"


def server_attributes(record: Record) -> Attributes:
    host, port = host_and_port(record.host, record.scheme)
    found = _method(record.method)
    found |= {
        "url.scheme": record.scheme,
        "url.path": cut(record.path),
        "http.request.body.size": record.request_bytes,
        "http.response.body.size": record.response_bytes,
    }
    found |= _texts(
        ("url.query", cut(redacted_query(record.query))),
        ("http.route", record.http_route),
        ("network.protocol.version", record.version),
        ("server.address", host),
        ("client.address", record.client),
        ("network.peer.address", record.client),
        ("user_agent.original", cut(record.user_agent)),
    )
    if host and port:
        found["server.port"] = port
    if record.client and record.client_port:
        found["network.peer.port"] = record.client_port
    if record.status and record.status != CLIENT_GONE_STATUS:
        # 499 is never sent: there was nobody to send it to.
        found["http.response.status_code"] = record.status
    return found


def client_attributes(record: Record, attempt: Attempt, resend: int) -> Attributes:
    """``resend`` counts the attempts before this one."""
    found = _method(record.method)
    found |= {
        "url.full": full_url(attempt.scheme, attempt.host, attempt.port, record.target),
        "server.address": attempt.host,
        "network.protocol.version": _TO_ENDPOINTS,
    }
    if attempt.port:
        found["server.port"] = attempt.port
    if attempt.peer:
        found["network.peer.address"] = attempt.peer
        if attempt.port:
            found["network.peer.port"] = attempt.port
    if attempt.status is not None:
        found["http.response.status_code"] = attempt.status
    if resend:
        found["http.request.resend_count"] = resend
    return found


def _method(method: str) -> Attributes:
    if method in _METHODS:
        return {"http.request.method": method}
    return {"http.request.method": "_OTHER", "http.request.method_original": cut(method)}


def _texts(*pairs: tuple[str, str]) -> Attributes:
    return {name: text for name, text in pairs if text}
