"""``python -m soak reloads`` and ``python -m soak mixed``: exit code 1 when anything failed."""

import argparse
import resource
import signal
import sys
from collections.abc import Sequence

import uvloop

from soak import mixed, reloads
from soak.processes import SoakError


def main(argv: Sequence[str]) -> int:
    if not sys.platform.startswith("linux"):
        print("the soak reads /proc, so it runs on Linux only", file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser(prog="python -m soak", description="Long and rough use of the proxy, in short.")
    kinds = parser.add_subparsers(required=True)
    for module in (reloads, mixed):
        told = (module.__doc__ or "").partition("\n")[0]
        kind = kinds.add_parser(module.__name__.rpartition(".")[2], help=told, description=told)
        module.add_arguments(kind)
        kind.set_defaults(run=module.run)
    options = parser.parse_args(argv)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        return int(uvloop.run(options.run(options)))
    except SoakError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("soak: stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end the children as Ctrl-C does
    sys.exit(main(sys.argv[1:]))
