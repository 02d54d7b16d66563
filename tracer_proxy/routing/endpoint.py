"""One address of a pool, with what a worker knows of it."""

from tracer_proxy.limits import LATENCY_MEMORY_S, LATENCY_S_MAX
from tracer_proxy.routing.bucket import seed
from tracer_proxy.routing.health import Health
from tracer_proxy.routing.tls import ClientTls
from tracer_proxy.telemetry.http_meters import HttpClientMeter
from tracer_proxy.telemetry.meters import EndpointMeter

_LEARNS_AT_LEAST = 0.05
"""Of each new latency, however little time has passed: the worker's clock is coarse."""
_ABOUT_EQUAL = 1.1
"""Fading alone would come ever nearer and never arrive."""


class Endpoint:
    """``pending`` counts exchanges under way; balancing reads it, the data plane writes it."""

    __slots__ = (
        "_latency_at",
        "authority",
        "credit",
        "health",
        "host",
        "http_meter",
        "latency",
        "meter",
        "path",
        "pending",
        "port",
        "salt",
        "share",
        "tls",
        "weight",
    )

    def __init__(
        self, host: str = "", port: int = 0, tls: ClientTls | None = None, path: str = "", weight: float = 1.0
    ) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.path = path
        """Of a Unix socket; host and port are then empty."""
        default_port = 443 if tls else 80
        shown = f"[{host}]" if ":" in host else host
        self.authority = b"localhost" if path else (shown if port == default_port else f"{shown}:{port}").encode()
        """What the endpoint sees as ``Host``."""
        self.weight = weight
        self.share = weight
        """The weight, or less of it in a slow start."""
        self.pending = 0
        self.health = Health()
        self.latency = 0.0
        """Seconds until the first byte of an answer: peaks at once, and fades. 0 before there was one."""
        self._latency_at = 0.0
        self.credit = 0.0
        """What weighted turns owe it."""
        self.salt = seed(str(self))
        self.meter: EndpointMeter
        """Given by whoever counts, as the next one."""
        self.http_meter: HttpClientMeter

    @property
    def server(self) -> tuple[str, int]:
        """``server.address`` and ``server.port`` of OpenTelemetry: a Unix socket has its path, and port 0."""
        return self.path or self.host, self.port

    def __str__(self) -> str:
        scheme = "https" if self.tls else "http"
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix:{self.path}" if self.path else f"{scheme}://{shown}:{self.port}"

    def answered_after(self, seconds: float, now: float) -> None:
        """A peak counts at once, so that an endpoint that has become slow is left alone soon."""
        if seconds > self.latency:
            self.latency = seconds
        else:
            learns = max(min((now - self._latency_at) / LATENCY_MEMORY_S, 1.0), _LEARNS_AT_LEAST)
            self.latency += (seconds - self.latency) * learns
        self._latency_at = now

    def fade(self, least: float, now: float) -> None:
        """Less and less is held against it while nobody measures it, until it counts as fast as the fastest: never as faster,
        or one that hangs would draw traffic."""
        if self.latency > least:
            faded = self.latency + (least - self.latency) * min((now - self._latency_at) / LATENCY_MEMORY_S, 1.0)
            self.latency = faded if faded > least * _ABOUT_EQUAL else least
            self._latency_at = now

    def failed_at(self, now: float) -> None:
        """One that fails fast must not look fast."""
        self.latency = min(max(self.latency * 2, 0.1), LATENCY_S_MAX)
        self._latency_at = now
