"""A number that an answer holds at a place of its JSON, read beside the traffic (JSON pointers, RFC 6901)."""

from collections.abc import Sequence
from math import inf
from typing import Final

import msgspec
from msgspec import Raw

from tracer_proxy.genai.decoding import BrokenEncoding, ContentDecoder, TooMuch, UnknownEncoding
from tracer_proxy.genai.loose_json import NOT_JSON, loosely
from tracer_proxy.genai.sse import EventSplitter
from tracer_proxy.limits import CONFIDENCE_BODY_BYTES_MAX

Pointer = Sequence[str]
"""The names on the way, with ``~1`` and ``~0`` already read."""

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_items = msgspec.json.Decoder(list[Raw]).decode
_float = msgspec.json.Decoder(float).decode
_NO_MEMBERS: Final[dict[str, Raw]] = {}
_NO_ITEMS: Final[list[Raw]] = []
_INDEX_DIGITS_MAX = 9


def parse_pointer(written: str) -> Pointer:
    """For ``/a/b~1c`` these are ``a`` and ``b/c``. The config has checked how it is written."""
    return tuple(name.replace("~1", "/").replace("~0", "~") for name in written.split("/")[1:])


def number(json: bytes | Raw) -> float | None:
    """A finite number as JSON writes it: no other way to write one says the same to everybody. ``None`` for anything else."""
    try:
        found = _float(json)
    except NOT_JSON:
        return None
    return found if -inf < found < inf else None


def number_at(pointer: Pointer, json: bytes) -> float | None:
    """``None`` where nothing is, or no finite number. What lies beside the way is skipped, not built."""
    held: Raw | bytes | None = json
    for name in pointer:
        if held is None:
            return None
        held = _inside(held, name)
    return None if held is None else number(held)


def _inside(held: Raw | bytes, name: str) -> Raw | None:
    members = loosely(_members, held, _NO_MEMBERS)
    if members or not _is_index(name):
        return members.get(name)
    items = loosely(_items, held, _NO_ITEMS)
    return items[int(name)] if int(name) < len(items) else None


def _is_index(name: str) -> bool:
    """RFC 6901, 4: digits without leading zeros."""
    return name.isascii() and name.isdigit() and len(name) <= _INDEX_DIGITS_MAX and (name == "0" or name[0] != "0")


class PointedReader:
    """Never raises: beyond its bounds, and in what is no JSON, there is nothing.

    Of a stream of events the last that has a number there counts.
    """

    def __init__(self, pointer: Pointer, *, content_type: bytes, content_encoding: bytes) -> None:
        self._pointer = pointer
        self._found: float | None = None
        self._body: list[bytes] = []
        self._body_bytes = 0
        kind = content_type.partition(b";")[0].strip().lower()
        self._events = EventSplitter() if kind == b"text/event-stream" else None
        self._is_over = self._events is None and b"json" not in kind
        self._decoder: ContentDecoder | None = None
        if content_encoding and not self._is_over:
            try:
                self._decoder = ContentDecoder(content_encoding)
            except UnknownEncoding:
                self._is_over = True

    def feed(self, data: bytes) -> None:
        """Bytes of the body, cut anywhere."""
        if self._is_over:
            return
        if self._decoder is not None:
            try:
                data = self._decoder.feed(data)
            except (TooMuch, BrokenEncoding):
                self._give_up()
                return
        if self._events is None:
            self._keep(data)
            return
        for payload in self._events.feed(data):
            found = number_at(self._pointer, payload) if payload is not None else None
            if found is not None:
                self._found = found

    def finish(self) -> float | None:
        if self._body:
            self._found = number_at(self._pointer, b"".join(self._body))
            self._body.clear()
        return self._found

    def _keep(self, data: bytes) -> None:
        self._body.append(data)
        self._body_bytes += len(data)
        if self._body_bytes > CONFIDENCE_BODY_BYTES_MAX:
            self._give_up()

    def _give_up(self) -> None:
        self._is_over = True
        self._body.clear()
