"""Ten thousand connections that wait: what they hold, what they cost, and whether others notice."""

import resource
import socket
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.load import run_wrk
from bench.peers import Peer, started
from bench.processes import cpu_seconds, pss_bytes
from bench.report import markdown
from bench.stage import Stage, installed, say

CONNECTIONS = 10_000
SPARE_DESCRIPTORS = 200
IDLE_S = 5.0
TRICKLE_S = 3.0
PROXIES = ("tracer-proxy", "nginx")
REQUEST = b"GET /agents/planner/seen HTTP/1.1\r\nHost: bench\r\n\r\n"


def run(stage: Stage, only: Sequence[str]) -> dict[str, object]:
    count = _allowed(CONNECTIONS)
    stage = replace(stage, lanes={**stage.lanes, "BENCH_CONNECTIONS": str(2 * CONNECTIONS)})
    found = {}
    for peer in installed(*PROXIES):
        if peer.name in only:
            try:
                found[peer.name] = _with_idle(stage, peer, count)
            except OSError as error:
                say(f"{peer.name}: does not take {count} connections as it is configured here ({error}); skipped")
    header = ("proxy", "connections", "KB each", "CPU while idle", "p99 µs of others", "without them")
    say("\n" + markdown([header, *(_row(name, count, *each) for name, each in found.items())]))
    return dict(found)


def _allowed(wanted: int) -> int:
    """Each connection needs a descriptor here; the limit is raised as far as it may be."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard - SPARE_DESCRIPTORS)
    if count < wanted:
        say(f"only {count} connections: the limit of open files is {hard}")
    return count


def _with_idle(stage: Stage, peer: Peer, count: int) -> tuple[float, float, float, float]:
    """KB per connection, share of a core while idle, and the p99 of a single busy connection with and without them."""
    with (
        TemporaryDirectory(prefix="bench-") as name,
        started(peer, stage.lanes, stage.cores.proxy, Path(name)) as (address, pid),
    ):
        alone = run_wrk(stage.wrk, address, TRICKLE_S, stage.cores.load, Path(name), connections=1).p99_ms
        before = pss_bytes(pid)
        clients = _opened(address, count)
        try:
            time.sleep(1.0)
            each = (pss_bytes(pid) - before) / count / 1024
            cpu, begun = cpu_seconds(pid), time.monotonic()
            time.sleep(IDLE_S)
            share = (cpu_seconds(pid) - cpu) / (time.monotonic() - begun)
            busy = run_wrk(stage.wrk, address, TRICKLE_S, stage.cores.load, Path(name), connections=1).p99_ms
        finally:
            for client in clients:
                client.close()
        say(f"{peer.name}: {each:.1f} KB each")
        return each, share, busy * 1000, alone * 1000


def _opened(address: str, count: int) -> list[socket.socket]:
    """Each has had one answer, so that it is a kept connection."""
    host, _, port = address.rpartition(":")
    clients: list[socket.socket] = []
    try:
        for _ in range(count):
            client = socket.create_connection((host, int(port)), timeout=10)
            clients.append(client)
            client.sendall(REQUEST)
            if not client.recv(65536).startswith(b"HTTP/1.1 200"):
                raise OSError("it did not answer")
    except OSError:
        for client in clients:
            client.close()
        raise
    return clients


def _row(name: str, count: int, each: float, share: float, busy: float, alone: float) -> tuple[str, ...]:
    return name, f"{count:,}", f"{each:.1f}", f"{share:.1%}", f"{busy:.0f}", f"{alone:.0f}"
