"""The proxy's own log: one JSON line per event on stderr."""

import fcntl
import json
import os
import select
import stat
import struct
import sys
import termios
import threading
import time
import traceback
from datetime import UTC, datetime
from typing import Any

_AT_ONCE_BYTES = select.PIPE_BUF
"""A pipe that is ready to be written to takes this much without waiting (POSIX, write)."""
_LOOK_S = 0.002
"""Nothing tells when a pipe is half empty."""


class Events:
    """``write("ready", proxy=[...])`` makes one line.

    A full disk, a closed pipe or a reader that does not read never stops the proxy: what cannot be written is left out, and
    the next line that can be says how many were. Threads may share it: what one writes never stands inside a line of another.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = sys.stderr.fileno() if descriptor is None else descriptor
        self._lost = 0
        self._is_broken_off = False
        self._lock = threading.Lock()
        """Held for writes that do not wait, so that nobody waits for it."""

    def write(self, event: str, level: str = "info", message: str = "", **fields: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"time": now, "level": level, "event": event} | ({"message": message} if message else {}) | fields
        with self._lock:
            told |= {"events_lost": self._lost} if self._lost else {}
            line = json.dumps(told, ensure_ascii=False, default=str) + "\n"
            self._lost = 0 if self._put(line.encode()) else self._lost + 1

    def write_line(self, line: bytes) -> bool:
        """A line of somebody else's, with its end; false when it could not be written."""
        with self._lock:
            return self._put(line)

    def has_room(self, wait_s: float) -> bool:
        """Waits until a line can be written and half of a pipe is left for the proxy's own events, which do not wait."""
        ends = time.monotonic() + wait_s
        if not self._takes_more(wait_s):
            return False
        while self._is_half_full():
            if time.monotonic() >= ends:
                return False
            time.sleep(_LOOK_S)
        return True

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

    def _takes_more(self, wait_s: float = 0) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(wait_s * 1000))

    def _is_half_full(self) -> bool:
        try:
            if not stat.S_ISFIFO(os.fstat(self._descriptor).st_mode):
                return False
            (unread,) = struct.unpack("i", fcntl.ioctl(self._descriptor, termios.FIONREAD, bytes(4)))
            return bool(unread >= fcntl.fcntl(self._descriptor, fcntl.F_GETPIPE_SZ) // 2)
        except OSError:
            return False
