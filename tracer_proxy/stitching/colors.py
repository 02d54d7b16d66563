"""The colour of a trace or a session, for exchanges that come without one: an agent that drops headers keeps its lane."""

from collections import OrderedDict
from typing import Protocol

from tracer_proxy.context.session_name import session_name
from tracer_proxy.limits import COLOR_REFRESH_S, COLORS_WRITTEN_MAX, STITCH_MEMORY_S
from tracer_proxy.stitching.keys import Keys, Scope


class ColorMemory(Protocol):
    """Keys have 16 bytes; times are Unix seconds; the newest colour counts, for ``STITCH_MEMORY_S``."""

    def put_color(self, key: bytes, color: bytes, now: float) -> None: ...

    def get_color(self, key: bytes, now: float) -> bytes:
        """Empty if there is none."""

    def has_colors(self) -> bool:
        """Whether anybody ever put one."""


class LocalColorMemory:
    """Of one process; the least recently written go first."""

    def __init__(self, keys_max: int) -> None:
        self._keys_max = keys_max
        self._held: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    def put_color(self, key: bytes, color: bytes, now: float) -> None:
        self._held.pop(key, None)
        self._held[key] = color, now
        if len(self._held) > self._keys_max:
            self._held.popitem(last=False)

    def get_color(self, key: bytes, now: float) -> bytes:
        color, at = self._held.get(key, (b"", 0.0))
        return color if abs(now - at) <= STITCH_MEMORY_S else b""

    def has_colors(self) -> bool:
        return bool(self._held)


class Colors:
    def __init__(self, memory: ColorMemory, keys: Keys) -> None:
        self._memory = memory
        self.has_any = memory.has_colors
        """Where nothing is coloured, nothing need be looked up."""
        self._keys = keys
        self._written: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    def of(self, trace_id: bytes, session: str, scope: Scope, now: float) -> bytes:
        """The colour of the trace, else that of the session; empty if neither had one. Either may be empty."""
        color = self._memory.get_color(self._keys.trace_color(trace_id), now) if trace_id else b""
        if color or not session:
            return color
        return self._memory.get_color(self._session_key(session, scope), now)

    def remember(self, color: bytes, trace_id: bytes, session: str, scope: Scope, now: float) -> None:
        if trace_id:
            self._write(self._keys.trace_color(trace_id), color, now)
        if session:
            self._write(self._session_key(session, scope), color, now)

    def _session_key(self, session: str, scope: Scope) -> bytes:
        return self._keys.session_color(scope, session_name(session.encode()))

    def _write(self, key: bytes, color: bytes, now: float) -> None:
        written = self._written
        known, at = written.get(key, (b"", 0.0))
        if known == color and abs(now - at) < COLOR_REFRESH_S:
            return
        written[key] = color, now
        written.move_to_end(key)
        if len(written) > COLORS_WRITTEN_MAX:
            written.popitem(last=False)
        self._memory.put_color(key, color, now)
