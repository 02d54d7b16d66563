"""The colour of a trace or a session, for exchanges that come without one: an agent that drops headers keeps its lane."""

from collections import OrderedDict
from typing import Protocol

from tracer_proxy.context.session_name import session_name
from tracer_proxy.limits import COLOR_REFRESH_S, COLORS_WRITTEN_MAX, STITCH_MEMORY_S
from tracer_proxy.stitching.keys import Keys, Scope


class ColorMemory(Protocol):
    """Keys have 16 bytes; times are Unix seconds; the newest colour counts, for ``STITCH_MEMORY_S``."""

    def put_color(self, key: bytes, color: bytes, now: float, is_share: bool) -> None: ...

    def get_color(self, key: bytes, now: float) -> tuple[bytes, bool]:
        """The colour, empty if there is none, and ``is_share``."""

    def has_colors(self) -> bool:
        """Whether anybody ever put one."""


class LocalColorMemory:
    """Of one process; the least recently written go first."""

    def __init__(self, keys_max: int) -> None:
        self._keys_max = keys_max
        self._held: OrderedDict[bytes, tuple[bytes, bool, float]] = OrderedDict()

    def put_color(self, key: bytes, color: bytes, now: float, is_share: bool) -> None:
        self._held.pop(key, None)
        self._held[key] = color, is_share, now
        if len(self._held) > self._keys_max:
            self._held.popitem(last=False)

    def get_color(self, key: bytes, now: float) -> tuple[bytes, bool]:
        color, is_share, at = self._held.get(key, (b"", False, 0.0))
        return (color, is_share) if abs(now - at) <= STITCH_MEMORY_S else (b"", False)

    def has_colors(self) -> bool:
        return bool(self._held)


class Colors:
    def __init__(self, memory: ColorMemory, keys: Keys) -> None:
        self._memory = memory
        self.has_any = memory.has_colors
        """Where nothing is coloured, nothing need be looked up."""
        self._keys = keys
        self._written: OrderedDict[bytes, tuple[bytes, bool, float]] = OrderedDict()

    def of(self, trace_id: bytes, session: str, scope: Scope, now: float) -> tuple[bytes, bool]:
        """The colour of the trace, else that of the session, and whether it is that of a share; empty if neither had one.

        Either may be empty.
        """
        color, is_share = self._memory.get_color(self._keys.trace_color(trace_id), now) if trace_id else (b"", False)
        if color or not session:
            return color, is_share
        return self._memory.get_color(self._session_key(session, scope), now)

    def is_share(self, color: bytes, trace_id: bytes, now: float) -> bool:
        """Whether the trace has that colour because its session was in a share."""
        return self._memory.get_color(self._keys.trace_color(trace_id), now) == (color, True)

    def remember(
        self, color: bytes, trace_id: bytes, session: str, scope: Scope, now: float, *, is_share: bool = False
    ) -> None:
        if trace_id:
            self._write(self._keys.trace_color(trace_id), color, is_share, now)
        if session:
            self._write(self._session_key(session, scope), color, is_share, now)

    def _session_key(self, session: str, scope: Scope) -> bytes:
        return self._keys.session_color(scope, session_name(session.encode()))

    def _write(self, key: bytes, color: bytes, is_share: bool, now: float) -> None:
        written = self._written
        *known, at = written.get(key, (b"", False, 0.0))
        if known == [color, is_share] and abs(now - at) < COLOR_REFRESH_S:
            return
        written[key] = color, is_share, now
        written.move_to_end(key)
        if len(written) > COLORS_WRITTEN_MAX:
            written.popitem(last=False)
        self._memory.put_color(key, color, now, is_share)
