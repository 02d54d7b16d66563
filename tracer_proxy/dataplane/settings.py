"""What listeners and connections of one worker are bound by; routes bring their own limits in the table."""

from dataclasses import dataclass

from tracer_proxy.limits import (
    CLIENT_CONNECTIONS_MAX,
    CLIENT_IDLE_S,
    DNS_TTL_S,
    DRAIN_S,
    EXCHANGES_MAX,
    HEAD_BYTES_MAX,
    HEAD_S,
)


@dataclass(frozen=True, slots=True)
class ListenerTls:
    """TLS of the listeners on TCP. It names files and never holds what is in them."""

    cert: str
    key: str
    client_ca: str = ""
    """A file with the certificates of those who sign clients'; empty if clients need none."""
    version: str = ""
    """A fingerprint of the files' content: new content makes a new description."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Waits in seconds."""

    head_s: float = HEAD_S
    """From a connection's first byte of a request to the end of its head."""
    keep_alive_s: float = CLIENT_IDLE_S
    """Between two requests of a connection."""
    head_bytes_max: int = HEAD_BYTES_MAX
    connections_max: int = CLIENT_CONNECTIONS_MAX
    exchanges_max: int = EXCHANGES_MAX
    """Under way at once."""
    drain_s: float = DRAIN_S
    """For exchanges under way, once the worker has been told to end."""
    tls: ListenerTls | None = None
    dns_ttl_s: float = DNS_TTL_S
    """How long the addresses of an endpoint's name are used before it is looked up again."""
