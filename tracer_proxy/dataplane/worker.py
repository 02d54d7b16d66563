"""One process's data plane: its table, its connections, its listeners."""

import asyncio
import os
import random
import socket
from collections.abc import Callable, Mapping
from typing import Any

from tracer_proxy.dataplane import metering
from tracer_proxy.dataplane.clock import Clock
from tracer_proxy.dataplane.connections import Connections
from tracer_proxy.dataplane.copies import Copies
from tracer_proxy.dataplane.downstream import Downstream
from tracer_proxy.dataplane.failures import WriteEvent
from tracer_proxy.dataplane.ids import Ids
from tracer_proxy.dataplane.probe import Probes
from tracer_proxy.dataplane.records import Records
from tracer_proxy.dataplane.settings import ListenerTls, Settings
from tracer_proxy.dataplane.shared_memory import SharedMemory
from tracer_proxy.dataplane.tls import CannotLoadFiles, ServerTls
from tracer_proxy.dataplane.tunnel import Tunnel
from tracer_proxy.dataplane.upstream import Upstream
from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import DRAIN_SERVE_S, HEALTH_LOOK_S, LISTEN_BACKLOG, STITCH_KEYS_MAX, TLS_CLOSE_S, TLS_HANDSHAKE_S
from tracer_proxy.routing.balance import Dice
from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.health import State
from tracer_proxy.routing.pool import Transition
from tracer_proxy.routing.table import Table
from tracer_proxy.stitching.colors import Colors, LocalColorMemory
from tracer_proxy.stitching.keys import Keys
from tracer_proxy.stitching.memory import LocalMemory
from tracer_proxy.stitching.served import Served
from tracer_proxy.stitching.stitcher import Stitcher
from tracer_proxy.telemetry.catalogue import Shed
from tracer_proxy.telemetry.deltas import Meters

_DRAIN_LOOK_S = 0.02


class Worker:
    """``dice`` is what random balancing throws; ``tell`` hears of every exchange that the proxy itself had to end,
    ``tell_event`` of what else belongs into the log; ``memory`` is what it shares with other workers of ids and colours."""

    def __init__(
        self,
        table: Table,
        settings: Settings | None = None,
        *,
        dice: Dice = random.random,
        tell: Callable[[ProxyError, Mapping[str, str]], None] | None = None,
        tell_event: WriteEvent | None = None,
        memory: SharedMemory | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.table = table
        """Swapped whole; exchanges under way keep theirs."""
        self.settings = settings or Settings()
        self.dice = dice
        self._tell = tell
        self.tell_event = tell_event
        self.meters = Meters(f"{os.getpid()}-{os.urandom(4).hex()}")
        metering.attach(table, self.meters)
        self.resolver_failures_told = 0
        """What the meters know of the resolver's count."""
        self.clock = Clock(self.loop, self.meters.worker)
        self.ids = Ids()
        keys = Keys(memory.secret if memory is not None else os.urandom(32))
        remembered = memory or LocalMemory(STITCH_KEYS_MAX)
        self.stitcher = Stitcher(remembered, keys)
        self.served = Served(remembered, keys)
        self.colors = Colors(memory or LocalColorMemory(STITCH_KEYS_MAX), keys)
        self.records = Records(self.loop)
        self.records.want(table.wanted)
        self.connections = Connections(self)
        self.copies = Copies()
        self.downstreams: set[Downstream] = set()
        self.upstreams: set[Upstream] = set()
        self.tunnels: set[Tunnel] = set()
        self.leaving = False
        """Takes no new connections, and ends each one with its next answer."""
        self.draining = False
        """Refuses new requests, too."""
        self.exchanges_open = 0
        """Those under way now."""
        self.held_bytes = 0
        """Of request bodies that wait, or are kept for another attempt."""
        self.probes = Probes(self)
        self._health_due = 0.0
        self.clock.each_tick.append(self._look_at_health)
        self.server_tls: ServerTls | None = None
        """Made by the first listener that needs it."""
        self._servers: list[asyncio.Server] = []
        self.clock.start()

    async def listen(self, listener: socket.socket) -> None:
        """Serves a socket that is bound; other processes may serve it too.

        TLS, if there is any, is for TCP: who reaches a Unix socket is settled by the permissions of its file.
        """
        if listener.family == socket.AF_UNIX:
            server = await self.loop.create_unix_server(lambda: Downstream(self), sock=listener, backlog=LISTEN_BACKLOG)
        else:
            if self.settings.tls is not None and self.server_tls is None:
                self.server_tls = ServerTls(self.settings.tls)
            tls = self.server_tls
            server = await self.loop.create_server(
                lambda: Downstream(self),
                sock=listener,
                backlog=LISTEN_BACKLOG,
                ssl=tls.context if tls else None,
                ssl_handshake_timeout=TLS_HANDSHAKE_S if tls else None,
                ssl_shutdown_timeout=TLS_CLOSE_S if tls else None,
            )
        self._servers.append(server)

    def take(self, table: Table, settings: Settings) -> None:
        """Routes by ``table`` from now on. Exchanges under way keep the one they began with, and nothing is closed."""
        table.adopt(self.table)
        metering.attach(table, self.meters)
        self.table, self.settings = table, settings
        self.records.want(table.wanted)
        if self.server_tls is not None and settings.tls is not None:
            self._reload_certificates(self.server_tls, settings.tls)
        for downstream in self.downstreams:
            downstream.judge_peer()
        self.prepare_connections()

    def _reload_certificates(self, server_tls: ServerTls, files: ListenerTls) -> None:
        try:
            server_tls.reload(files)
        except CannotLoadFiles as error:
            message = "the listener's new certificate cannot be loaded; the one before stays"
            self.loop.call_exception_handler({"message": message, "exception": error})

    def prepare_connections(self) -> None:
        """Connections to endpoints that are no longer there end; what TLS needs is read before the first request does."""
        self.probes.follow(self.table)
        self.connections.retain([endpoint for pool in self.table.pools.values() for endpoint in pool.endpoints])

    def failed(self, error: ProxyError, details: Mapping[str, str]) -> None:
        """``details`` say which exchange: trace id, route, lane, endpoint, as far as they were known."""
        self.meters.worker.errors[error.kind] += 1
        if self._tell is not None:
            self._tell(error, details)

    def _look_at_health(self) -> None:
        now = self.clock.now
        if now < self._health_due:
            return
        self._health_due = now + HEALTH_LOOK_S
        for route in self.table.routes:
            route.budget.roll(now)
        for name, pool in self.table.pools.items():
            for transition in pool.tick(now):
                self._tell_of_health(name, transition)

    def _tell_of_health(self, pool: str, transition: Transition) -> None:
        endpoint, state = transition.endpoint, transition.after
        if state in (State.EJECTED, State.UNHEALTHY):
            endpoint.meter.ejections += 1
        if self.tell_event is not None:
            message = f"The endpoint {endpoint} of the pool {pool!r} is {state}: {transition.reason}."
            level = "info" if endpoint.health.is_usable else "warning"
            told = {"event": f"endpoint_{state}", "level": level, "message": message, "pool": pool}
            self.tell_event({**told, "endpoint": str(endpoint), "before": transition.before})

    def shed(self, reason: Shed) -> None:
        """New work was refused."""
        self.meters.worker.shed[reason] += 1

    def hand_over(self, downstream: Downstream, upstream: Upstream) -> None:
        """Both connections become a tunnel's."""
        self.downstreams.discard(downstream)
        self.clock.waiting.discard(downstream)
        self.upstreams.discard(upstream)

    def report(self) -> dict[str, Any]:
        """What it holds at this moment and has counted so far, as JSON has it."""
        now = self.clock.now
        return {
            "under_way": self.under_way,
            "draining": self.leaving,
            "client_connections": len(self.downstreams),
            "tunnels": len(self.tunnels),
            "upstream_connections": {"all": len(self.upstreams), "idle": self.connections.idle_count},
            "pools": {name: [_shown(each, now) for each in pool.endpoints] for name, pool in self.table.pools.items()},
        }

    @property
    def under_way(self) -> int:
        """Exchanges, answers that the client has not taken to their end yet, and tunnels."""
        return sum(map(_is_busy, self.downstreams)) + len(self.tunnels)

    async def drain(self, grace_s: float, serve_s: float = DRAIN_SERVE_S) -> None:
        """Takes no new connections, lets exchanges end for ``grace_s`` seconds, then closes what is left.

        What clients still send on open connections is served for ``serve_s`` seconds, for they cannot know; then it is refused.
        """
        self.leaving = True
        # Whoever has been let in by the kernel is let in here.
        await asyncio.sleep(0)
        for server in self._servers:
            server.close()
        self.probes.stop()
        self.connections.close_idle()
        end = self.loop.time() + grace_s
        refuse_at = min(end, self.loop.time() + serve_s)
        # Looking is cheaper than telling: the hot path does not know that anybody waits for its last exchange.
        while self.loop.time() < end:
            # First, for a connection that was let in just now is not known yet.
            await asyncio.sleep(_DRAIN_LOOK_S)
            if self.loop.time() >= refuse_at and not self.draining:
                self._refuse()
            if not (self.under_way if self.draining else self.downstreams or self.tunnels):
                break
        self._refuse()
        await self._close()

    def _refuse(self) -> None:
        self.draining = True
        for downstream in list(self.downstreams):
            downstream.drain()

    async def _close(self) -> None:
        for tunnel in list(self.tunnels):
            tunnel.close()
        for downstream in list(self.downstreams):
            if downstream.exchange is None:
                downstream.transport.close()
            else:
                downstream.exchange.fail(ProxyError(Kind.DRAINING, "The proxy stopped before the answer was complete."))
        self.copies.close()
        for upstream in list(self.upstreams):
            upstream.close()
        self.clock.stop()
        await asyncio.sleep(0)


def _shown(endpoint: Endpoint, now: float) -> dict[str, Any]:
    health = endpoint.health
    told = {"address": str(endpoint), "pending": endpoint.pending, "state": health.state}
    seconds_left = round(health.seconds_left(now), 1)
    return told | {"failures_in_a_row": health.failures, "ejections": health.ejections, "seconds_left": seconds_left}


def _is_busy(downstream: Downstream) -> bool:
    return downstream.exchange is not None or downstream.transport.get_write_buffer_size() > 0
