"""One proxy, once: start it, check it, warm it up, load it, and read what that cost."""

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.load import LoadResult, run_wrk
from bench.peers import Addresses, Peer, started
from bench.probe import check_job
from bench.processes import Cores, core_busy_seconds, cpu_seconds, pss_bytes

WARM_UP_S = 2.0


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured window of one proxy."""

    load: LoadResult
    cpu_us: float
    """User and system time of the whole process tree per answered request."""
    core_share: float
    """Share of one core that the proxy used; well below 1 means that it waited for the load side."""
    disturbance: float
    """What others used meanwhile of the cores of proxy and load side, as a share of one core."""
    memory_bytes: int


def measure(
    peer: Peer,
    lanes: Addresses,
    cores: Cores,
    seconds: float,
    wrk: str,
    *,
    load: Mapping[str, str] | None = None,
) -> Measurement:
    """Run ``peer`` alone on its core in front of ``lanes`` and load it for ``seconds`` after a warm-up."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        load = {**peer.load(lanes), **(load or {})}
        with started(peer, lanes, cores.proxy, folder) as (address, pid):
            if peer.does_lanes:
                check_job(peer.name, address, lanes)
            run_wrk(wrk, address, min(WARM_UP_S, seconds), cores.load, folder, env=load)
            before = _read(pid, cores)
            loaded = run_wrk(wrk, address, seconds, cores.load, folder, env=load)
            after = _read(pid, cores)
            elapsed, proxy, others = (now - then for now, then in zip(after, before, strict=True))
            return Measurement(
                load=loaded,
                cpu_us=proxy / loaded.requests * 1e6,
                core_share=proxy / elapsed,
                disturbance=max(0.0, others / elapsed),
                memory_bytes=pss_bytes(pid),
            )


def _read(pid: int, cores: Cores) -> tuple[float, float, float]:
    """Seconds so far: by the clock, used by the proxy, and used on our cores by processes that are not ours."""
    ours = cpu_seconds(os.getpid())
    return time.monotonic(), cpu_seconds(pid), core_busy_seconds(cores.proxy | cores.load) - ours
