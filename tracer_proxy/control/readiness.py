"""Whether the proxy takes traffic, for probes and for the metric that follows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Readiness:
    draining: bool
    wanted: int
    """Workers."""
    ready: int
    """Those that route by the config in force."""
    crash_loops: Mapping[str, str]
    """By process: what is the matter with it."""

    @property
    def status(self) -> str:
        if self.draining:
            return "draining"
        if not self.ready:
            return "no worker is ready"
        return "degraded" if self.ready < self.wanted or self.crash_loops else "ready"

    @property
    def is_ready(self) -> bool:
        """A part of the workers is better than none: they have the listeners for themselves."""
        return self.status in ("ready", "degraded")

    def shown(self) -> dict[str, Any]:
        workers = {"wanted": self.wanted, "ready": self.ready}
        return {"status": self.status, "workers": workers, "crash_loops": dict(self.crash_loops)}
