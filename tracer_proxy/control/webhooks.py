"""Tells webhooks of changes: in order for each rollout, tried again when it fails, and never waited for."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tracer_proxy.config.rollouts import Notify
from tracer_proxy.control.events import Events
from tracer_proxy.dataplane.tasks import begin
from tracer_proxy.limits import (
    WEBHOOK_ATTEMPTS_MAX,
    WEBHOOK_BACKOFF_MAX_S,
    WEBHOOK_BACKOFF_S,
    WEBHOOK_CLOSE_S,
    WEBHOOK_QUEUE_MAX,
    WEBHOOK_TIMEOUT_S,
)

_AGAIN = frozenset((408, 425, 429))
"""Of 4xx, those that a second try may mend."""


@dataclass(frozen=True)
class _Letter:
    notify: Notify
    document: Mapping[str, Any]


class Webhooks:
    """``count`` is told ``sent``, ``failed`` or ``dropped``. URL and headers may hold secrets: only the host is shown."""

    def __init__(self, events: Events, count: Callable[[str], None]) -> None:
        self._events = events
        self._count = count
        self._waiting: dict[str, deque[_Letter]] = {}
        self._senders: dict[str, asyncio.Task[None]] = {}

    def tell(self, rollout: str, notify: Notify, document: Mapping[str, Any]) -> None:
        waiting = self._waiting.setdefault(rollout, deque())
        if len(waiting) >= WEBHOOK_QUEUE_MAX:
            waiting.popleft()
            self._count("dropped")
        waiting.append(_Letter(notify, document))
        if rollout not in self._senders:
            self._senders[rollout] = begin(self._send_all(rollout), "webhook")

    async def close(self) -> None:
        """What waits gets a moment yet."""
        if self._senders:
            _, late = await asyncio.wait(self._senders.values(), timeout=WEBHOOK_CLOSE_S)
            for sender in late:
                sender.cancel()

    async def _send_all(self, rollout: str) -> None:
        waiting = self._waiting[rollout]
        try:
            while waiting:
                async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WEBHOOK_TIMEOUT_S)) as client:
                    await self._deliver(client, rollout, waiting.popleft())
        finally:
            del self._senders[rollout], self._waiting[rollout]

    async def _deliver(self, client: aiohttp.ClientSession, rollout: str, letter: _Letter) -> None:
        why = ""
        for attempt in range(WEBHOOK_ATTEMPTS_MAX):
            if attempt:
                await asyncio.sleep(min(WEBHOOK_BACKOFF_S * 2 ** (attempt - 1), WEBHOOK_BACKOFF_MAX_S))
            why, again = await _post(client, letter)
            if not why:
                self._count("sent")
                return
            if not again:
                break
        self._count("failed")
        message = (
            f"The webhook was not told of a change of the rollout {rollout!r}: {why}. See /api/rollouts for what it missed."
        )
        told = {key: letter.document[key] for key in ("change", "at")}
        self._events.write(
            "webhook_failed", "warning", message, rollout=rollout, host=urlsplit(letter.notify.webhook).hostname, **told
        )


async def _post(client: aiohttp.ClientSession, letter: _Letter) -> tuple[str, bool]:
    """What went wrong, empty if nothing; and whether another try may mend it."""
    headers = {"content-type": "application/json", **letter.notify.headers}
    body = json.dumps(letter.document).encode()
    try:
        # A redirect could lead the headers to somebody else.
        answer = await client.post(letter.notify.webhook, data=body, headers=headers, allow_redirects=False)
        async with answer:
            if 200 <= answer.status < 300:
                return "", False
            return f"it answers {answer.status}", answer.status >= 500 or answer.status in _AGAIN
    except TimeoutError:
        return "it does not answer in time", True
    except aiohttp.ClientConnectorCertificateError:
        return "its certificate is not to be trusted", True
    except aiohttp.ClientConnectorError as error:
        return (error.os_error.strerror or type(error.os_error).__name__).lower(), True
    except (aiohttp.ClientError, OSError, ValueError) as error:
        # The text of some of these repeats the URL.
        return f"the connection failed ({type(error).__name__})", True
