"""The side of a client: one connection, its requests one after the other."""

import asyncio
import fcntl
import select
import socket
import struct
import termios
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from tracer_proxy.dataplane import accounts
from tracer_proxy.dataplane.exchange import Exchange
from tracer_proxy.dataplane.mirror import MirroredExchange
from tracer_proxy.dataplane.plan import Plan
from tracer_proxy.dataplane.respond import error_response
from tracer_proxy.dataplane.tls import names_in
from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import (
    BODY_IDLE_S,
    DISCARD_BYTES_MAX,
    LINGER_S,
    NEW_HEADS_IN_A_ROW_MAX,
    PIPELINED_BYTES_MAX,
    PIPELINED_PIECE_BYTES,
    PLANNED_HEAD_BYTES_MAX,
    PLANS_PER_CONNECTION_MAX,
    WRITE_BUFFER_HIGH_BYTES,
    WRITE_BUFFER_LOW_BYTES,
)
from tracer_proxy.routing.table import Table
from tracer_proxy.telemetry.catalogue import Shed
from tracer_proxy.wire.head_buffer import HeadBuffer
from tracer_proxy.wire.repeat import Rest
from tracer_proxy.wire.request import read_request

if TYPE_CHECKING:
    from tracer_proxy.dataplane.worker import Worker

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Downstream(asyncio.Protocol):
    __slots__ = (
        "_advancing",
        "_ahead",
        "_ahead_bytes",
        "_closing",
        "_discarded_bytes",
        "_heads",
        "_last_plan",
        "_new_heads",
        "_plans",
        "_unsent_bytes",
        "certificate",
        "deadline",
        "exchange",
        "is_full",
        "is_held_up",
        "listener",
        "peer",
        "peer_port",
        "scheme",
        "transport",
        "trusted",
        "worker",
    )

    def __init__(self, worker: "Worker") -> None:
        self.worker = worker
        self.exchange: Exchange | None = None
        self.is_full = False
        """The client reads more slowly than its upstream writes."""
        self.peer = b""
        """The client's address; empty on a Unix socket."""
        self.peer_port = 0
        self.listener = b""
        """Where the client has connected to."""
        self.scheme = b"http"
        self.certificate: Sequence[str] = ()
        """The names in the one that the client has shown."""
        self.trusted = False
        self.deadline = worker.clock.now + worker.settings.head_s
        self._heads = HeadBuffer(Kind.MALFORMED, worker.settings.head_bytes_max)
        self._plans: dict[Rest, Plan] = {}
        self._last_plan: Plan | None = None
        """Of the last request, if its head was one that came again."""
        self._new_heads = 0
        """In a row, none of which had come before."""
        self._ahead: deque[bytes] = deque()
        """What the client sent beyond the request under way."""
        self._ahead_bytes = 0
        self.is_held_up = False
        """It is not read."""
        self._advancing = False
        self._closing = False
        self._discarded_bytes = 0
        self._unsent_bytes = 0

    # The loop calls these.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        worker = self.worker
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(WRITE_BUFFER_HIGH_BYTES, WRITE_BUFFER_LOW_BYTES)
        if transport.get_extra_info("sslcontext") is not None:
            self.scheme = b"https"
            self.certificate = names_in(transport.get_extra_info("peercert"))
        worker.downstreams.add(self)
        worker.clock.waiting.add(self)
        if transport.get_extra_info("socket").family != socket.AF_UNIX:
            name = transport.get_extra_info("peername")
            if not name:
                # Reset before it was accepted. What it sent may still be read, and nobody knows who sent it.
                self._closing = True
                self.transport.abort()
                return
            self.peer, self.peer_port = name[0].encode(), name[1]
        self.listener = str(transport.get_extra_info("sockname")).encode()
        self.judge_peer()
        worker.meters.worker.connections_accepted += 1
        if len(worker.downstreams) + len(worker.tunnels) > worker.settings.connections_max:
            worker.shed(Shed.CONNECTIONS)
            self.refuse(ProxyError(Kind.OVERLOADED, "The proxy has as many connections as it may hold; try again soon."))

    def data_received(self, data: bytes) -> None:
        exchange = self.exchange
        if exchange is None:
            if self._ahead or self.is_full:
                self._hold_back(data)
            else:
                self._read(data)
            if self._ahead:
                self._advance()
        elif exchange.request_done:
            self._hold_back(data)
        else:
            exchange.from_client(data)

    def eof_received(self) -> bool:
        # A client that closes its sending side is taken as gone: the two cannot be told apart, and an upstream that goes on
        # generating for nobody costs money. Without an exchange, what is still unsent may reach it.
        if self.exchange is not None:
            self.transport.abort()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.worker.downstreams.discard(self)
        self.worker.clock.waiting.discard(self)
        self._closing = True
        if self.exchange is not None:
            self.exchange.client_gone()
            self.leave_exchange()

    def pause_writing(self) -> None:
        self.is_full = True
        if self.exchange is not None:
            self.exchange.client_is_full()

    def resume_writing(self) -> None:
        self.is_full = False
        if self.exchange is not None:
            self.exchange.client_drained()
        else:
            self._advance()
            self.regulate()

    def expired(self) -> None:
        """The clock calls this when ``deadline`` has passed."""
        if self.exchange is not None:
            self.exchange.expired()
        elif self.takes_bytes():
            self.deadline = self.worker.clock.now + BODY_IDLE_S
        elif self._heads.has_begun and not self._closing:
            self.refuse(ProxyError(Kind.SLOW_REQUEST, "The request head did not arrive in time."))
        else:
            self.transport.abort()

    def takes_bytes(self) -> bool:
        """Whether the client has taken something of what waits for it, since this was asked last.

        What the kernel holds counts too: it may be megabytes, so that our own buffer stands still while a client reads.
        """
        raw = self.transport.get_extra_info("socket")
        descriptor = raw.fileno() if raw is not None else -1
        (in_kernel,) = struct.unpack("i", fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0" * 4)) if descriptor >= 0 else (0,)
        before, self._unsent_bytes = self._unsent_bytes, self.transport.get_write_buffer_size() + in_kernel
        return 0 < self._unsent_bytes != before

    def judge_peer(self) -> None:
        """By the table in force: a reload may change who is trusted."""
        self.trusted = self.worker.table.trust.believes(self.peer.decode() or None)

    def has_left(self) -> bool:
        """Whether the client has closed, or its sending side; seen past the bytes that were not read."""
        descriptor = self.transport.get_extra_info("socket").fileno()
        if descriptor < 0:
            return True
        poll = select.poll()
        poll.register(descriptor, select.POLLRDHUP)
        return bool(poll.poll(0))

    # The exchange calls these.

    def regulate(self) -> None:
        """Reads the client, or lets it wait: the one place that decides, called when what it looks at may have changed."""
        exchange = self.exchange
        if exchange is None or exchange.request_done:
            holds_up = self._ahead_bytes > PIPELINED_BYTES_MAX and not self._closing
        else:
            holds_up = not exchange.takes_body
        if holds_up != self.is_held_up and not self.transport.is_closing():
            self.is_held_up = holds_up
            if holds_up:
                self.transport.pause_reading()
            else:
                self.transport.resume_reading()

    def give_back(self, rest: bytes) -> None:
        """Bytes behind the end of a request: the next one, or the first ones of a tunnel; in front of what came later."""
        self._ahead_bytes += len(rest)
        if len(rest) <= PIPELINED_PIECE_BYTES:
            self._ahead.appendleft(rest)
        else:
            starts = range(0, len(rest), PIPELINED_PIECE_BYTES)
            self._ahead.extendleft([rest[start : start + PIPELINED_PIECE_BYTES] for start in reversed(starts)])

    def take_ahead(self) -> bytes:
        ahead = b"".join(self._ahead)
        self._ahead.clear()
        self._ahead_bytes = 0
        return ahead

    def exchange_done(self, *, keep: bool, request_done: bool) -> None:
        """The answer is written. ``keep``: the connection may carry another request."""
        worker = self.worker
        self.exchange = None
        worker.exchanges_open -= 1
        if not keep or worker.leaving:
            self._close(linger=not request_done or self._ahead_bytes > 0)
            return
        self.deadline = worker.clock.now + worker.settings.keep_alive_s
        if self._ahead:
            self._advance()
        if self.is_held_up:
            self.regulate()

    def leave_exchange(self) -> None:
        self.exchange = None
        self.worker.exchanges_open -= 1

    def drain(self) -> None:
        """Closes a connection that is idle; a request that is half there is answered with 503 when it is whole."""
        if self.exchange is None and not self._heads.has_begun:
            self.transport.close()

    def break_off(self, *, reset: bool) -> None:
        """Ends an answer that is incomplete, so that the client can tell. ``reset`` where only a reset tells it."""
        self.leave_exchange()
        self._closing = True
        if reset:
            raw = self.transport.get_extra_info("socket")
            if raw is not None:
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.transport.abort()
        else:
            self._close(linger=False)

    def refuse(self, error: ProxyError) -> None:
        """Answers bytes that are no request, and closes: where the next one begins cannot be known."""
        trace_id = self.worker.ids.trace()
        self.worker.failed(error, {"trace_id": trace_id.decode()})
        accounts.refused(self, error, trace_id)
        self.transport.write(error_response(error, trace_id, "", with_body=True, keep=False))
        self._close(linger=True)

    def _advance(self) -> None:
        """Reads what came ahead, until a whole request is under way. A loop: pipelined errors must not nest."""
        if self._advancing:
            return
        self._advancing = True
        try:
            while self._ahead:
                exchange = self.exchange
                if self.is_full if exchange is None else exchange.request_done:
                    break
                piece = self._ahead.popleft()
                self._ahead_bytes -= len(piece)
                if exchange is None:
                    self._read(piece)
                else:
                    exchange.from_client(piece)
        finally:
            self._advancing = False

    def _read(self, data: bytes) -> None:
        if self._closing:
            self._discard(data)
            return
        try:
            plan = self._last_plan
            if plan is not None and plan.layout is not None and not self._heads.partial:
                values = plan.layout.values(data)
                if values is not None and plan.table is self.worker.table:
                    plan.fill_in(values)
                    self._start(plan, data[plan.layout.size :])
                    return
            begins = not self._heads.has_begun
            found = self._heads.feed(data)
            if found is None:
                if begins and self._heads.has_begun:
                    self.deadline = self.worker.clock.now + self.worker.settings.head_s
                return
            raw, body = found
            self._start(self._plan_for(raw), body)
        except ProxyError as error:
            self.refuse(error)

    def _start(self, plan: Plan, body: bytes) -> None:
        if self.worker.draining:
            self.worker.shed(Shed.DRAINING)
            raise ProxyError(Kind.DRAINING, "The proxy is stopping; send the request again, to its successor.")
        self.worker.exchanges_open += 1
        route = plan.route
        made = Exchange if route is None or route.mirror is None else MirroredExchange
        self.exchange = exchange = made(self, plan)
        exchange.begin(body)

    def _plan_for(self, raw: bytes) -> Plan:
        """One that was made before, or by reading the head. Raises for a malformed one."""
        table = self.worker.table
        self._last_plan = None
        if self._new_heads < NEW_HEADS_IN_A_ROW_MAX:
            return self._plan_to_keep(raw, table)
        return self._new_plan(raw, table)

    def _new_plan(self, raw: bytes, table: Table) -> Plan:
        return Plan(
            read_request(raw, table.request_fields),
            table,
            peer=self.peer,
            trusted=self.trusted,
            scheme=self.scheme,
            certificate=self.certificate,
        )

    def _plan_to_keep(self, raw: bytes, table: Table) -> Plan:
        rest, values = table.repeats.take_apart(raw)
        plan = self._plans.get(rest)
        if plan is not None and plan.table is table:
            self._new_heads = 0
            self._last_plan = plan
            plan.came_again(rest, values)
            return plan
        self._new_heads += 1
        plan = self._new_plan(raw, table)
        if len(raw) <= PLANNED_HEAD_BYTES_MAX and plan.expect_again(rest, values):
            if len(self._plans) >= PLANS_PER_CONNECTION_MAX:
                self._plans.clear()
            self._plans[rest] = plan
        return plan

    def _hold_back(self, data: bytes) -> None:
        self._ahead.append(data)
        self._ahead_bytes += len(data)
        if self._ahead_bytes > PIPELINED_BYTES_MAX:
            self.regulate()

    def _discard(self, data: bytes) -> None:
        self._discarded_bytes += len(data)
        if self._discarded_bytes > DISCARD_BYTES_MAX:
            self.transport.abort()

    def _close(self, *, linger: bool) -> None:
        """``linger``: the client is still sending. Closing at once would reset the connection and take the answer with it."""
        self._closing = True
        self.take_ahead()
        transport = self.transport
        # TLS cannot close one direction. Its close reads on, and throws away, until the client has closed as well.
        is_tls = not transport.can_write_eof()
        lingers = (linger or is_tls) and not transport.is_closing()
        wait_s = LINGER_S if lingers and not transport.get_write_buffer_size() else BODY_IDLE_S
        self.deadline = self.worker.clock.now + wait_s
        if lingers and not is_tls:
            transport.write_eof()
            self.regulate()
        else:
            transport.close()
