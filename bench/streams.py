"""A thousand streams of server-sent events at once: which events come late, and what that costs."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.listeners import BOUNDS_MS, PATIENCE_S
from bench.origin import EVENTS, INTERVAL_S
from bench.peers import Peer, started
from bench.processes import BenchError, cpu_seconds, free_addresses, running, wait_until_listening
from bench.report import markdown
from bench.stage import Stage, installed, say

STREAMS = 1000
PROXIES = ("tracer-proxy", "nginx", "haproxy", "aiohttp")
Heard = Mapping[str, float | list[int]]


@contextmanager
def origin(stage: Stage) -> Iterator[Stage]:
    """The stage, with the origin of streams and bodies behind both lanes."""
    (address,) = free_addresses(1)
    log = stage.folder / "origin.log"
    with running([sys.executable, "-m", "bench.origin", address], stage.cores.load, log) as process:
        wait_until_listening("the origin", address, process, log)
        yield replace(stage, lanes={"BENCH_STABLE": address, "BENCH_CANARY": address, "BENCH_CONNECTIONS": "4096"})


def run(stage: Stage, only: Sequence[str]) -> dict[str, object]:
    rate = STREAMS / INTERVAL_S
    say(f"{STREAMS} streams of {EVENTS} events, one every {INTERVAL_S * 1000:.0f} ms: {rate:,.0f} events a second")
    found: dict[str, tuple[Heard, float]] = {}
    with origin(stage) as ready:
        found["none"] = _heard(ready, ready.lanes["BENCH_STABLE"]), 0.0
        for peer in installed(*PROXIES):
            if peer.name in only:
                found[peer.name] = _through(ready, peer)
                say(f"{peer.name}: {found[peer.name][0]['events']} events, worst {found[peer.name][0]['worst_ms']:.0f} ms late")
    late = tuple(f"over {bound} ms late" for bound in BOUNDS_MS)
    header = ("proxy", "events lost", *late, "worst ms", "CPU µs/event")
    say("\n" + markdown([header, *(_row(name, *each) for name, each in found.items())]))
    return {name: {**heard, "cpu_seconds": cpu} for name, (heard, cpu) in found.items()}


def _through(stage: Stage, peer: Peer) -> tuple[Heard, float]:
    with (
        TemporaryDirectory(prefix="bench-") as name,
        started(peer, stage.lanes, stage.cores.proxy, Path(name)) as (address, pid),
    ):
        before = cpu_seconds(pid)
        heard = _heard(stage, address)
        return heard, cpu_seconds(pid) - before


def _heard(stage: Stage, address: str) -> Heard:
    log = stage.folder / "listeners.log"
    with running([sys.executable, "-m", "bench.listeners", address, str(STREAMS)], stage.cores.load, log) as process:
        try:
            process.wait(2 * PATIENCE_S)
        except subprocess.TimeoutExpired as error:
            raise BenchError("the listeners did not end.") from error
    heard: Heard = json.loads(log.read_text().splitlines()[-1])
    return heard


def _row(name: str, heard: Heard, cpu: float) -> tuple[str, ...]:
    events, late = heard["events"], heard["late"]
    assert isinstance(events, int)
    assert isinstance(late, list)
    shares = tuple(f"{count / max(events, 1):.2%}" for count in late)
    cost = f"{cpu / max(events, 1) * 1e6:.1f}" if cpu else ""
    return name, str(STREAMS * EVENTS - events), *shares, f"{heard['worst_ms']:.0f}", cost
