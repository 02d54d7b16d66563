"""The proxy's own log: one JSON line per event on stderr."""

import json
import os
import select
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

_AT_ONCE_BYTES = select.PIPE_BUF
"""A pipe that is ready to be written to takes this much without waiting (POSIX, write)."""


class Events:
    """``write("ready", proxy=[...])`` makes one line.

    A full disk, a closed pipe or a reader that does not read never stops the proxy: what cannot be written is left out, and
    the next line that can be says how many were.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = sys.stderr.fileno() if descriptor is None else descriptor
        self._lost = 0
        self._is_broken_off = False

    def write(self, event: str, level: str = "info", message: str = "", **fields: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"time": now, "level": level, "event": event} | ({"message": message} if message else {}) | fields
        told |= {"events_lost": self._lost} if self._lost else {}
        line = json.dumps(told, ensure_ascii=False, default=str) + "\n"
        self._lost = 0 if self._put(line.encode()) else self._lost + 1

    def write_bug(self, context: dict[str, Any]) -> None:
        """What an event loop says of an exception that nobody caught: a bug, so with its traceback."""
        exception = context.get("exception")
        trace = "".join(traceback.format_exception(exception)) if isinstance(exception, BaseException) else ""
        self.write("bug", "error", str(context.get("message", "")), traceback=trace)

    def _put(self, line: bytes) -> bool:
        rest = b"\n" + line if self._is_broken_off else line
        try:
            while rest:
                if not self._takes_more():
                    self._is_broken_off = self._is_broken_off or len(rest) < len(line)
                    return False
                rest = rest[os.write(self._descriptor, rest[:_AT_ONCE_BYTES]) :]
        except OSError:
            return False
        self._is_broken_off = False
        return True

    def _takes_more(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(0))
