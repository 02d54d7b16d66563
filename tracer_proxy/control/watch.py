"""Tells when files may have changed, however that is done: written in place, renamed over, or a symbolic link that is swapped.

Folders are watched as well as files, because a rename replaces what was watched; and every few seconds the files are looked
at anyway, for there are mounts that tell of nothing.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from pathlib import Path

from watchfiles import awatch

from tracer_proxy.limits import CONFIG_LOOK_S, CONFIG_SETTLE_S


async def changes(files: Callable[[], Collection[Path]], seen: list[bytes] | None = None) -> AsyncIterator[None]:
    """Yields whenever the content of a file is another one than before. ``files`` is asked again after each change.

    ``seen`` is a ``fingerprint`` from before, when the files may have changed since they were read.
    """
    seen = fingerprint(files()) if seen is None else seen
    while True:
        watched = files()
        async for _ in _occasions(watched):
            found = fingerprint(watched)
            if found != seen:
                seen = found
                yield
                break


async def _occasions(watched: Collection[Path]) -> AsyncIterator[None]:
    """To look: when the system tells of a change, and every few seconds."""
    try:
        async for _ in awatch(
            *_places(watched),
            debounce=round(CONFIG_SETTLE_S * 1000),
            rust_timeout=round(CONFIG_LOOK_S * 1000),
            yield_on_timeout=True,
            recursive=False,
            ignore_permission_denied=True,
        ):
            yield
    except (OSError, RuntimeError):
        # No watches or descriptors left, or a folder has gone this moment: look without being told, then try again.
        await asyncio.sleep(CONFIG_LOOK_S)
        yield


def _places(files: Collection[Path]) -> set[Path]:
    """The files, and the folders of every link on the way to them."""
    places: set[Path] = set()
    for file in files:
        places |= {place for place in (file.absolute().parent, file, file.resolve(), file.resolve().parent) if place.exists()}
    return places


def fingerprint(files: Iterable[Path]) -> list[bytes]:
    """Of their contents; a file that cannot be read has none."""
    return [_fingerprint(file) for file in sorted(files)]


def _fingerprint(file: Path) -> bytes:
    try:
        return hashlib.sha256(file.read_bytes()).digest()
    except OSError:
        return b""
