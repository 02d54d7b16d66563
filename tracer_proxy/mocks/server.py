"""Where a mock listens: from an address in a config file or on a command line to an application that runs in this loop."""

from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from tracer_proxy import limits

_UNIX = "unix:"


@dataclass(frozen=True, slots=True)
class RunningMock:
    """A mock that answers until ``stop``. ``address``, as bound, is ``host:port``, ``[ipv6]:port`` or ``unix:/path``."""

    address: str
    runner: web.AppRunner

    async def stop(self) -> None:
        """Close the listener, give answers under way ``MOCK_STOP_S``, close everything. Calling it again is harmless."""
        await self.runner.cleanup()
        _remove_socket(self.address)


async def start(app: web.Application, listen: str) -> RunningMock:
    """Serve an application at ``host:port`` (``:port`` is loopback, port 0 any free one) or ``unix:/path``.

    Raises ValueError for an address that cannot be read, OSError for one that cannot be bound.
    """
    place = listen.removeprefix(_UNIX) if listen.startswith(_UNIX) else host_and_port(listen)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=limits.MOCK_STOP_S)
    await runner.setup()
    try:
        await _site(runner, place).start()
    except BaseException:
        await runner.cleanup()
        raise
    return RunningMock(_bound_address(runner, listen), runner)


def host_and_port(listen: str) -> tuple[str, int]:
    """Split ``host:port``. Raises ValueError with a sentence that says what was expected."""
    host, colon, port = listen.rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535 or (":" in bare and bare == host):
        raise ValueError(f"{listen!r} is no address to listen on: expected host:port, [ipv6]:port or unix:/path.")
    return bare or "127.0.0.1", int(port)


def _site(runner: web.AppRunner, place: str | tuple[str, int]) -> web.BaseSite:
    if isinstance(place, str):
        return web.UnixSite(runner, place, backlog=limits.LISTEN_BACKLOG)
    return web.TCPSite(runner, *place, backlog=limits.LISTEN_BACKLOG)


def _remove_socket(address: str) -> None:
    if address.startswith(_UNIX):
        Path(address.removeprefix(_UNIX)).unlink(missing_ok=True)


def _bound_address(runner: web.AppRunner, listen: str) -> str:
    if listen.startswith(_UNIX):
        return listen
    host, port = runner.addresses[0][:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
