"""What one control leaves to the next: a small file in memory that the supervisor holds."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class LastReload:
    """``at`` is a UTC time; ``error`` has every problem of a config that was refused, and is empty for one that is in force."""

    at: str = ""
    error: str = ""
    succeeded: int = 0
    failed: int = 0


@dataclass
class State:
    text: str = ""
    """The config file in force, which may not be what the file holds now."""
    files: list[str] = field(default_factory=list)
    """Fingerprints of the files that it names, as they were then."""
    overrides: dict[str, dict[str, float]] = field(default_factory=dict)
    rollouts: str = ""
    """What they have come to, as JSON."""
    started: float = 0.0
    """When the proxy started, in monotonic seconds."""
    reload: LastReload = field(default_factory=LastReload)
    in_force_since: float = 0.0
    """When the config came into force, in seconds since 1970."""
    restarts: dict[str, int] = field(default_factory=dict)
    """Of processes by role, as far as they are counted."""
    totals: Mapping[str, Any] = field(default_factory=dict)
    """Of all that was counted so far."""

    def to_file(self) -> int:
        """A new file in memory, so that a half-written one is never found. Raises ``OSError`` when there is no room for it."""
        descriptor = os.memfd_create("tracer-proxy-state", os.MFD_CLOEXEC)
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(json.dumps(asdict(self)).encode())
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    @classmethod
    def from_bytes(cls, content: bytes) -> "State":
        document = json.loads(content)
        return cls(**document | {"reload": LastReload(**document["reload"])})
