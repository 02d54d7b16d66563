"""Records of exchanges on their way to control: which are wanted, and how they get there. What cannot be sent is dropped."""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from tracer_proxy.limits import RECENT_RECORDS_PER_S, RECORDS_AT_ONCE, RECORDS_FLUSH_S
from tracer_proxy.telemetry.record import Record
from tracer_proxy.telemetry.wanted import Wanted

_encode = msgspec.msgpack.Encoder().encode


class Records:
    """``is_on`` is false when nobody wants any."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._held: list[Record] = []
        self._timer: asyncio.TimerHandle | None = None
        self._wanted = Wanted()
        self._recent_left = RECENT_RECORDS_PER_S
        self._refill_at = 0.0
        self.live = False
        """Somebody looks on: all are wanted."""
        self.is_on = False
        self._dropped = 0
        self.send: Callable[[bytes], bool] | None = None
        """Takes an array of records as MessagePack; false when it could not be sent."""

    def want(self, wanted: Wanted, *, live: bool | None = None) -> None:
        self._wanted = wanted
        self.live = self.live if live is None else live
        self.is_on = wanted.any or self.live

    def wants(self, seconds: float, now: float, *, sampled: bool, failed: bool) -> bool:
        """Whether the record of an exchange that has just ended is to be made; it took ``seconds``."""
        wanted = self._wanted
        if (wanted.sampled and sampled) or wanted.all or self.live:
            return True
        if (failed and wanted.errors) or seconds > wanted.slower_s:
            return True
        return wanted.recent and self._is_one_of_a_few(now)

    def _is_one_of_a_few(self, now: float) -> bool:
        if now >= self._refill_at:
            self._refill_at, self._recent_left = now + 1.0, RECENT_RECORDS_PER_S
        self._recent_left -= 1
        return self._recent_left >= 0

    def put(self, record: Record) -> None:
        self._held.append(record)
        if len(self._held) >= RECORDS_AT_ONCE:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(RECORDS_FLUSH_S, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        held, self._held = self._held, []
        if held and (self.send is None or not self.send(_encode(held))):
            self._dropped += len(held)

    def take_dropped(self) -> int:
        """How many, since this was asked last."""
        dropped, self._dropped = self._dropped, 0
        return dropped


def read_records(body: bytes) -> Sequence[Record]:
    """Of a message to control. Raises ``ValueError``."""
    try:
        return _decode(body)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from None


_decode = msgspec.msgpack.Decoder(list[Record]).decode
