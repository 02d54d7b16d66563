"""``python -m backends [phoenix] [mlflow] [--look]``; ``make test-backends`` runs both."""

import argparse
import asyncio
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from backends.backend import Backend
from backends.failed import BackendsError
from backends.mlflow import MLflow
from backends.phoenix import Phoenix
from backends.runs import check

BACKENDS: dict[str, type[Backend]] = {"phoenix": Phoenix, "mlflow": MLflow}


async def test(name: str, look: bool) -> bool:
    """Whether the backend shows what it should. With ``look`` it stays, so that somebody can open its page."""
    began = time.monotonic()
    print(f"{name}: starts ({BACKENDS[name].requirement})", flush=True)
    with tempfile.TemporaryDirectory(prefix=f"{name}-") as folder:
        backend = BACKENDS[name](Path(folder))
        async with backend.running():
            is_right = await _is_right(backend)
            print(f"{name}: {'passed' if is_right else 'failed'} after {time.monotonic() - began:.0f} s", flush=True)
            if look:
                print(f"{name}: open {backend.url}; Ctrl-C ends it", flush=True)
                await asyncio.Event().wait()
    return is_right


async def _is_right(backend: Backend) -> bool:
    print(f"{backend.name}: is ready at {backend.url}, agents run", flush=True)
    try:
        await check(backend)
    except BackendsError as error:
        tell(error)
        return False
    return True


def tell(error: BackendsError) -> None:
    print(f"  {error}\n  To go on: {error.advice}.", file=sys.stderr, flush=True)


async def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m backends", description="Agents traced into real backends.")
    parser.add_argument("names", nargs="*", metavar="BACKEND", help=f"{' or '.join(BACKENDS)}; left out, all")
    parser.add_argument("--look", action="store_true", help="keep the backend open afterwards; for one backend")
    given = parser.parse_args()
    names = given.names or list(BACKENDS)
    if unknown := set(names) - set(BACKENDS):
        parser.error(f"no such backend: {', '.join(sorted(unknown))}; there are {', '.join(BACKENDS)}")
    if given.look and len(names) > 1:
        parser.error("--look is for one backend: name it")
    passed = []
    for name in names:
        try:
            passed.append(await test(name, given.look))
        except BackendsError as error:
            tell(error)
            passed.append(False)
    return 0 if all(passed) else 1


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        sys.exit(asyncio.run(main()))
