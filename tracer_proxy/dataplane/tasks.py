"""The one place that starts a task: named, and referenced until it is done (the loop itself keeps only a weak reference)."""

import asyncio
from collections.abc import Coroutine
from typing import Any

_running: set[asyncio.Task[Any]] = set()


def spawn(coroutine: Coroutine[Any, Any, None], name: str) -> None:
    _ = begin(coroutine, name)


def begin(coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
    """For those that may be cancelled."""
    task = asyncio.get_running_loop().create_task(coroutine, name=name)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task
