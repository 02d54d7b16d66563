"""Sockets to listen on: bound once by the supervisor, served by its children, so that none of them can take one along."""

import errno
import os
import socket
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from tracer_proxy.limits import LISTEN_BACKLOG


class CannotListen(Exception):
    """Which address cannot be listened on, and why."""


def bind(address: str) -> list[socket.socket]:
    """Listens on ``host:port`` or ``unix:/path``; connections wait until somebody accepts them. Raises ``CannotListen``.

    A name, such as ``localhost``, may stand for several addresses; they all get the same port.
    """
    try:
        return [_bind_unix(address.removeprefix("unix:"))] if address.startswith("unix:") else _bind_tcp(address)
    except OSError as error:
        # A name that does not resolve has a number of its own, below zero.
        number = error.errno or 0
        reason = error.strerror or os.strerror(number) if number > 0 else error.strerror or str(error)
        raise CannotListen(f"{address}: {reason}") from None


def _bind_tcp(address: str) -> list[socket.socket]:
    host, _, port = address.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    listeners: list[socket.socket] = []
    missing: OSError | None = None
    for family, place in dict.fromkeys((family, place) for family, _, _, _, place in found):
        chosen = listeners[0].getsockname()[1] if listeners else place[1]
        try:
            listeners.append(_bind_one(family, (place[0], chosen, *place[2:])))
        except OSError as error:
            # Containers without IPv6 resolve localhost to it all the same.
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                close(listeners)
                raise
            missing = error
    if not listeners and missing is not None:
        raise missing
    return listeners


def close(listeners: Iterable[socket.socket]) -> None:
    for listener in listeners:
        listener.close()


def _bind_one(family: int, place: tuple[Any, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(place)
        return _listening(listener)
    except OSError:
        listener.close()
        raise


def _bind_unix(path: str) -> socket.socket:
    _refuse_to_take_over(path)
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(path)
        return _listening(listener)
    except OSError:
        listener.close()
        raise


def _listening(listener: socket.socket) -> socket.socket:
    listener.listen(LISTEN_BACKLOG)
    listener.setblocking(False)
    return listener


def _refuse_to_take_over(path: str) -> None:
    """A socket file that nobody listens on is left over and replaced; one that is in use is somebody else's."""
    caller = socket.socket(socket.AF_UNIX)
    try:
        caller.connect(path)
    except ConnectionRefusedError:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, "there is a file of that name, which is no socket") from None
        Path(path).unlink()
    except OSError:
        return
    else:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
    finally:
        caller.close()


def address_of(listener: socket.socket, asked: str) -> str:
    """Where it listens: as it was asked for, with the port that was chosen for port 0."""
    if listener.family == socket.AF_UNIX:
        return asked
    return f"{asked.rpartition(':')[0]}:{listener.getsockname()[1]}"


def remove_file(listener: socket.socket) -> None:
    """What a Unix socket leaves behind."""
    if listener.family == socket.AF_UNIX:
        with suppress(OSError):
            Path(listener.getsockname()).unlink()
