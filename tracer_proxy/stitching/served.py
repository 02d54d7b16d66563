"""Which lane has served a session last, so that it may stay there when the lane gets no new ones."""

from collections import OrderedDict
from collections.abc import Iterable

from tracer_proxy.limits import SESSIONS_NOTED_MAX, SESSIONS_REFRESH_S
from tracer_proxy.stitching.keys import Keys
from tracer_proxy.stitching.memory import Memory


class Served:
    """Times are Unix seconds."""

    def __init__(self, memory: Memory, keys: Keys) -> None:
        self._memory = memory
        self._keys = keys
        self._noted: OrderedDict[tuple[str, bytes], tuple[str, float]] = OrderedDict()
        """What was written not long ago, by route and session; the oldest first."""

    def note(self, route: str, lane: str, session: bytes, now: float) -> None:
        known, at = self._noted.get((route, session), ("", 0.0))
        if known == lane and abs(now - at) < SESSIONS_REFRESH_S:
            return
        self._noted[route, session] = lane, now
        self._noted.move_to_end((route, session))
        if len(self._noted) > SESSIONS_NOTED_MAX:
            self._noted.popitem(last=False)
        self._memory.mark(self._key(route, lane, session), now)

    def has(self, route: str, lane: str, others: Iterable[str], session: bytes, now: float, within_s: float) -> bool:
        """Whether the lane was noted within so many seconds, and none of the others since."""
        at = self._memory.marked_at(self._key(route, lane, session))
        if not at or abs(now - at) > within_s:
            return False
        return all(self._memory.marked_at(self._key(route, other, session)) <= at for other in others)

    def _key(self, route: str, lane: str, session: bytes) -> bytes:
        return self._keys.lane_session(route.encode(), lane.encode(), session)
