"""Mirroring: which sessions of a route are copied, and to which lane. Frozen; made by ``config/compile.py``."""

from dataclasses import dataclass

from tracer_proxy.limits import MIRROR_S
from tracer_proxy.routing.bucket import BUCKETS, bucket, seed
from tracer_proxy.routing.lane import Lane


@dataclass(frozen=True, slots=True)
class Mirror:
    lane: Lane
    """The route's shadow lane."""
    below: int
    """Sessions in the buckets below it are copied: growing the share only adds sessions."""
    seed: int
    compare: bool = False
    """Answers are read and held against the original's, instead of thrown away unread."""
    timeout: float = MIRROR_S
    """Seconds from the sending of a copy to the end of its answer."""

    @classmethod
    def of(cls, route: str, lane: Lane, percent: float, *, compare: bool, timeout: float) -> "Mirror":
        """Salted by the route, and apart from its split: which lane a session is on says nothing of whether it is copied."""
        return cls(lane, round(percent * BUCKETS / 100), seed(f"mirror/{route}"), compare, timeout)

    def takes(self, session_key: bytes) -> bool:
        return bucket(session_key, self.seed) < self.below
