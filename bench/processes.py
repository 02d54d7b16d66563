"""Child processes pinned to a core, and what the kernel says they cost."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1
START_S_MAX = 60.0
STOP_S_MAX = 5.0
LOG_CHARS_SHOWN = 600
TICKS_PER_S = os.sysconf("SC_CLK_TCK")

_libc = ctypes.CDLL(None, use_errno=True)


class BenchError(Exception):
    """The comparison cannot go on; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Cores:
    """Which cores the proxy under test and the load side (wrk and the upstream) may use."""

    proxy: frozenset[int]
    load: frozenset[int]

    @property
    def apart(self) -> bool:
        return self.proxy.isdisjoint(self.load)


def choose_cores(available: set[int]) -> Cores:
    """The last core for the proxy and two others, if there are two, for the load side; with one core they share it."""
    last, *others = sorted(available, reverse=True)
    return Cores(frozenset({last}), frozenset(others[:2] or {last}))


@contextmanager
def running(
    command: Sequence[str], cores: frozenset[int], log: Path, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` on ``cores`` with its output in ``log``; at the end its whole process group is gone."""

    def confine() -> None:
        # SIGTERM and not SIGKILL: a killed nginx master would leave its workers behind.
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        os.sched_setaffinity(0, cores)

    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            cwd=Path(__file__).parent.parent,
            start_new_session=True,
            preexec_fn=confine,
        )
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    _signal_group(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal_group(process.pid, signal.SIGKILL)
        process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def wait_until_listening(name: str, address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when ``address`` (``host:port``) accepts; BenchError with the end of the log if that does not happen."""
    host, port = address.rsplit(":", 1)
    deadline = time.monotonic() + START_S_MAX
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise BenchError(f"{name} ended with exit code {process.returncode} before it listened.{last_words(log)}")
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise BenchError(f"{name} did not listen on {address} within {START_S_MAX:.0f} s.{last_words(log)}")


def last_words(log: Path) -> str:
    """The end of what a process wrote, as sentences to put behind an error."""
    text = log.read_text(errors="replace").strip()
    return f" Its last words:\n{text[-LOG_CHARS_SHOWN:]}" if text else " It wrote nothing."


def free_addresses(count: int) -> list[str]:
    """Loopback addresses (``host:port``) that were free just now, all different."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    return addresses


@dataclass(frozen=True, slots=True)
class ProcessStat:
    """The part of ``/proc/<pid>/stat`` (proc(5)) that is needed here."""

    parent: int
    cpu_ticks: int
    """User and system time, with that of children that ended and were waited for: so a tree's sum never falls."""


def parse_stat(line: str) -> ProcessStat:
    """Read one ``/proc/<pid>/stat``; the command in brackets may itself hold spaces and brackets."""
    fields = line[line.rindex(")") + 2 :].split()
    return ProcessStat(parent=int(fields[1]), cpu_ticks=sum(map(int, fields[11:15])))


def tree(root: int) -> dict[int, ProcessStat]:
    """The process ``root`` and all its descendants that live now, by pid."""
    everyone = dict(_all_stats())
    found: dict[int, ProcessStat] = {}
    fringe = {root} & everyone.keys()
    while fringe:
        found |= {pid: everyone[pid] for pid in fringe}
        fringe = {pid for pid, stat in everyone.items() if stat.parent in fringe}
    return found


def _all_stats() -> Iterator[tuple[int, ProcessStat]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            yield int(path.parent.name), parse_stat(path.read_text())
        except (FileNotFoundError, ProcessLookupError):  # it ended while the list was read
            continue


def cpu_seconds(root: int) -> float:
    """User and system time that the process tree has used so far."""
    return sum(stat.cpu_ticks for stat in tree(root).values()) / TICKS_PER_S


def process_tree(root: int) -> dict[int, str]:
    """What each process of the tree calls itself, by pid."""
    return {pid: Path(f"/proc/{pid}/comm").read_text().strip() for pid in tree(root)}


def cpu_by_name(root: int) -> dict[str, float]:
    """Seconds of user and system time of a tracer-proxy, of all its workers together and of control."""
    stats = tree(root)
    found = {"worker": 0.0, "control": 0.0}
    for pid, name in process_tree(root).items():
        kind = name.removeprefix("tp-")
        if kind in found and pid in stats:
            found[kind] += stats[pid].cpu_ticks / TICKS_PER_S
    return found


def pss_bytes(root: int) -> int:
    """Proportional set size of the process tree: a page that n processes share counts 1/n for each."""
    return sum(pss_of(pid) for pid in tree(root))


def pss_of(pid: int) -> int:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise BenchError(f"/proc/{pid}/smaps_rollup has no Pss line; Linux 4.14 or newer is needed")


def core_busy_seconds(cores: frozenset[int]) -> float:
    """Time these cores have spent on anything so far, time stolen by other virtual machines included (proc(5))."""
    busy = 0
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name in {f"cpu{core}" for core in cores}:
            user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
            busy += user + nice + system + irq + softirq + steal
    return busy / TICKS_PER_S
