"""What a running proxy holds, so that a fault can be shown to leave nothing behind."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proxy_process import ProxyProcess

SETTLE_S = 20.0
"""How long a test waits until everything is back where it was."""
MEMORY_GROWTH_BYTES_MAX = 6 * 1024**2
"""What an allocator may keep for the next time. A leak of one connection per exchange is far beyond it in a hundred rounds."""


@dataclass(frozen=True)
class Held:
    """Descriptors by process, and what ``/api/status`` and ``/api/pools`` count. Memory is no part of what must be equal."""

    descriptors: dict[str, int]
    connections: dict[str, int]
    pending: dict[str, int]
    worker_bytes: int = field(compare=False)


@dataclass
class Seen:
    """Filled when the block has ended: by how much each kind of error has grown, and the exchanges."""

    errors: dict[str, int] = field(default_factory=dict)
    exchanges: int = 0


async def held(running: ProxyProcess) -> tuple[Held, dict[str, Any]]:
    """What it holds now, and ``/api/status`` as a whole."""
    _, shown = await running.ask("/api/status")
    _, pools = await running.ask("/api/pools")
    processes = {each["name"]: each["pid"] for each in shown["processes"]}
    connections = {name: shown[name] for name in ("under_way", "client_connections", "tunnels")}
    return Held(
        descriptors={name: descriptors(pid) for name, pid in processes.items() if pid},
        connections=connections | {f"upstream_{name}": count for name, count in shown["upstream_connections"].items()},
        pending={end["address"]: end["pending"] for pool in pools for end in pool["endpoints"]},
        worker_bytes=memory_bytes(processes["worker 1"]),
    ), shown


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  # the names alone: the links may be gone by the time they are read


def memory_bytes(pid: int) -> int:
    """Of its own alone: pages that are shared with other processes are not counted."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(("Private_Clean:", "Private_Dirty:")))


async def at_rest(running: ProxyProcess) -> tuple[Held, dict[str, Any]]:
    """Once no connection is left and nothing changes any more."""
    end = time.monotonic() + SETTLE_S
    before, _ = await held(running)
    while True:
        await asyncio.sleep(0.1)
        now, shown = await held(running)
        if now == before and not any(now.connections.values()):
            return now, shown
        assert time.monotonic() < end, f"it does not come to rest: {now}"
        before = now


@asynccontextmanager
async def leaves_nothing(running: ProxyProcess) -> AsyncIterator[Seen]:
    """Nothing of what the block does is left afterwards: no descriptor, connection, pending exchange or memory."""
    before, shown_before = await at_rest(running)
    seen = Seen()
    yield seen
    end = time.monotonic() + SETTLE_S
    while True:
        after, shown = await held(running)
        if after == before:
            break
        assert time.monotonic() < end, f"something is left behind:\nbefore {before}\nafter  {after}"
        await asyncio.sleep(0.1)
    errors = {kind: count - shown_before["errors"].get(kind, 0) for kind, count in shown["errors"].items()}
    seen.errors = {kind: count for kind, count in errors.items() if count}
    seen.exchanges = shown["exchanges"] - shown_before["exchanges"]
    grown = after.worker_bytes - before.worker_bytes
    assert grown < MEMORY_GROWTH_BYTES_MAX, f"the worker has grown by {grown} bytes"
