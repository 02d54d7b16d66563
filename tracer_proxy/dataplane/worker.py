"""One process's data plane: its table, its connections, its listeners."""

import asyncio
import errno
import os
import random
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tracer_proxy.dataplane.clock import Clock
from tracer_proxy.dataplane.connections import Connections
from tracer_proxy.dataplane.downstream import Downstream
from tracer_proxy.dataplane.ids import Ids
from tracer_proxy.dataplane.settings import Settings
from tracer_proxy.dataplane.tls import ServerTls
from tracer_proxy.dataplane.tunnel import Tunnel
from tracer_proxy.dataplane.upstream import Upstream
from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import LISTEN_BACKLOG, TLS_CLOSE_S, TLS_HANDSHAKE_S
from tracer_proxy.routing.pool import Dice
from tracer_proxy.routing.table import Table

_DRAIN_LOOK_S = 0.02


class Worker:
    """``dice`` is what random balancing throws; ``tell`` hears of every exchange that the proxy itself had to end."""

    def __init__(
        self,
        table: Table,
        settings: Settings | None = None,
        *,
        dice: Dice = random.random,
        tell: Callable[[ProxyError, Mapping[str, str]], None] | None = None,
    ) -> None:
        self.loop = asyncio.get_running_loop()
        self.table = table
        """Swapped whole; exchanges under way keep theirs."""
        self.settings = settings or Settings()
        self.dice = dice
        self._tell = tell
        self.clock = Clock(self.loop)
        self.ids = Ids()
        self.connections = Connections(self)
        self.downstreams: set[Downstream] = set()
        self.upstreams: set[Upstream] = set()
        self.tunnels: set[Tunnel] = set()
        self.draining = False
        self.exchanges = 0
        self.errors: Counter[Kind] = Counter()
        self.server_tls: ServerTls | None = None
        """Made by the first listener that needs it."""
        self._servers: list[asyncio.Server] = []
        self._socket_files: list[Path] = []
        self.clock.start()

    async def listen(self, address: str) -> str:
        """``host:port`` or ``unix:/path``; returns where it listens, with the port that was chosen for port 0.

        TLS, if there is any, is for TCP: who reaches a Unix socket is settled by the permissions of its file.
        """
        if address.startswith("unix:"):
            path = Path(address.removeprefix("unix:"))
            await self._refuse_to_take_over(path)
            server = await self.loop.create_unix_server(lambda: Downstream(self), str(path), backlog=LISTEN_BACKLOG)
            self._socket_files.append(path)
            self._servers.append(server)
            return address
        host, _, port = address.rpartition(":")
        if self.settings.tls is not None and self.server_tls is None:
            self.server_tls = ServerTls(self.settings.tls)
        tls = self.server_tls
        server = await self.loop.create_server(
            lambda: Downstream(self),
            host.strip("[]"),
            int(port),
            backlog=LISTEN_BACKLOG,
            reuse_address=True,
            ssl=tls.context if tls else None,
            ssl_handshake_timeout=TLS_HANDSHAKE_S if tls else None,
            ssl_shutdown_timeout=TLS_CLOSE_S if tls else None,
        )
        self._servers.append(server)
        return f"{host}:{server.sockets[0].getsockname()[1]}"

    async def _refuse_to_take_over(self, path: Path) -> None:
        """A socket file that nobody listens on is left over and replaced; one that is in use is somebody else's."""
        try:
            transport, _ = await self.loop.create_unix_connection(asyncio.Protocol, str(path))
        except OSError:
            return
        transport.close()
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))

    def failed(self, error: ProxyError, details: Mapping[str, str]) -> None:
        """``details`` say which exchange: trace id, route, lane, endpoint, as far as they were known."""
        self.errors[error.kind] += 1
        if self._tell is not None:
            self._tell(error, details)

    def hand_over(self, downstream: Downstream, upstream: Upstream) -> None:
        """Both connections become a tunnel's."""
        self.downstreams.discard(downstream)
        self.clock.waiting.discard(downstream)
        self.upstreams.discard(upstream)

    @property
    def under_way(self) -> int:
        """Exchanges, answers that the client has not taken to their end yet, and tunnels."""
        return sum(map(_is_busy, self.downstreams)) + len(self.tunnels)

    async def drain(self, grace_s: float) -> None:
        """Refuses new connections, lets exchanges end for ``grace_s`` seconds, then closes what is left."""
        self.draining = True
        for server in self._servers:
            server.close()
        self.connections.close_idle()
        for downstream in list(self.downstreams):
            downstream.drain()
        end = self.loop.time() + grace_s
        # Looking is cheaper than telling: the hot path does not know that anybody waits for its last exchange.
        while self.under_way and self.loop.time() < end:  # noqa: ASYNC110
            await asyncio.sleep(_DRAIN_LOOK_S)
        await self._close()

    async def _close(self) -> None:
        for tunnel in list(self.tunnels):
            tunnel.close()
        for downstream in list(self.downstreams):
            downstream.transport.close() if downstream.exchange is None else downstream.transport.abort()
        for upstream in list(self.upstreams):
            upstream.close()
        self.clock.stop()
        await asyncio.sleep(0)
        for path in self._socket_files:
            path.unlink(missing_ok=True)


def _is_busy(downstream: Downstream) -> bool:
    return downstream.exchange is not None or downstream.transport.get_write_buffer_size() > 0
