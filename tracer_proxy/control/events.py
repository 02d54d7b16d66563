"""The proxy's own log: one JSON line per event on stderr."""

import json
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, TextIO


class Events:
    """``write("ready", proxy=[...])`` makes one line. A full disk or a closed pipe never stops the proxy."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def write(self, event: str, level: str = "info", message: str = "", **fields: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        told = {"time": now, "level": level, "event": event} | ({"message": message} if message else {}) | fields
        line = json.dumps(told, ensure_ascii=False, default=str)
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return

    def write_bug(self, context: dict[str, Any]) -> None:
        """What an event loop says of an exception that nobody caught: a bug, so with its traceback."""
        exception = context.get("exception")
        trace = "".join(traceback.format_exception(exception)) if isinstance(exception, BaseException) else ""
        self.write("bug", "error", str(context.get("message", "")), traceback=trace)
