"""The journal: which calls a mock has seen, for tests and for people to look at.

It holds no times, so that two runs of the same traffic read the same, and no secrets: of the headers only those named
here are kept, of the request target only the path, and members of the body that are named like a key are blanked.
"""

from collections import deque
from collections.abc import Mapping
from typing import Any

from tracer_proxy import limits
from tracer_proxy.mocks import json_text

HEADERS = (
    "traceparent",
    "tracestate",
    "baggage",
    "x-trace-id-ext",
    "x-traffic-color",
    "x-session-id",
)
_SECRET_NAMES = frozenset({"authorization", "api_key", "api-key", "apikey", "x-api-key", "x-goog-api-key"})
_NULL = b"null"


class Journal:
    """The latest calls; the oldest give way when there are too many of them or they take too much room."""

    def __init__(self) -> None:
        self._calls: deque[bytes] = deque()
        self._bytes = 0
        self._count = 0

    def __repr__(self) -> str:
        return f"<Journal {len(self._calls)} calls, {self._count - len(self._calls)} dropped>"

    def add(self, *, method: str, path: str, headers: Mapping[str, str], request: Any, status: int, stream: bool) -> None:
        """Record one call. ``request`` is the JSON value that was sent, None if there was none that could be read.

        Calls are numbered from 1 since the journal was last emptied.
        """
        self._count += 1
        facts = {
            "number": self._count,
            "method": method,
            "path": path,
            "headers": {name: headers[name] for name in HEADERS if name in headers},
            "status": status,
            "stream": stream,
        }
        self._keep(_with_request(facts, request))

    def clear(self) -> int:
        """Forget every call; returns how many were held."""
        held = len(self._calls)
        self._calls.clear()
        self._bytes = self._count = 0
        return held

    def as_json(self) -> bytes:
        """``{"calls": [...], "dropped": n}``, oldest call first; ``dropped`` of them had to give way."""
        calls = b",".join(self._calls)
        return b'{"calls":[%b],"dropped":%d}' % (calls, self._count - len(self._calls))

    def _keep(self, call: bytes) -> None:
        self._calls.append(call)
        self._bytes += len(call)
        while len(self._calls) > limits.MOCK_JOURNAL_CALLS_MAX or self._bytes > limits.MOCK_JOURNAL_BYTES_MAX:
            self._bytes -= len(self._calls.popleft())


def _with_request(facts: dict[str, Any], request: Any) -> bytes:
    """The facts and the request as one JSON object; the request is written once, however large it is."""
    text = _NULL if request is None else json_text.write(_blanked(request))
    facts["request_bytes"] = 0 if request is None else len(text)
    if len(text) > limits.MOCK_JOURNAL_REQUEST_BYTES_MAX:
        text = _NULL
    return json_text.write(facts)[:-1] + b',"request":' + text + b"}"


def _blanked(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _blanked_member(name, member) for name, member in value.items()}
    return [_blanked(item) for item in value] if isinstance(value, list) else value


def _blanked_member(name: str, value: Any) -> Any:
    """Only texts are blanked: a tool's schema may well have an object named ``api_key``."""
    if isinstance(value, str) and name.lower() in _SECRET_NAMES:
        return "[redacted]"
    return _blanked(value)
