"""What the proxy answers itself: the one place where an error becomes bytes."""

import json
from http import HTTPStatus
from typing import Any

from tracer_proxy.errors import Kind, ProxyError

_RETRY_AFTER = (Kind.NO_ENDPOINT, Kind.POOL_FULL, Kind.OVERLOADED, Kind.DRAINING)
_REASONS = {status.value: status.phrase for status in HTTPStatus}


def error_response(error: ProxyError, trace_id: bytes, llm_api: str, *, with_body: bool, keep: bool) -> bytes:
    """A whole response. ``llm_api`` adds the provider's error shape, so that official SDKs raise their normal exception."""
    body = json.dumps(_body(error, trace_id.decode(), llm_api)).encode()
    lines = [
        f"HTTP/1.1 {error.status} {_REASONS.get(error.status, 'Error')}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        "x-tracer-proxy: error",
        f"x-trace-id-ext: {trace_id.decode()}",
        *(["retry-after: 1"] if error.kind in _RETRY_AFTER else []),
        "connection: " + ("keep-alive" if keep else "close"),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (body if with_body else b"")


def _body(error: ProxyError, trace_id: str, llm_api: str) -> dict[str, Any]:
    told: dict[str, Any] = {"kind": error.kind, "side": error.side, "message": error.message, "trace_id": trace_id}
    if llm_api == "openai":
        kind = "invalid_request_error" if error.status < 500 else "server_error"
        return {"error": told | {"type": kind, "param": None, "code": error.kind}}
    if llm_api == "anthropic":
        return {"type": "error", "error": told | {"type": _anthropic_type(error.status)}}
    if llm_api == "gemini":
        return {"error": told | {"code": error.status, "status": _GOOGLE_STATUS.get(error.status, "INTERNAL")}}
    return {"error": told}


def _anthropic_type(status: int) -> str:
    exact = {404: "not_found_error", 413: "request_too_large", 503: "overloaded_error"}
    return exact.get(status) or ("invalid_request_error" if status < 500 else "api_error")


_GOOGLE_STATUS = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    413: "INVALID_ARGUMENT",
    431: "INVALID_ARGUMENT",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
