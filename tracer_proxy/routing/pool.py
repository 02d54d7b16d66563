"""Pools: named endpoints, and which of them is next."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from tracer_proxy.routing.circuit import Circuit, CircuitLimits
from tracer_proxy.routing.tls import ClientTls
from tracer_proxy.telemetry.meters import EndpointMeter

Dice = Callable[[], float]
"""A random number in [0, 1)."""


class Endpoint:
    """One address of a pool. ``pending`` counts exchanges under way; balancing reads it, the data plane writes it."""

    __slots__ = ("authority", "host", "meter", "path", "pending", "port", "tls")

    def __init__(self, host: str = "", port: int = 0, tls: ClientTls | None = None, path: str = "") -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.path = path
        """Of a Unix socket; host and port are then empty."""
        default_port = 443 if tls else 80
        shown = f"[{host}]" if ":" in host else host
        self.authority = b"localhost" if path else (shown if port == default_port else f"{shown}:{port}").encode()
        """What the endpoint sees as ``Host``."""
        self.pending = 0
        self.meter: EndpointMeter
        """Given by whoever counts."""

    def __str__(self) -> str:
        scheme = "https" if self.tls else "http"
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"unix:{self.path}" if self.path else f"{scheme}://{shown}:{self.port}"


class Balance(ABC):
    """Picks one of ``endpoints``, of which there are at least two."""

    @abstractmethod
    def pick(self, endpoints: Sequence[Endpoint], dice: Dice) -> Endpoint: ...


class RoundRobin(Balance):
    def __init__(self) -> None:
        self._next = 0

    def pick(self, endpoints: Sequence[Endpoint], dice: Dice) -> Endpoint:
        chosen = endpoints[self._next % len(endpoints)]
        self._next += 1
        return chosen


class LeastPending(Balance):
    """The fewest exchanges under way; among equals in turn, so that an idle pool is used evenly."""

    def __init__(self) -> None:
        self._start = 0

    def pick(self, endpoints: Sequence[Endpoint], dice: Dice) -> Endpoint:
        count = len(endpoints)
        start = self._start = (self._start + 1) % count
        best = endpoints[start]
        for offset in range(1, count):
            endpoint = endpoints[(start + offset) % count]
            if endpoint.pending < best.pending:
                best = endpoint
        return best


class Random(Balance):
    def pick(self, endpoints: Sequence[Endpoint], dice: Dice) -> Endpoint:
        return endpoints[int(dice() * len(endpoints))]


BALANCES: dict[str, type[Balance]] = {"round_robin": RoundRobin, "least_pending": LeastPending, "random": Random}


class Pool:
    """``headers`` are set on every request to this pool in place of the caller's; ``keeps_host`` passes the caller's Host."""

    __slots__ = (
        "_balance",
        "circuit",
        "endpoints",
        "failure_statuses",
        "header_block",
        "header_names",
        "idle_s",
        "keeps_host",
        "name",
    )

    def __init__(
        self,
        name: str,
        endpoints: Sequence[Endpoint],
        balance: Balance,
        *,
        headers: Sequence[tuple[str, str]] = (),
        keeps_host: bool = False,
        idle_s: float,
        limits: CircuitLimits | None = None,
    ) -> None:
        self.name = name
        self.endpoints = tuple(endpoints)
        self._balance = balance
        self.header_block = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
        self.header_names = frozenset(name.lower().encode() for name, _ in headers)
        self.keeps_host = keeps_host
        self.idle_s = idle_s
        self.circuit = Circuit(limits or CircuitLimits())
        self.failure_statuses = frozenset((502, 503, 504))

    def adopt(self, previous: "Pool") -> None:
        """After a reload: endpoints that are still there stay themselves, with all that is counted on them."""
        before = {(str(endpoint), endpoint.tls): endpoint for endpoint in previous.endpoints}
        self.endpoints = tuple(before.get((str(endpoint), endpoint.tls), endpoint) for endpoint in self.endpoints)
        self.circuit, limits = previous.circuit, self.circuit.limits
        self.circuit.limits = limits

    def pick(self, dice: Dice, key: bytes, tried: Sequence[Endpoint] = ()) -> Endpoint | None:
        """``None`` when nobody is available; one that is not among ``tried`` if there is one."""
        endpoints = self.endpoints
        if tried:
            endpoints = tuple(endpoint for endpoint in endpoints if endpoint not in tried) or endpoints
        return endpoints[0] if len(endpoints) == 1 else self._balance.pick(endpoints, dice)

    def succeeded(self, endpoint: Endpoint, seconds: float, now: float) -> None:
        """An attempt went well; ``seconds`` from the request to the first byte of the answer."""

    def failed(self, endpoint: Endpoint, now: float) -> None:
        """An attempt failed, and the endpoint is to blame."""
