"""Throughput and cost: every proxy under as much load as it takes, in turn."""

import time
from collections.abc import Sequence

from bench import report
from bench.load import run_wrk
from bench.measure import Measurement, measure
from bench.peers import Peer
from bench.stage import Stage, choose_peers, say

LOAD_SIDE_S = 2.0


def run(stage: Stage, only: Sequence[str]) -> dict[str, object]:
    peers = choose_peers(only)
    minutes = len(peers) * stage.rounds * (stage.seconds + 5) / 60
    names = ", ".join(peer.name for peer in peers)
    say(f"{names}: {stage.rounds} × {stage.seconds} s each, about {minutes:.1f} minutes in all")
    direct = load_side_alone(stage)
    rounds = play(stage, peers)
    versions = {peer.name: peer.version(peer.program) for peer in peers if peer.program}
    say(f"\n{time.strftime('%Y-%m-%d')}: {', '.join(f'{name} {version}' for name, version in versions.items())}\n")
    say(report.table(rounds))
    for warning in report.warnings(rounds):
        say(f"beware: {warning}")
    return {"versions": versions, "requests_per_s_without_proxy": direct, "proxies": report.as_json(rounds)}


def load_side_alone(stage: Stage) -> float:
    """Requests per second straight from wrk to the upstream, after a warm-up."""
    address = stage.lanes["BENCH_STABLE"]
    run_wrk(stage.wrk, address, LOAD_SIDE_S, stage.cores.load, stage.folder)
    direct = run_wrk(stage.wrk, address, LOAD_SIDE_S, stage.cores.load, stage.folder).requests_per_s
    say(f"without a proxy: {direct:,.0f} req/s, about the most that wrk and the upstream can do")
    return direct


def play(stage: Stage, peers: Sequence[Peer]) -> dict[str, list[Measurement]]:
    """Measure every proxy once in each round, so that a change of the machine's mood hits all of them."""
    rounds: dict[str, list[Measurement]] = {peer.name: [] for peer in peers}
    for number in range(1, stage.rounds + 1):
        for peer in peers:
            measured = measure(peer, stage.lanes, stage.cores, peer.seconds or stage.seconds, stage.wrk)
            rounds[peer.name].append(measured)
            say(
                f"round {number}/{stage.rounds}  {peer.name:<12}  {measured.load.requests_per_s:>8,.0f} req/s"
                f"  {measured.cpu_us:6.1f} µs  core {measured.core_share:4.0%}  {measured.load.errors} errors"
            )
    return rounds
