"""``python -m bench``: the scenarios that are asked for, one after the other."""

import argparse
import json
import platform
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench import bodies, canary, growth, idle, latency, reading, start, streams, throughput, tracing
from bench.gateways import gateways
from bench.load import CONNECTIONS
from bench.peers import all_peers
from bench.processes import BenchError
from bench.stage import Stage, say, stage

Scenario = Callable[[Stage, Sequence[str]], Mapping[str, object]]

SCENARIOS: dict[str, Scenario] = {
    "throughput": throughput.run,
    "latency": latency.run,
    "growth": growth.run,
    "streams": streams.run,
    "idle": idle.run,
    "bodies": bodies.run,
    "start": start.run,
    "tracing": tracing.run,
    "reading": reading.run,
    "canary": canary.run,
}


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    names = [peer.name for peer in (*all_peers(), *gateways())]
    parser = argparse.ArgumentParser(prog="python -m bench", description="Compare proxies on this machine, in one run.")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=f"of: {', '.join(SCENARIOS)}; all if none is named")
    parser.add_argument("--seconds", type=_positive, default=8, help="measured time for each proxy and round (8)")
    parser.add_argument("--rounds", type=_positive, default=3, help="how often each proxy is measured, in turn (3)")
    parser.add_argument("--only", metavar="NAMES", help=f"comma-separated, of: {', '.join(names)}")
    parser.add_argument("--json", metavar="FILE", type=Path, help="write every measurement there")
    options = parser.parse_args(argv)
    _refuse_unknown(parser, "--only", options.only.split(",") if options.only else [], names)
    _refuse_unknown(parser, "SCENARIO", options.scenarios, list(SCENARIOS))
    options.only = options.only.split(",") if options.only else names
    options.scenarios = options.scenarios or list(SCENARIOS)
    return options


def _refuse_unknown(parser: argparse.ArgumentParser, where: str, given: Sequence[str], known: Sequence[str]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        parser.error(f"{where} does not know {', '.join(unknown)}; it knows {', '.join(known)}")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def compare(options: argparse.Namespace) -> None:
    results: dict[str, object] = {}
    with stage(options.seconds, options.rounds) as ready:
        for name in options.scenarios:
            say(f"\n## {name}\n")
            results[name] = SCENARIOS[name](ready, options.only)
    if options.json:
        write_json(options, results)


def write_json(options: argparse.Namespace, scenarios: Mapping[str, object]) -> None:
    result = {
        "date": time.strftime("%Y-%m-%d %H:%M %z"),
        "machine": {"kernel": platform.release(), "python": platform.python_version()},
        "settings": {"seconds": options.seconds, "rounds": options.rounds, "connections": CONNECTIONS},
        "scenarios": scenarios,
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
