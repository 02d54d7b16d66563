"""The proxy's own log: one JSON line per event on stderr."""

import json
import sys
from datetime import UTC, datetime
from typing import Any, TextIO


class Events:
    """``write("ready", proxy=[...])`` makes one line. A full disk or a closed pipe never stops the proxy."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr

    def write(self, event: str, *, level: str = "info", **fields: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"time": now, "level": level, "event": event} | fields, ensure_ascii=False, default=str)
        try:
            self._stream.write(line + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return
