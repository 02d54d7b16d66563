"""A number that an answer holds at a place of its JSON, read beside the traffic."""

from math import inf

import msgspec
from msgspec import Raw

from tracer_proxy.genai.decoding import BrokenEncoding, ContentDecoder, TooMuch, UnknownEncoding
from tracer_proxy.genai.json_pointer import Pointer, held_at
from tracer_proxy.genai.loose_json import NOT_JSON
from tracer_proxy.genai.sse import EventSplitter
from tracer_proxy.limits import CONFIDENCE_BODY_BYTES_MAX

_float = msgspec.json.Decoder(float).decode


def number(json: bytes | Raw) -> float | None:
    """A finite number as JSON writes it: no other way to write one says the same to everybody. ``None`` for anything else."""
    try:
        found = _float(json)
    except NOT_JSON:
        return None
    return found if -inf < found < inf else None


def number_at(pointer: Pointer, json: bytes) -> float | None:
    """``None`` where nothing is, or no finite number."""
    held = held_at(pointer, json)
    return None if held is None else number(held)


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
