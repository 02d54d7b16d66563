"""``/api/exchanges`` and its stream: what has just gone through the proxy."""

import asyncio
import re
from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web

from tracer_proxy.config.choices import hint
from tracer_proxy.control.admin.guard import refused
from tracer_proxy.control.live import Filter, Live, TooMany, Watcher
from tracer_proxy.limits import LIVE_KEEPALIVE_S, LIVE_RECORDS_MAX, LIVE_SHOWN, LIVE_STALL_S, LIVE_STREAMS_MAX
from tracer_proxy.telemetry.exchange_detail import detail_of
from tracer_proxy.telemetry.exchange_log import time_of
from tracer_proxy.telemetry.record import Record

_encode = msgspec.json.Encoder().encode
_TRACE = re.compile("[0-9a-f]{1,32}")
_NO_ANSWER_YET = ": what comes now\n\n"
_ALIVE = ": still here\n\n"


class _WrongQuery(ValueError):
    """One sentence that says which parameter is wrong."""


class Exchanges:
    def __init__(self, live: Live, profile: Callable[[], str], keepalive_s: float = LIVE_KEEPALIVE_S) -> None:
        self._live = live
        self._profile = profile
        self._keepalive_s = keepalive_s

    async def recent(self, request: web.Request) -> web.Response:
        try:
            wanted, limit = _asked(request, "limit", LIVE_SHOWN)
        except _WrongQuery as error:
            return refused("wrong_question", str(error), 400)
        oldest = self._live.oldest
        shown = {
            "remembered": self._live.remembered,
            "since": time_of(oldest.began) if oldest else None,
            "exchanges": [detail_of(record, profile=self._profile()) for record in self._live.recent(wanted, limit)],
        }
        return web.Response(body=_encode(shown), content_type="application/json")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        if self._live.has_ended:
            return refused("draining", "The proxy is stopping; watch its successor.", 503)
        try:
            wanted, last = _asked(request, "last", 0)
            with self._live.watching(wanted, last) as watcher:
                return await self._stream(request, watcher)
        except _WrongQuery as error:
            return refused("wrong_question", str(error), 400)
        except TooMany:
            return refused("too_many_streams", f"{LIVE_STREAMS_MAX} streams are open, which is the most there may be.", 503)

    async def _stream(self, request: web.Request, watcher: Watcher) -> web.StreamResponse:
        headers = {"content-type": "text/event-stream", "cache-control": "no-store", "x-accel-buffering": "no"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            await _write(response, _NO_ANSWER_YET)
            async for records, lost in watcher.batches(self._keepalive_s):
                await _write(response, self._events(records, lost) or _ALIVE)
            await _write(response, _event("end", {"reason": "draining"}))
        except (ConnectionError, TimeoutError):
            # Whoever watched has gone, or reads no more.
            if request.transport is not None:
                request.transport.abort()
        return response

    def _events(self, records: Sequence[Record], lost: int) -> str:
        events = [_event("exchange", detail_of(record, profile=self._profile())) for record in records]
        return "".join(events) + (_event("lost", {"lost": lost}) if lost else "")


def _event(name: str, document: object) -> str:
    return f"event: {name}\ndata: {_encode(document).decode()}\n\n"


async def _write(response: web.StreamResponse, text: str) -> None:
    """Raises ``TimeoutError`` when the reader does not read."""
    async with asyncio.timeout(LIVE_STALL_S):
        await response.write(text.encode())


def _asked(request: web.Request, number_name: str, default: int) -> tuple[Filter, int]:
    """Raises ``_WrongQuery``."""
    known = (number_name, "trace", "route", "errors")
    for name in request.query:
        if name not in known:
            raise _WrongQuery(f"unknown parameter {name!r}{hint(name, known, 'parameters')}")
    trace = request.query.get("trace", "").lower()
    if trace and not _TRACE.fullmatch(trace):
        raise _WrongQuery("trace: expected hex digits that a trace id begins with, at most 32.")
    errors = request.query.get("errors", "0")
    if errors not in ("0", "1"):
        raise _WrongQuery("errors: expected 1, for those that failed, or 0, for all.")
    number = request.query.get(number_name, str(default))
    if not (number.isascii() and number.isdigit() and len(number) <= len(str(LIVE_RECORDS_MAX))):
        raise _WrongQuery(f"{number_name}: expected a number from 0 to {LIVE_RECORDS_MAX}.")
    return Filter(trace, request.query.get("route", ""), errors == "1"), min(int(number), LIVE_RECORDS_MAX)
