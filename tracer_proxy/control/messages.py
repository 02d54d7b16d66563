"""Between the supervisor and control: small JSON messages, each whole or not at all, with open files beside them."""

import json
import socket
from collections.abc import Sequence
from typing import Any

from tracer_proxy.limits import LISTENERS_MAX, SUPERVISOR_MESSAGE_BYTES_MAX


def pair() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(link: socket.socket, message: dict[str, Any], files: Sequence[int] = ()) -> bool:
    """False when nobody is there to take it, or its queue is full."""
    try:
        socket.send_fds(link, [json.dumps(message).encode()], list(files), socket.MSG_NOSIGNAL)
    except OSError:
        return False
    return True


def receive(link: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and its files; ``None`` when the other end has gone. Raises ``BlockingIOError`` when none waits."""
    try:
        data, files, _, _ = socket.recv_fds(link, SUPERVISOR_MESSAGE_BYTES_MAX, LISTENERS_MAX)
    except ConnectionError:
        return None
    return (json.loads(data), files) if data else None
