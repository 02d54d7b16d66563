"""Messages between a worker and control: a kind, and a document.

Control sends tables as pickles, for only it and its own workers hold the two ends; workers send JSON, so that what comes from
the process that reads strangers' bytes is never more than data.
"""

import pickle
import struct
from enum import IntEnum
from typing import Any

import msgspec

from tracer_proxy.limits import LINK_FRAME_BYTES_MAX

_encode = msgspec.json.Encoder().encode
_HEADER = struct.Struct(">IB")


class FrameKind(IntEnum):
    HELLO = 1
    """Worker: the token, which worker this is, and the version of its table."""
    LOAD = 2
    """Control: a table with its settings and version, to be routed by from now on."""
    LOADED = 3
    """Worker: the version is in force."""
    ASK = 4
    """Control: report now, with this number."""
    REPORT = 5
    """Worker: what it has counted, and what it holds."""
    EVENT = 6
    """Worker: a line for the log."""
    CONFIRM = 7
    """Control: the delta of this run and number is added up and kept."""
    RECORDS = 8
    """Worker: exchanges that have ended, as MessagePack."""
    WANT = 9
    """Control: whether all records are wanted, for somebody looks on."""


class BadFrame(Exception):
    """The other end does not speak this protocol; the connection must be closed."""


def frame(kind: FrameKind, document: Any) -> bytes:
    """The bytes of a JSON message."""
    return _with_header(kind, _encode(document))


def records_frame(records: bytes) -> bytes:
    """``records`` is an array of them as MessagePack."""
    return _with_header(FrameKind.RECORDS, records)


def load_frame(load: object) -> bytes:
    """The bytes of a table on its way."""
    return _with_header(FrameKind.LOAD, pickle.dumps(load, pickle.HIGHEST_PROTOCOL))


def _with_header(kind: FrameKind, body: bytes) -> bytes:
    return _HEADER.pack(len(body), kind) + body


class FrameReader:
    """``feed(data)`` gives the messages that are whole, as kind and body. Raises ``BadFrame``."""

    def __init__(self, bytes_max: int = LINK_FRAME_BYTES_MAX) -> None:
        self.bytes_max = bytes_max
        self._held = bytearray()

    def feed(self, data: bytes) -> list[tuple[FrameKind, bytes]]:
        self._held += data
        found: list[tuple[FrameKind, bytes]] = []
        while len(self._held) >= _HEADER.size:
            length, number = _HEADER.unpack_from(self._held)
            if length > self.bytes_max or number not in _KINDS:
                raise BadFrame(f"kind {number}, {length} bytes")
            end = _HEADER.size + length
            if len(self._held) < end:
                break
            found.append((FrameKind(number), bytes(self._held[_HEADER.size : end])))
            del self._held[:end]
        return found


_KINDS = frozenset(FrameKind)
