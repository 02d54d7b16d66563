"""Exchanges that the proxy itself had to end, in the log: each kind at most once per second, the rest counted."""

import time
from collections import Counter
from collections.abc import Mapping

from tracer_proxy.control.events import Events
from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import FAILURE_LOG_INTERVAL_S


class FailureLog:
    def __init__(self, events: Events, interval_s: float = FAILURE_LOG_INTERVAL_S) -> None:
        self._events = events
        self._interval_s = interval_s
        self._silent_until: dict[Kind, float] = {}
        self._untold: Counter[Kind] = Counter()

    def tell(self, error: ProxyError, details: Mapping[str, str]) -> None:
        """Clients that go away are everyday life and only counted, in ``/api/status``."""
        if error.kind is Kind.CLIENT_GONE:
            return
        now = time.monotonic()
        if now < self._silent_until.get(error.kind, 0.0):
            self._untold[error.kind] += 1
            return
        self._silent_until[error.kind] = now + self._interval_s
        untold = self._untold.pop(error.kind, 0)
        more = {"more_since_last": untold} if untold else {}
        self._events.write(
            "exchange_failed",
            level="warning",
            kind=error.kind,
            side=error.side,
            status=error.status,
            message=error.message,
            **details,
            **more,
        )
