"""What every scenario stands on: pinned cores, the upstream, wrk, and a place for files."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.gateways import gateways
from bench.peers import INSTALL, Addresses, Peer, all_peers, find, upstream
from bench.processes import BenchError, Cores, choose_cores


@dataclass(frozen=True, slots=True)
class Stage:
    lanes: Addresses
    cores: Cores
    wrk: str
    folder: Path
    seconds: int
    rounds: int


def say(text: str) -> None:
    print(text, flush=True)


def required(program: str, purpose: str) -> str:
    path = find(program)
    if not path:
        raise BenchError(f"{program} ({purpose}) is not installed; get it with: {INSTALL}")
    return path


def choose_peers(names: Sequence[str]) -> list[Peer]:
    """The wanted proxies that are installed; says how to get the others."""
    wanted = [peer for peer in (*all_peers(), *gateways()) if peer.name in names]
    for peer in wanted:
        if not peer.program:
            say(f"skipping {peer.name}: it is not installed; get it with: {peer.install}")
    found = [peer for peer in wanted if peer.program]
    if not found:
        raise BenchError("none of the wanted proxies is installed, so there is nothing to compare.")
    return found


def installed(*names: str) -> list[Peer]:
    return [peer for peer in all_peers() if peer.name in names and peer.program]


@contextmanager
def stage(seconds: int, rounds: int) -> Iterator[Stage]:
    """Moves this process, and so all its children but the proxies, to the load side's cores."""
    wrk, nginx = required("wrk", "makes the load"), required("nginx", "is the upstream")
    cores = choose_cores(os.sched_getaffinity(0))
    if cores.apart:
        load = ", ".join(map(str, sorted(cores.load)))
        say(f"the proxy runs on core {min(cores.proxy)}, wrk and the upstream on {load}")
    else:
        say("this machine has one core: nothing is pinned, proxy, wrk and upstream share it; only CPU µs can be compared")
    os.sched_setaffinity(0, cores.load)
    with tempfile.TemporaryDirectory(prefix="bench-") as name, upstream(cores.load, Path(name), nginx) as lanes:
        yield Stage(lanes, cores, wrk, Path(name), seconds, rounds)
