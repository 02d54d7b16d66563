"""Exchanges that the proxy itself had to end, for the log: each kind at most once per second, the rest counted."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import FAILURE_LOG_INTERVAL_S

WriteEvent = Callable[[dict[str, Any]], object]
"""Takes one event of the log: ``event``, ``level``, ``message`` and what else there is to say."""


class FailureLog:
    def __init__(self, write: WriteEvent, interval_s: float = FAILURE_LOG_INTERVAL_S) -> None:
        self._write = write
        self._interval_s = interval_s
        self._silent_until: dict[Kind, float] = {}
        self._untold: Counter[Kind] = Counter()

    def tell(self, error: ProxyError, details: Mapping[str, str]) -> None:
        """Clients that go away are everyday life and only counted."""
        if error.kind is Kind.CLIENT_GONE:
            return
        now = time.monotonic()
        if now < self._silent_until.get(error.kind, 0.0):
            self._untold[error.kind] += 1
            return
        self._silent_until[error.kind] = now + self._interval_s
        untold = self._untold.pop(error.kind, 0)
        told = {"event": "exchange_failed", "level": "warning", "message": error.message}
        more = {"more_since_last": untold} if untold else {}
        self._write({**told, "kind": error.kind, "side": error.side, "status": error.status, **details, **more})
