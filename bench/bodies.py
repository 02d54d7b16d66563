"""Large bodies up and down: how fast, at what cost, and how much of them a proxy holds."""

import socket
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.peers import Peer, started
from bench.processes import cpu_seconds, pss_bytes
from bench.report import markdown
from bench.stage import Stage, installed, say
from bench.streams import origin

SIZE = 256 * 2**20
PIECE = bytes(256 * 1024)
PROXIES = ("tracer-proxy", "nginx", "haproxy")
HEAD = "{} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n{}\r\n"


def run(stage: Stage, only: Sequence[str]) -> dict[str, object]:
    found: dict[str, list[tuple[float, float, int]]] = {}
    with origin(stage) as ready:
        for peer in installed(*PROXIES):
            if peer.name in only:
                found[peer.name] = [_through(ready, peer, _up), _through(ready, peer, _down)]
                say(f"{peer.name}: {', '.join(f'{SIZE / 2**20 / seconds:.0f} MB/s' for seconds, _, _ in found[peer.name])}")
    header = ("proxy", "up MB/s", "CPU s/GB", "memory grew MB", "down MB/s", "CPU s/GB", "memory grew MB")
    rows = [(name, *_cells(*both[0]), *_cells(*both[1])) for name, both in found.items()]
    say("\n" + markdown([header, *rows]))
    return dict(found)


def _cells(seconds: float, cpu: float, grew: int) -> tuple[str, ...]:
    return f"{SIZE / 2**20 / seconds:.0f}", f"{cpu / (SIZE / 2**30):.2f}", f"{grew / 2**20:.1f}"


def _through(stage: Stage, peer: Peer, transfer: Callable[[str], None]) -> tuple[float, float, int]:
    """Seconds, CPU seconds of the proxy's processes, and the most that their memory grew."""
    with (
        TemporaryDirectory(prefix="bench-") as name,
        started(peer, stage.lanes, stage.cores.proxy, Path(name)) as (address, pid),
    ):
        time.sleep(1.0)
        before, memory, peak = cpu_seconds(pid), pss_bytes(pid), [0]
        done = threading.Event()
        watch = threading.Thread(target=_watch, args=(pid, done, peak))
        watch.start()
        begun = time.monotonic()
        transfer(address)
        seconds = time.monotonic() - begun
        done.set()
        watch.join()
        return seconds, cpu_seconds(pid) - before, max(0, peak[0] - memory)


def _watch(pid: int, done: threading.Event, peak: list[int]) -> None:
    while not done.wait(0.05):
        peak[0] = max(peak[0], pss_bytes(pid))


def _connection(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    return socket.create_connection((host, int(port)))


def _up(address: str) -> None:
    with _connection(address) as client:
        client.sendall(HEAD.format("POST /agents/planner/up", f"Content-Length: {SIZE}\r\n").encode())
        for _ in range(SIZE // len(PIECE)):
            client.sendall(PIECE)
        _read_to_end(client, str(SIZE).encode())


def _down(address: str) -> None:
    with _connection(address) as client:
        client.sendall(HEAD.format(f"GET /agents/planner/size/{SIZE}", "").encode())
        _read_to_end(client, None)


def _read_to_end(client: socket.socket, says: bytes | None) -> None:
    size, last = 0, b""
    while data := client.recv(len(PIECE)):
        size, last = size + len(data), data
    assert (says in last) if says else size > SIZE, "the transfer was not complete"
