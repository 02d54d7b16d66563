"""Latency at one connection: what a proxy adds to a request that nothing else competes with."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.load import LoadResult, run_wrk
from bench.peers import Peer, started
from bench.report import REFERENCE, markdown
from bench.stage import Stage, installed, say

WARM_UP_S = 1.0
PROXIES = ("tracer-proxy", "nginx", "haproxy")
NONE = "none"
Rounds = Mapping[str, Sequence[LoadResult]]


def run(stage: Stage, only: Sequence[str]) -> dict[str, object]:
    peers = [peer for peer in installed(*PROXIES) if peer.name in only]
    found: dict[str, list[LoadResult]] = {name: [] for name in (NONE, *(peer.name for peer in peers))}
    for number in range(1, stage.rounds + 1):
        found[NONE].append(_loaded(stage, stage.lanes["BENCH_STABLE"], stage.folder))
        for peer in peers:
            found[peer.name].append(_measured(stage, peer))
        told = "  ".join(f"{name} {each[-1].p50_ms * 1000:.0f}/{each[-1].p99_ms * 1000:.0f}" for name, each in found.items())
        say(f"round {number}/{stage.rounds}  p50/p99 in µs: {told}")
    say("\n" + markdown([HEADER, *(_row(found, name) for name in found)]))
    return {name: [(each.p50_ms, each.p99_ms) for each in results] for name, results in found.items()}


def _measured(stage: Stage, peer: Peer) -> LoadResult:
    with (
        TemporaryDirectory(prefix="bench-") as name,
        started(peer, stage.lanes, stage.cores.proxy, Path(name)) as (address, _),
    ):
        return _loaded(stage, address, Path(name))


def _loaded(stage: Stage, address: str, folder: Path) -> LoadResult:
    run_wrk(stage.wrk, address, WARM_UP_S, stage.cores.load, folder, connections=1)
    return run_wrk(stage.wrk, address, stage.seconds, stage.cores.load, folder, connections=1)


HEADER = ("proxy", "p50 µs", "p99 µs", "added p50 µs", "added p99 µs", f"p50 ÷ {REFERENCE}", f"added p50 ÷ {REFERENCE}'s")


def _row(found: Rounds, name: str) -> tuple[str, ...]:
    p50, p99 = _p50_us(found[name]), _p99_us(found[name])
    if name == NONE:
        return name, f"{p50:.0f}", f"{p99:.0f}", "", "", "", ""
    added, added_p99 = p50 - _p50_us(found[NONE]), p99 - _p99_us(found[NONE])
    if REFERENCE not in found:
        return name, f"{p50:.0f}", f"{p99:.0f}", f"{added:.0f}", f"{added_p99:.0f}", "", ""
    whole = p50 / _p50_us(found[REFERENCE])
    part = added / max(_p50_us(found[REFERENCE]) - _p50_us(found[NONE]), 1.0)
    return name, f"{p50:.0f}", f"{p99:.0f}", f"{added:.0f}", f"{added_p99:.0f}", f"{whole:.2f}×", f"{part:.2f}×"


def _p50_us(results: Sequence[LoadResult]) -> float:
    return median(each.p50_ms for each in results) * 1000


def _p99_us(results: Sequence[LoadResult]) -> float:
    return median(each.p99_ms for each in results) * 1000
