"""How much of a pool may be in use at once. Over a limit a request is refused at once, so that those under way can end."""

from dataclasses import dataclass

from tracer_proxy.limits import POOL_CONNECTIONS_MAX, POOL_PENDING_MAX, POOL_REQUESTS_MAX


@dataclass(frozen=True, slots=True)
class CircuitLimits:
    """Of one pool in one worker."""

    connections: int = POOL_CONNECTIONS_MAX
    """Open ones, idle ones among them, and those being dialled."""
    pending: int = POOL_PENDING_MAX
    """Exchanges that wait for a connection to be dialled."""
    requests: int = POOL_REQUESTS_MAX
    """Exchanges under way, and tunnels."""


class Circuit:
    """What of a pool is in use; the data plane counts. ``connections`` are open ones, ``pending`` those being dialled."""

    __slots__ = ("connections", "limits", "pending", "requests")

    def __init__(self, limits: CircuitLimits) -> None:
        self.limits = limits
        self.connections = 0
        self.pending = 0
        self.requests = 0

    @property
    def lacks_room(self) -> bool:
        """One more connection would be one too many."""
        return self.connections + self.pending >= self.limits.connections
