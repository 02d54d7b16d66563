"""After a 101: bytes both ways, unread, with back-pressure; a close of one direction is passed on."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from tracer_proxy.limits import LINGER_S

if TYPE_CHECKING:
    from tracer_proxy.dataplane.downstream import Downstream
    from tracer_proxy.dataplane.upstream import Upstream
    from tracer_proxy.dataplane.worker import Worker


class Tunnel:
    """Two ends and their common idle limit."""

    __slots__ = ("_idle_s", "_on_close", "_open_ends", "_worker", "deadline", "ends")

    def __init__(
        self,
        worker: "Worker",
        client: asyncio.Transport,
        upstream: asyncio.Transport,
        idle_s: float,
        on_close: Callable[["Tunnel"], None],
    ) -> None:
        self._worker = worker
        self._idle_s = idle_s
        self._on_close = on_close
        self._open_ends = 2
        near, far = End(self, client, upstream), End(self, upstream, client)
        self.ends = (near, far)
        client.set_protocol(near)
        upstream.set_protocol(far)
        worker.tunnels.add(self)
        worker.clock.waiting.add(self)
        self.touch()

    @classmethod
    def between(
        cls, downstream: "Downstream", upstream: "Upstream", idle_s: float, on_close: Callable[["Tunnel"], None]
    ) -> None:
        """Takes both connections over, with what the client sent ahead. ``on_close`` is called when both are closed."""
        worker = downstream.worker
        ahead = downstream.take_ahead()
        assert upstream.transport is not None
        worker.hand_over(downstream, upstream)
        tunnel = cls(worker, downstream.transport, upstream.transport, idle_s, on_close)
        near, far = tunnel.ends
        # Either side may have been full, or held back, before the switch; and what came ahead may fill the upstream anew.
        near.transport.resume_reading()
        if ahead:
            upstream.transport.write(ahead)
            near.passed_bytes += len(ahead)
        if downstream.is_full:
            near.pause_writing()
        else:
            far.transport.resume_reading()

    def touch(self) -> None:
        self.deadline = self._worker.clock.now + self._idle_s

    def expired(self) -> None:
        self.close()

    def close(self) -> None:
        for end in self.ends:
            end.transport.abort()

    def closed(self) -> None:
        """One end has gone; the other gets a moment for what is still to be sent."""
        self._open_ends -= 1
        self.deadline = self._worker.clock.now + LINGER_S
        if not self._open_ends:
            self._worker.tunnels.discard(self)
            self._worker.clock.waiting.discard(self)
            self._on_close(self)


class End(asyncio.Protocol):
    __slots__ = ("_ended", "_other", "_tunnel", "passed_bytes", "pieces", "transport")

    def __init__(self, tunnel: Tunnel, transport: asyncio.Transport, other: asyncio.Transport) -> None:
        self._tunnel = tunnel
        self.transport = transport
        self._other = other
        self._ended = False
        self.passed_bytes = 0
        """From here to the other end."""
        self.pieces = 0

    def data_received(self, data: bytes) -> None:
        self._other.write(data)
        self.passed_bytes += len(data)
        self.pieces += 1
        self._tunnel.touch()

    def eof_received(self) -> bool:
        self._ended = True
        # TLS knows no connection that is open in one direction only.
        one_way = self.transport.can_write_eof() and self._other.can_write_eof()
        if all(end._ended for end in self._tunnel.ends) or not one_way:
            return False
        self._other.write_eof()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._tunnel.closed()
        if exc is None:
            self._other.close()
        else:
            self._other.abort()

    def pause_writing(self) -> None:
        self._other.pause_reading()

    def resume_writing(self) -> None:
        self._other.resume_reading()
