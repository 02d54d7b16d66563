"""Several ways to the same end, tried one beside the other."""

import asyncio
import ssl
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar


class Closable(Protocol):
    def close(self) -> None: ...


Result = TypeVar("Result", bound=Closable)


async def first_of(attempts: Sequence[Callable[[], Coroutine[Any, Any, Result]]], stagger_s: float) -> Result:
    """What the first attempt gives that succeeds. The others are cancelled, and what they give is closed.

    The next begins when one fails, or when ``stagger_s`` have passed without a result, as in RFC 8305. When all fail, raises
    the error of the one that came furthest.
    """
    loop = asyncio.get_running_loop()
    waiting = list(attempts)
    running: set[asyncio.Task[Result]] = set()
    errors: list[OSError] = []
    try:
        while waiting or running:
            if waiting:
                running.add(loop.create_task(waiting.pop(0)()))
            done, running = await asyncio.wait(
                running, timeout=stagger_s if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            results = [result for task in done if (result := _outcome(task, errors)) is not None]
            if results:
                for surplus in results[1:]:
                    surplus.close()
                return results[0]
    finally:
        for task in running:
            task.add_done_callback(_close_what_it_gave)
            task.cancel()
    raise next((error for error in errors if isinstance(error, ssl.SSLError)), errors[0])


def _outcome(task: asyncio.Task[Result], errors: list[OSError]) -> Result | None:
    try:
        return task.result()
    except OSError as error:
        errors.append(error)
        return None


def _close_what_it_gave(task: asyncio.Task[Result]) -> None:
    if not task.cancelled() and task.exception() is None:
        task.result().close()
