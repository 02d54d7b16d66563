"""Ports on loopback: the usual ones where they are free, so that commands from the docs work, else any."""

import socket

from tracer_proxy.limits import LISTEN_BACKLOG

HOST = "127.0.0.1"


def listener(preferred: int) -> socket.socket:
    """A socket that listens, so that nobody else can take its port."""
    try:
        return socket.create_server((HOST, preferred), backlog=LISTEN_BACKLOG)
    except OSError:
        return socket.create_server((HOST, 0), backlog=LISTEN_BACKLOG)


def free_or_any(preferred: int) -> int:
    """``preferred`` if nobody listens there, else 0: the system chooses."""
    with listener(preferred) as sock:
        return preferred if port_of(sock) == preferred else 0


def port_of(sock: socket.socket) -> int:
    port = sock.getsockname()[1]
    assert isinstance(port, int)
    return port
