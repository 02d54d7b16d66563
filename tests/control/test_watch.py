"""No change of a watched file is missed, whenever it comes and whatever the system tells of it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from harness import WAIT_S

from tracer_proxy.control import watch


async def test_a_change_before_the_watch_has_begun_is_told(tmp_path: Path) -> None:
    """As when the file is replaced while a control that has just started reads it."""
    path = tmp_path / "proxy.yaml"
    path.write_text("old")
    seen = watch.fingerprint([path])
    path.write_text("new")
    async with asyncio.timeout(WAIT_S):
        await anext(watch.changes(lambda: [path], seen))


@pytest.mark.parametrize("reason", [OSError(24, "Too many open files"), RuntimeError("no watches left")], ids=repr)
async def test_without_watches_the_files_are_looked_at_all_the_same(
    reason: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*places: Path, **settings: object) -> AsyncIterator[None]:
        raise reason
        yield

    monkeypatch.setattr(watch, "awatch", refused)
    monkeypatch.setattr(watch, "CONFIG_LOOK_S", 0.05)
    path = tmp_path / "proxy.yaml"
    path.write_text("0")
    told = watch.changes(lambda: [path])
    for number in (1, 2):
        waiting = asyncio.ensure_future(anext(told))
        await asyncio.sleep(0.1)
        path.write_text(str(number))
        async with asyncio.timeout(WAIT_S):
            await waiting
