"""Connections to endpoints: dialled when needed, kept alive between exchanges, last in first out.

Last in first out keeps few connections warm and lets the rest run into their idle limit, instead of keeping all of them
lukewarm.
"""

import asyncio
import errno
import ssl
from collections.abc import Collection
from functools import partial
from typing import TYPE_CHECKING

from tracer_proxy.dataplane import tls
from tracer_proxy.dataplane.race import first_of
from tracer_proxy.dataplane.resolver import Resolver, Unresolved
from tracer_proxy.dataplane.upstream import Upstream
from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import DIAL_STAGGER_S, IDLE_CONNECTIONS_PER_ENDPOINT_MAX
from tracer_proxy.routing.endpoint import Endpoint

if TYPE_CHECKING:
    from tracer_proxy.dataplane.worker import Worker


class Connections:
    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._idle: dict[Endpoint, list[Upstream]] = {}
        self._contexts = tls.ClientContexts()
        self.resolver = Resolver(worker.loop)
        worker.clock.each_tick.append(self._close_those_idle_for_too_long)

    def take(self, endpoint: Endpoint) -> Upstream | None:
        """A kept connection that has not been closed, or ``None``."""
        idle = self._idle.get(endpoint)
        while idle:
            upstream = idle.pop()
            transport = upstream.transport
            if transport is not None and not transport.is_closing():
                return upstream
        return None

    def keep(self, upstream: Upstream, idle_s: float) -> None:
        idle = self._idle.get(upstream.endpoint)
        if idle is None:
            idle = self._idle[upstream.endpoint] = []
        worker, transport = self._worker, upstream.transport
        # An endpoint that answered without reading all it was sent is not at rest.
        unsent = transport is None or transport.get_write_buffer_size()
        if unsent or len(idle) >= IDLE_CONNECTIONS_PER_ENDPOINT_MAX or worker.leaving:
            upstream.close()
            return
        upstream.rest(worker.clock.now + idle_s)
        idle.append(upstream)

    def forget(self, upstream: Upstream) -> None:
        """An idle connection has closed, or is about to."""
        idle = self._idle.get(upstream.endpoint)
        if idle is not None and upstream in idle:
            idle.remove(upstream)
            if not idle:
                del self._idle[upstream.endpoint]

    def _close_those_idle_for_too_long(self) -> None:
        now = self._worker.clock.now
        for upstream in [upstream for idle in self._idle.values() for upstream in idle if upstream.idle_until <= now]:
            upstream.close()

    def close_idle(self) -> None:
        for upstream in [upstream for idle in self._idle.values() for upstream in idle]:
            upstream.close()
        self._idle.clear()

    def retain(self, endpoints: Collection[Endpoint]) -> None:
        """For a table that comes into use: makes ready what its endpoints need, and lets go of what only others needed.

        Connections under way to other endpoints go on, and are closed when their exchange is done and nobody takes them.
        """
        kept = set(endpoints)
        for upstream in [upstream for endpoint, idle in self._idle.items() if endpoint not in kept for upstream in idle]:
            upstream.close()
        self._contexts.retain([endpoint.tls for endpoint in kept if endpoint.tls is not None])
        self.resolver.retain({endpoint.host for endpoint in kept})

    def idle_at(self, endpoint: Endpoint) -> int:
        return len(self._idle.get(endpoint, ()))

    @property
    def idle_count(self) -> int:
        return sum(map(len, self._idle.values()))

    async def dial(self, endpoint: Endpoint, timeout_s: float) -> Upstream:
        """Raises ``ProxyError`` of kind UNREACHABLE, CONNECT_TIMEOUT, OVERLOADED or INTERNAL."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._connect(endpoint)
        except TimeoutError:
            raise ProxyError(Kind.CONNECT_TIMEOUT, f"{endpoint} did not accept a connection within {timeout_s:g} s.") from None
        except OSError as error:
            raise _failure(endpoint, error) from None

    async def _connect(self, endpoint: Endpoint) -> Upstream:
        if endpoint.path:
            return await self._connect_to(endpoint, "", None)
        addresses = await self.resolver.addresses(endpoint.host, self._worker.settings.dns_ttl_s)
        context = self._contexts.get(endpoint.tls) if endpoint.tls else None
        attempts = [partial(self._connect_to, endpoint, address, context) for address in addresses]
        return await (attempts[0]() if len(attempts) == 1 else first_of(attempts, DIAL_STAGGER_S))

    async def _connect_to(self, endpoint: Endpoint, address: str, context: ssl.SSLContext | None) -> Upstream:
        upstream = Upstream(self._worker, endpoint)
        upstream.peer = address
        loop = self._worker.loop
        try:
            if endpoint.path:
                await loop.create_unix_connection(lambda: upstream, endpoint.path)
            elif endpoint.tls is None:
                await loop.create_connection(lambda: upstream, address, endpoint.port)
            else:
                name = endpoint.tls.server_name or endpoint.host
                await loop.create_connection(lambda: upstream, address, endpoint.port, ssl=context, server_hostname=name)
        except BaseException:
            # Given up at the moment when it stood: the loop closes it, and does not always say so.
            self._worker.upstreams.discard(upstream)
            if upstream.transport is not None:
                upstream.transport.abort()
            raise
        return upstream


def _failure(endpoint: Endpoint, error: OSError) -> ProxyError:
    if isinstance(error, tls.CannotLoadFiles):
        return ProxyError(Kind.INTERNAL, f"TLS with {endpoint} is not possible: {error}.")
    if isinstance(error, ssl.SSLError):
        return ProxyError(Kind.UNREACHABLE, f"TLS with {endpoint} failed: {tls.reason(error)}.")
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return ProxyError(Kind.OVERLOADED, "The proxy has no file descriptors left; raise its limit.")
    if endpoint.tls and isinstance(error, ConnectionResetError):
        return ProxyError(Kind.UNREACHABLE, f"TLS with {endpoint} failed: it closed the connection during the handshake.")
    why = str(error) if isinstance(error, Unresolved) else _reason(error)
    return ProxyError(Kind.UNREACHABLE, f"{endpoint} cannot be reached: {why}.")


def _reason(error: OSError) -> str:
    return {
        errno.ECONNREFUSED: "connection refused",
        errno.ENOENT: "no such socket file",
        errno.EHOSTUNREACH: "no route to host",
        errno.ENETUNREACH: "network unreachable",
    }.get(error.errno or 0) or (error.strerror or str(error)).rstrip(".").lower()
