"""Which sessions a lane has served, so that they may stay when it gets no new ones."""

from collections import OrderedDict

from tracer_proxy.limits import SESSIONS_NOTED_MAX, SESSIONS_REFRESH_S
from tracer_proxy.stitching.keys import Keys
from tracer_proxy.stitching.memory import Memory


class Served:
    """Times are Unix seconds."""

    def __init__(self, memory: Memory, keys: Keys) -> None:
        self._memory = memory
        self._keys = keys
        self._noted: OrderedDict[bytes, float] = OrderedDict()
        """What was written not long ago, the oldest first."""

    def note(self, route: str, lane: str, session: bytes, now: float) -> None:
        key = self._keys.lane_session(route.encode(), lane.encode(), session)
        if abs(now - self._noted.get(key, 0.0)) < SESSIONS_REFRESH_S:
            return
        self._noted[key] = now
        self._noted.move_to_end(key)
        if len(self._noted) > SESSIONS_NOTED_MAX:
            self._noted.popitem(last=False)
        self._memory.mark(key, now)

    def has(self, route: str, lane: str, session: bytes, now: float, within_s: float) -> bool:
        """Whether it was noted within so many seconds."""
        return self._memory.is_marked(self._keys.lane_session(route.encode(), lane.encode(), session), now, within_s)
