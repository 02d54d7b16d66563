"""What follows when an attempt has failed: another one after a pause, the next pool, or nothing.

An exchange makes one of these when its first attempt fails; those that succeed at once never have one.
"""

import asyncio
from typing import TYPE_CHECKING

from tracer_proxy.dataplane.clock import NEVER
from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.retry import CONNECT

if TYPE_CHECKING:
    from tracer_proxy.dataplane.attempts import Attempts
    from tracer_proxy.routing.route import Route


class Retries:
    __slots__ = ("_attempts_left", "_exchange", "_made", "_route", "_stand_ins", "_timer", "attempts", "tried")

    def __init__(self, exchange: "Attempts", route: "Route") -> None:
        self._exchange = exchange
        self._route = route
        self._attempts_left = route.retries.attempts - 1
        """At the present pool."""
        self._made = 0
        self.attempts = 0 if exchange.endpoint is None else 1
        """In all; the one under way counts."""
        self._stand_ins = iter(exchange.lane.stand_ins)
        self._timer: asyncio.TimerHandle | None = None
        self.tried: list[Endpoint] = []
        """Of the present pool; a retry goes to another one if it can."""

    def follow(self, outcome: str) -> bool:
        """Arranges what comes after a failure. False when that is nothing: then the error is the answer."""
        if outcome in self._route.retries.outcomes:
            pause_s = self.pause_s()
            if pause_s is not None:
                self.again_after(pause_s)
                return True
        return outcome == CONNECT and self.fail_over()

    def pause_s(self, told_s: float = 0.0) -> float | None:
        """The pause before another attempt, which is taken out of the budget; ``None`` when there must be none.

        ``told_s`` is how long the endpoint wants to be left alone.
        """
        if not self._attempts_left:
            return None
        worker = self._exchange.worker
        pause_s = self._route.retries.pause(self._made + 1, told_s, worker.dice)
        return pause_s if pause_s is not None and self._route.budget.spend(worker.clock.now) else None

    def again_after(self, pause_s: float) -> None:
        exchange = self._exchange
        assert exchange.endpoint is not None
        self.tried.append(exchange.endpoint)
        self._attempts_left -= 1
        self._made += 1
        exchange.downstream.deadline = NEVER
        exchange.downstream.regulate()
        self._timer = exchange.worker.loop.call_later(pause_s, exchange.connect)

    def fail_over(self) -> bool:
        """Goes on with the next pool, at once and whatever the budget says. False when there is none."""
        lane = next(self._stand_ins, None)
        if lane is None:
            return False
        self._attempts_left = self._route.retries.attempts - 1
        self.tried.clear()
        if lane.meter is not self._exchange.lane.meter:
            lane.meter.fallbacks += 1
        self._exchange.lane = lane
        self._exchange.connect()
        return True

    @property
    def per_try_s(self) -> float | None:
        """How long the attempt under way may wait for its answer; the last one at a pool as long as the route says."""
        return self._route.retries.per_try if self._attempts_left else None

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
