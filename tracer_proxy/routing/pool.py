"""Pools: endpoints that are as good as each other, and which of them may be used."""

from collections.abc import Sequence
from typing import NamedTuple

from tracer_proxy.routing.balance import Balance, Dice
from tracer_proxy.routing.circuit import Circuit, CircuitLimits
from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.health import Event, HealthRules, State


class Transition(NamedTuple):
    """An endpoint has changed its state."""

    endpoint: Endpoint
    before: State
    after: State
    reason: str


class Pool:
    """``headers`` are set on every request to this pool in place of the caller's; ``keeps_host`` passes the caller's Host."""

    __slots__ = (
        "_balance",
        "_measures_latency",
        "_moves",
        "_refreshed_at",
        "_transitions",
        "available",
        "circuit",
        "endpoints",
        "failure_statuses",
        "header_block",
        "header_names",
        "idle_s",
        "keeps_host",
        "name",
        "panics",
        "rules",
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
        rules: HealthRules | None = None,
    ) -> None:
        self.name = name
        self.endpoints = tuple(endpoints)
        self._balance = balance
        self._measures_latency = balance.measures_latency
        self.header_block = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
        self.header_names = frozenset(name.lower().encode() for name, _ in headers)
        self.keeps_host = keeps_host
        self.idle_s = idle_s
        self.circuit = Circuit(limits or CircuitLimits())
        self.rules = rules or HealthRules()
        self.failure_statuses = self.rules.statuses
        self.available = self.endpoints
        """Those to pick from, which changes with their states only."""
        self.panics = False
        """So few are usable that all are used."""
        self._transitions: list[Transition] = []
        self._moves = 0
        self._refresh(0.0)

    def pick(self, dice: Dice, key: bytes, tried: Sequence[Endpoint] = ()) -> Endpoint | None:
        """``None`` when nobody is available; one that is not among ``tried`` if there is one. ``key`` is the session's."""
        endpoints = self.available
        if tried:
            endpoints = tuple(endpoint for endpoint in endpoints if endpoint not in tried) or endpoints
        if len(endpoints) > 1:
            return self._balance.pick(endpoints, dice, key)
        return endpoints[0] if endpoints else None

    # What comes of exchanges and probes.

    def succeeded(self, endpoint: Endpoint, seconds: float, now: float) -> None:
        """An attempt went well; ``seconds`` from the request to the first byte of the answer."""
        if endpoint.health.failures or self.rules.success_rate:
            endpoint.health.exchange_succeeded(self.rules, now)
        if self._measures_latency:
            endpoint.answered_after(seconds, now)

    def failed(self, endpoint: Endpoint, now: float) -> None:
        """An attempt failed, and the endpoint is to blame."""
        reason = endpoint.health.exchange_failed(self.rules, now)
        if reason and self._may_eject():
            self._move(endpoint, Event.EJECTED, reason, now)
        if self._measures_latency:
            endpoint.failed_at(now)

    def probed(self, endpoint: Endpoint, failure: str, now: float) -> None:
        """A probe has ended; ``failure`` says why it failed, and is empty when it passed."""
        if self.rules.probe is None:
            return
        event = endpoint.health.probed(not failure, self.rules.probe)
        if event is not None:
            self._move(endpoint, event, failure or "its probes pass", now)

    def tick(self, now: float) -> list[Transition]:
        """Takes time into account; returns what has changed since it was called last."""
        for endpoint in self.endpoints:
            event = endpoint.health.due(now)
            if event is not None:
                self._move(endpoint, event, "its time is over" if event is Event.COOLED else "it has its full share", now)
        if self._measures_latency:
            self._fade(now)
        # An exchange that began before a reload tells the pool of then.
        if self._moves != self._moved() or any(endpoint.health.state is State.RECOVERING for endpoint in self.endpoints):
            self._refresh(now)
        # The list itself stays: the pool from before a reload, which exchanges still tell, has the same one.
        transitions = self._transitions.copy()
        self._transitions.clear()
        return transitions

    def _fade(self, now: float) -> None:
        """Else an endpoint that was slow or failed once would be left alone for ever, and nobody learned that it is well."""
        measured = [endpoint.latency for endpoint in self.available if endpoint.latency]
        if len(measured) > 1:
            least = min(measured)
            for endpoint in self.available:
                endpoint.fade(least, now)

    def _may_eject(self) -> bool:
        count = len(self.endpoints)
        ejected = sum(endpoint.health.state is State.EJECTED for endpoint in self.endpoints)
        usable = sum(endpoint.health.is_usable for endpoint in self.endpoints)
        return usable > 1 and ejected + 1 <= max(1, int(self.rules.ejected_max * count)) and self.rules.ejected_max > 0

    def _move(self, endpoint: Endpoint, event: Event, reason: str, now: float) -> None:
        before = endpoint.health.state
        if endpoint.health.take(event, self.rules, now):
            self._transitions.append(Transition(endpoint, before, endpoint.health.state, reason))
            self._refresh(now)

    def _moved(self) -> int:
        return sum(endpoint.health.moves for endpoint in self.endpoints)

    def _refresh(self, now: float) -> None:
        usable = tuple(endpoint for endpoint in self.endpoints if endpoint.health.is_usable)
        self.panics = len(usable) < self.rules.panic * len(self.endpoints)
        if not usable:
            # Only probes may empty a pool: ejected ones are better than none.
            usable = tuple(endpoint for endpoint in self.endpoints if endpoint.health.state is State.EJECTED)
        self.available = self.endpoints if self.panics else usable
        for endpoint in self.endpoints:
            endpoint.share = endpoint.weight * endpoint.health.share(self.rules, now)
        self._balance.is_even = len({endpoint.share for endpoint in self.available}) <= 1
        self._moves = self._moved()
        self._refreshed_at = now

    def adopt(self, previous: "Pool") -> None:
        """After a reload: endpoints that are still there stay themselves, with all that is counted on them."""
        before = {(str(endpoint), endpoint.tls): endpoint for endpoint in previous.endpoints}
        adopted = []
        for new in self.endpoints:
            endpoint = before.get((str(new), new.tls), new)
            endpoint.weight = new.weight
            if endpoint.health.state is State.UNHEALTHY and self.rules.probe is None:
                # Nobody would ever say that it is well again.
                endpoint.health = new.health
            adopted.append(endpoint)
        self.endpoints = tuple(adopted)
        self.circuit, limits = previous.circuit, self.circuit.limits
        self.circuit.limits = limits
        self._transitions = previous._transitions
        self._refresh(previous._refreshed_at)
