"""Which endpoint of a pool is next. All policies honour the endpoints' shares; where these are equal, that costs nothing."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from math import ceil, log

from xxhash import xxh3_64_intdigest

from tracer_proxy.routing.endpoint import Endpoint

Dice = Callable[[], float]
"""A random number in [0, 1)."""

BOUND = 1.25
"""How much more than its share of what is under way an endpoint may have with ``consistent_hash``."""
_HASHES = 2.0**53


class Balance(ABC):
    """Picks one of ``endpoints``, of which there are at least two. ``is_even`` is set while all their shares are equal."""

    measures_latency = False

    def __init__(self) -> None:
        self.is_even = True

    @abstractmethod
    def pick(self, endpoints: Sequence[Endpoint], dice: Dice, key: bytes) -> Endpoint: ...


class RoundRobin(Balance):
    def __init__(self) -> None:
        super().__init__()
        self._next = 0

    def pick(self, endpoints: Sequence[Endpoint], dice: Dice, key: bytes) -> Endpoint:
        if not self.is_even:
            return _smoothly(endpoints)
        chosen = endpoints[self._next % len(endpoints)]
        self._next += 1
        return chosen


def _smoothly(endpoints: Sequence[Endpoint]) -> Endpoint:
    """Each gets its share as credit and the one with most pays for all: so turns of a heavy one lie apart."""
    total = 0.0
    for endpoint in endpoints:
        endpoint.credit += endpoint.share
        total += endpoint.share
    chosen = max(endpoints, key=_credit)
    chosen.credit -= total
    return chosen


def _credit(endpoint: Endpoint) -> float:
    return endpoint.credit


class LeastPending(Balance):
    """The fewest exchanges under way for its share; among equals in turn, so that an idle pool is used evenly."""

    def __init__(self) -> None:
        super().__init__()
        self._start = 0

    def pick(self, endpoints: Sequence[Endpoint], dice: Dice, key: bytes) -> Endpoint:
        if not self.is_even:
            least = min(endpoint.pending / endpoint.share for endpoint in endpoints)
            equals = [endpoint for endpoint in endpoints if endpoint.pending / endpoint.share == least]
            return equals[0] if len(equals) == 1 else _smoothly(equals)
        count = len(endpoints)
        start = self._start = (self._start + 1) % count
        best = endpoints[start]
        for offset in range(1, count):
            endpoint = endpoints[(start + offset) % count]
            if endpoint.pending < best.pending:
                best = endpoint
        return best


class Random(Balance):
    def pick(self, endpoints: Sequence[Endpoint], dice: Dice, key: bytes) -> Endpoint:
        return endpoints[int(dice() * len(endpoints))] if self.is_even else _by_share(endpoints, dice)


def _by_share(endpoints: Sequence[Endpoint], dice: Dice) -> Endpoint:
    left = dice() * sum(endpoint.share for endpoint in endpoints)
    for endpoint in endpoints:
        left -= endpoint.share
        if left < 0:
            return endpoint
    return endpoints[-1]


class TwoChoices(Balance):
    """The better of two drawn by lot: its latency times what it has under way (peak EWMA). Herds do not form."""

    measures_latency = True

    def pick(self, endpoints: Sequence[Endpoint], dice: Dice, key: bytes) -> Endpoint:
        if self.is_even:
            first = int(dice() * len(endpoints))
            # Any but the first, each as likely.
            second = (first + 1 + int(dice() * (len(endpoints) - 1))) % len(endpoints)
            one, other = endpoints[first], endpoints[second]
        else:
            # May be the same one twice, so that an idle pool is used by share.
            one, other = _by_share(endpoints, dice), _by_share(endpoints, dice)
        # Of one that has not answered yet nothing is known, so it counts as fast as the other.
        known = one.latency or other.latency or 1.0
        return one if _cost(one, known) <= _cost(other, one.latency or known) else other


def _cost(endpoint: Endpoint, otherwise: float) -> float:
    return (endpoint.latency or otherwise) * (1 + endpoint.pending / endpoint.share)


class ConsistentHash(Balance):
    """The same endpoint for a session key, on every replica; another one only for keys whose own has gone or is overloaded.

    Rendezvous hashing by weight: each endpoint draws a number for the key, the highest serves it. Who has more than ``BOUND``
    times its share of what is under way passes it to the next.
    """

    def pick(self, endpoints: Sequence[Endpoint], dice: Dice, key: bytes) -> Endpoint:
        per_share = BOUND * (sum(each.pending for each in endpoints) + 1) / sum(each.share for each in endpoints)
        best, highest = endpoints[0], -1.0
        for endpoint in endpoints:
            if endpoint.pending < ceil(per_share * endpoint.share):
                # Never 0 and never 1, in 53 bits: both would have no logarithm to divide by.
                drawn = ((xxh3_64_intdigest(key, endpoint.salt) >> 11) + 0.5) / _HASHES
                score = endpoint.share / -log(drawn)
                if score > highest:
                    best, highest = endpoint, score
        return best


BALANCES: dict[str, type[Balance]] = {
    "round_robin": RoundRobin,
    "least_pending": LeastPending,
    "random": Random,
    "p2c": TwoChoices,
    "consistent_hash": ConsistentHash,
}
