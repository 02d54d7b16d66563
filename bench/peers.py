"""The proxies that are compared: where each is found, how it is configured and started."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench.processes import BenchError, free_addresses, last_words, running, wait_until_listening

HERE = Path(__file__).parent
SYSTEM_FOLDERS = "/usr/local/sbin:/usr/sbin:/sbin"  # Debian keeps nginx and haproxy there, off a user's PATH
INSTALL = "apt-get install nginx-light haproxy wrk"

Addresses = Mapping[str, str]
"""``BENCH_STABLE``, ``BENCH_CANARY`` and, for a proxy, ``BENCH_LISTEN`` and ``BENCH_ADMIN``: ``host:port`` each; and
``BENCH_CONNECTIONS``, how many those may take that must be told."""


def find(program: str) -> str | None:
    """The path of an installed program, looked for in system folders too."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{SYSTEM_FOLDERS}")


@dataclass(frozen=True, slots=True)
class Peer:
    """One proxy of the comparison."""

    name: str
    program: str | None
    """Its path; None if it is not installed."""
    install: str
    command: "Command"
    """From its path, the addresses and an empty folder for its files to the command line."""
    version: Callable[[str], str]
    """From its path to its version; is asked only if it is installed."""
    seconds: int = 0
    """How long it is loaded, where it needs less than the others."""
    does_lanes: bool = True
    """Whether it does the whole job, which is checked; else it has one upstream only."""
    load: Callable[[Addresses], dict[str, str]] = lambda _: {}
    """From the addresses to what ``load.lua`` must ask for instead of the usual."""


Command = Callable[[str, Addresses, Path], list[str]]


def version_said(flag: str) -> Callable[[str], str]:
    """Servers disagree on the flag and the stream, but all print the number first."""

    def ask(program: str) -> str:
        done = subprocess.run([program, flag], capture_output=True, text=True, check=False)
        found = re.search(r"\d+\.\d+[\w.+-]*", done.stdout + done.stderr)
        return found.group() if found else "of unknown version"

    return ask


def _aiohttp_version(_program: str) -> str:
    return f"{version('aiohttp')} on uvloop {version('uvloop')}"


def _nginx(program: str, addresses: Addresses, folder: Path) -> list[str]:
    return _nginx_with("nginx.conf", program, addresses, folder)


def _nginx_with(template: str, program: str, addresses: Addresses, folder: Path) -> list[str]:
    """nginx reads no environment in its configuration, so the addresses are written into a copy."""
    text = (HERE / template).read_text()
    for name, address in addresses.items():
        text = text.replace(f"${{{name}}}", address)
    config = folder / template
    config.write_text(text)
    return [program, "-p", str(folder), "-c", str(config), "-e", "stderr"]


def _haproxy(program: str, _addresses: Addresses, _folder: Path) -> list[str]:
    return [program, "-db", "-f", str(HERE / "haproxy.cfg")]


def _aiohttp(program: str, _addresses: Addresses, _folder: Path) -> list[str]:
    return [program, "-m", "bench.aiohttp_proxy"]


def _tracer_proxy(program: str, _addresses: Addresses, _folder: Path) -> list[str]:
    return [program, "run", "--config", str(HERE / "tracer.yaml")]


def find_tracer_proxy() -> str | None:
    beside_python = Path(sys.executable).with_name("tracer-proxy")
    return str(beside_python) if beside_python.exists() else find("tracer-proxy")


def all_peers() -> list[Peer]:
    """Every proxy of the comparison, in the order in which each round runs them."""
    return [
        Peer("tracer-proxy", find_tracer_proxy(), "make setup", _tracer_proxy, version_said("--version")),
        Peer("nginx", find("nginx"), INSTALL, _nginx, version_said("-v")),
        Peer("haproxy", find("haproxy"), INSTALL, _haproxy, version_said("-v")),
        Peer("aiohttp", sys.executable, "make setup", _aiohttp, _aiohttp_version),
    ]


@contextmanager
def upstream(cores: frozenset[int], folder: Path, program: str) -> Iterator[Addresses]:
    """Run the nginx that answers for both lanes."""
    stable, canary = free_addresses(2)
    addresses = {"BENCH_STABLE": stable, "BENCH_CANARY": canary, "BENCH_CONNECTIONS": "512"}
    log = folder / "upstream.log"
    with running(_nginx_with("upstream.conf", program, addresses, folder), cores, log) as process:
        wait_until_listening("the upstream nginx", canary, process, log)
        try:
            yield addresses
        except BenchError as error:
            if process.poll() is None:
                raise
            raise BenchError(f"the upstream nginx ended during the run; run the comparison again.{last_words(log)}") from error


@contextmanager
def started(peer: Peer, lanes: Addresses, cores: frozenset[int], folder: Path) -> Iterator[tuple[str, int]]:
    """Run one proxy in front of ``lanes``: its address and the pid at the root of its process tree."""
    listen, admin = free_addresses(2)
    addresses = {**lanes, "BENCH_LISTEN": listen, "BENCH_ADMIN": admin, "BENCH_PORT": listen.rpartition(":")[2]}
    log = folder / "log"
    command = peer.command(peer.program or peer.name, addresses, folder)
    with running(command, cores, log, env=addresses) as process:
        wait_until_listening(peer.name, listen, process, log)
        try:
            yield listen, process.pid
        except BenchError as error:
            raise BenchError(f"{error}{last_words(log)}") from error
