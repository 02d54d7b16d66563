"""``python -m bench``: the order of play."""

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import report
from bench.load import CONNECTIONS, run_wrk
from bench.measure import Measurement, measure
from bench.peers import INSTALL, Addresses, Peer, all_peers, find, upstream
from bench.processes import BenchError, Cores, choose_cores

LOAD_SIDE_S = 2.0


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    names = [peer.name for peer in all_peers()]
    parser = argparse.ArgumentParser(prog="python -m bench", description="Compare proxies on this machine, in one run.")
    parser.add_argument("--seconds", type=_positive, default=8, help="measured time for each proxy and round (8)")
    parser.add_argument("--rounds", type=_positive, default=3, help="how often each proxy is measured, in turn (3)")
    parser.add_argument("--only", metavar="NAMES", help=f"comma-separated, of: {', '.join(names)}")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every measurement there")
    options = parser.parse_args(argv)
    options.only = options.only.split(",") if options.only else names
    unknown = sorted(set(options.only) - set(names))
    if unknown:
        parser.error(f"--only does not know {', '.join(unknown)}; it knows {', '.join(names)}")
    return options


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def say(text: str) -> None:
    print(text, flush=True)


def choose_peers(names: Sequence[str]) -> list[Peer]:
    """The wanted proxies that are installed; says how to get the others."""
    wanted = [peer for peer in all_peers() if peer.name in names]
    for peer in wanted:
        if not peer.program:
            say(f"skipping {peer.name}: it is not installed; get it with: {peer.install}")
    found = [peer for peer in wanted if peer.program]
    if not found:
        raise BenchError("none of the wanted proxies is installed, so there is nothing to compare.")
    return found


def required(program: str, purpose: str) -> str:
    path = find(program)
    if not path:
        raise BenchError(f"{program} ({purpose}) is not installed; get it with: {INSTALL}")
    return path


def prepare_cores() -> Cores:
    """Move this process, and so all its children, to the load side's cores."""
    cores = choose_cores(os.sched_getaffinity(0))
    if cores.apart:
        load = ", ".join(map(str, sorted(cores.load)))
        say(f"the proxy runs on core {min(cores.proxy)}, wrk and the upstream on {load}")
    else:
        say("this machine has one core: nothing is pinned, proxy, wrk and upstream share it; only CPU µs can be compared")
    os.sched_setaffinity(0, cores.load)
    return cores


def load_side_alone(lanes: Addresses, cores: Cores, wrk: str, folder: Path) -> float:
    """Requests per second straight from wrk to the upstream, after a warm-up."""
    run_wrk(wrk, lanes["BENCH_STABLE"], LOAD_SIDE_S, cores.load, folder)
    direct = run_wrk(wrk, lanes["BENCH_STABLE"], LOAD_SIDE_S, cores.load, folder).requests_per_s
    say(f"without a proxy: {direct:,.0f} req/s, about the most that wrk and the upstream can do")
    return direct


def play(
    peers: Sequence[Peer], lanes: Addresses, cores: Cores, options: argparse.Namespace, wrk: str
) -> dict[str, list[Measurement]]:
    """Measure every proxy once in each round, so that a change of the machine's mood hits all of them."""
    rounds: dict[str, list[Measurement]] = {peer.name: [] for peer in peers}
    for number in range(1, options.rounds + 1):
        for peer in peers:
            measured = measure(peer, lanes, cores, options.seconds, wrk)
            rounds[peer.name].append(measured)
            say(
                f"round {number}/{options.rounds}  {peer.name:<12}  {measured.load.requests_per_s:>8,.0f} req/s"
                f"  {measured.cpu_us:6.1f} µs  core {measured.core_share:4.0%}  {measured.load.errors} errors"
            )
    return rounds


def compare(options: argparse.Namespace) -> None:
    wrk, nginx = required("wrk", "makes the load"), required("nginx", "is the upstream")
    peers = choose_peers(options.only)
    cores = prepare_cores()
    minutes = len(peers) * options.rounds * (options.seconds + 5) / 60
    names = ", ".join(peer.name for peer in peers)
    say(f"{names}: {options.rounds} × {options.seconds} s each, about {minutes:.1f} minutes in all")
    with tempfile.TemporaryDirectory(prefix="bench-") as name, upstream(cores.load, Path(name), nginx) as lanes:
        direct = load_side_alone(lanes, cores, wrk, Path(name))
        rounds = play(peers, lanes, cores, options, wrk)
    versions = {peer.name: peer.version(peer.program) for peer in peers if peer.program}
    say(f"\n{time.strftime('%Y-%m-%d')}: {', '.join(f'{name} {version}' for name, version in versions.items())}\n")
    say(report.table(rounds))
    for warning in report.warnings(rounds):
        say(f"beware: {warning}")
    if options.json:
        write_json(options, versions, cores, report.as_json(rounds), direct)


def write_json(
    options: argparse.Namespace, versions: dict[str, str], cores: Cores, proxies: dict[str, object], direct: float
) -> None:
    result = {
        "date": time.strftime("%Y-%m-%d %H:%M %z"),
        "machine": {
            "kernel": platform.release(),
            "python": platform.python_version(),
            "cores": sorted(cores.proxy | cores.load),
        },
        "settings": {"seconds": options.seconds, "rounds": options.rounds, "connections": CONNECTIONS},
        "versions": versions,
        "requests_per_s_without_proxy": direct,
        "proxies": proxies,
    }
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    say(f"written: {options.json}")


def main(argv: Sequence[str]) -> int:
    if not sys.platform.startswith("linux"):
        print("the comparison pins processes and reads /proc, so it runs on Linux only", file=sys.stderr)
        return 1
    options = arguments(argv)
    try:
        compare(options)
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bench: stopped; no process is left behind", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end the children as Ctrl-C does
    sys.exit(main(sys.argv[1:]))
