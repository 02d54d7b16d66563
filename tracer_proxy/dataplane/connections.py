"""Connections to endpoints: dialled when needed, kept alive between exchanges, last in first out.

Last in first out keeps few connections warm and lets the rest run into their idle limit, instead of keeping all of them
lukewarm.
"""

import asyncio
import errno
import ssl
from typing import TYPE_CHECKING

from tracer_proxy.dataplane.upstream import Upstream
from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import IDLE_CONNECTIONS_PER_ENDPOINT_MAX
from tracer_proxy.routing.pool import Endpoint

if TYPE_CHECKING:
    from tracer_proxy.dataplane.worker import Worker


class Connections:
    def __init__(self, worker: "Worker") -> None:
        self._worker = worker
        self._idle: dict[Endpoint, list[Upstream]] = {}
        self._tls: ssl.SSLContext | None = None
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

    @property
    def idle_count(self) -> int:
        return sum(map(len, self._idle.values()))

    async def dial(self, endpoint: Endpoint, timeout_s: float) -> Upstream:
        """Raises ``ProxyError`` of kind UNREACHABLE, CONNECT_TIMEOUT or OVERLOADED."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self._connect(endpoint)
        except TimeoutError:
            raise ProxyError(Kind.CONNECT_TIMEOUT, f"{endpoint} did not accept a connection within {timeout_s:g} s.") from None
        except ssl.SSLError as error:
            raise ProxyError(Kind.UNREACHABLE, f"TLS with {endpoint} failed: {_tls_reason(error)}.") from None
        except UnicodeError:
            raise ProxyError(Kind.UNREACHABLE, f"{endpoint} cannot be reached: its host is no valid name.") from None
        except OSError as error:
            if error.errno in (errno.EMFILE, errno.ENFILE):
                raise ProxyError(Kind.OVERLOADED, "The proxy has no file descriptors left; raise its limit.") from None
            raise ProxyError(Kind.UNREACHABLE, f"{endpoint} cannot be reached: {_reason(error)}.") from None

    async def _connect(self, endpoint: Endpoint) -> Upstream:
        loop = self._worker.loop

        def protocol() -> Upstream:
            return Upstream(self._worker, endpoint)

        if endpoint.path:
            _, upstream = await loop.create_unix_connection(protocol, endpoint.path)
        elif endpoint.tls:
            _, upstream = await loop.create_connection(
                protocol, endpoint.host, endpoint.port, ssl=self._tls_context(), server_hostname=endpoint.host
            )
        else:
            _, upstream = await loop.create_connection(protocol, endpoint.host, endpoint.port)
        return upstream

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


def _reason(error: OSError) -> str:
    return {
        errno.ECONNREFUSED: "connection refused",
        errno.ENOENT: "no such socket file",
        errno.EHOSTUNREACH: "no route to host",
        errno.ENETUNREACH: "network unreachable",
    }.get(error.errno or 0) or (error.strerror or str(error)).rstrip(".").lower()


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
    return (error.reason or str(error)).replace("_", " ").lower()
