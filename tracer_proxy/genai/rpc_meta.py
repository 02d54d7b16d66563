"""Our trace context in the ``params._meta`` of an MCP request (SEP-414): the only place where a body is ever changed."""

import re
from typing import NamedTuple

import msgspec
from msgspec import Raw

from tracer_proxy.genai.loose_json import ABSENT, NOT_JSON, is_given, text
from tracer_proxy.limits import RPC_MEMBERS_MAX, RPC_META_BODY_BYTES_MAX, RPC_TEXT_CHARS_MAX

_SPACE = rb"[ \t\n\r]*+"  # RFC 8259 section 2
_COMMA, _BRACE = b",}"
_match_key = re.compile(_SPACE + rb'("(?:[^"\\]++|\\.)*+")' + _SPACE + b":" + _SPACE).match
_match_space = re.compile(_SPACE).match

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_name = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def with_trace_meta(body: bytes, traceparent: bytes, tracestate: bytes = b"", baggage: bytes = b"") -> bytes | None:
    """``body`` with this context, and no other, in ``params._meta``; every other byte of it stays.

    An empty value, and one that is no UTF-8, takes away what the caller had written: its ``tracestate`` means nothing beside
    our ``traceparent``. ``_meta`` and ``params`` are made where they are absent or ``null``. ``None`` when ``body`` is no
    JSON-RPC 2.0 request or notification, is a batch, has a member twice, is nested too deep or is too large.
    """
    if len(body) > RPC_META_BODY_BYTES_MAX:
        return None
    context = {"traceparent": _quoted(traceparent), "tracestate": _quoted(tracestate), "baggage": _quoted(baggage)}
    try:
        request = _taken_apart(body)
        if text(request.get("jsonrpc"), 3) != "2.0" or not text(request.get("method"), RPC_TEXT_CHARS_MAX):
            return None
        start, end, new = request.slot("params")
        if is_given(request.get("params")):
            params = _taken_apart(bytes(request.get("params")))
            meta_start, meta_end, new = params.slot("_meta")
            start, end = start + meta_start, start + meta_end
            meta = bytes(params.get("_meta")) if is_given(params.get("_meta")) else b"{}"
            new += _with_context(meta, context)
        else:
            new += b'{"_meta":' + _with_context(b"{}", context) + b"}"
    except (*NOT_JSON, _Unsuitable):
        return None
    view = memoryview(body)
    return b"".join((view[:start], new, view[end:]))


class _Unsuitable(Exception):
    """An object that nothing can be put into safely."""


class _Place(NamedTuple):
    """Where a member stands in the bytes of its object."""

    start: int
    """After the comma before it, or the brace."""
    value_start: int
    value_end: int
    end: int
    """Of the comma behind it, or the brace."""


class _Object(NamedTuple):
    members: dict[str, Raw]
    places: dict[str, _Place]
    room: int
    """Where a further member can stand."""

    def get(self, name: str) -> Raw:
        return self.members.get(name, ABSENT)

    def slot(self, name: str) -> tuple[int, int, bytes]:
        """From where to where the value of ``name`` stands, or could stand behind the bytes that come third."""
        place = self.places.get(name)
        if place is not None:
            return place.value_start, place.value_end, b""
        return self.room, self.room, (b"," if self.places else b"") + _encode(name) + b":"


def _taken_apart(json_object: bytes) -> _Object:
    """msgspec says what the members are, but not where.

    So the object is walked from one to the next, and what msgspec gave must stand where the walk has come to: values are
    scanned once, in C, and any difference of opinion ends it.
    """
    members = _members(json_object)
    if len(members) > RPC_MEMBERS_MAX:
        raise _Unsuitable
    room = start = json_object.index(b"{") + 1
    places: dict[str, _Place] = {}
    for left in range(len(members), 0, -1):
        key = _match_key(json_object, start)
        name = _name(key[1]) if key else ""
        if key is None or name not in members:
            raise _Unsuitable
        value = bytes(members[name])
        room = key.end() + len(value)
        space = _match_space(json_object, room)
        # Where a name comes twice msgspec gives one member, with the second value: the walk then meets another value, or has
        # not come to the brace at its last step. Nobody can say which of the two the request's reader goes by.
        if not json_object.startswith(value, key.end()) or space is None:
            raise _Unsuitable
        if json_object[space.end()] != (_COMMA if left > 1 else _BRACE):
            raise _Unsuitable
        places[name] = _Place(start, key.end(), room, space.end())
        start = space.end() + 1
    return _Object(members, places, room)


def _with_context(meta: bytes, context: dict[str, bytes]) -> bytes:
    taken = _taken_apart(meta)
    pieces = []
    for name, place in taken.places.items():
        value = context.pop(name, None)
        if value is None:
            pieces.append(meta[place.start : place.end])
        elif value:
            pieces.append(meta[place.start : place.value_start] + value + meta[place.value_end : place.end])
    pieces += [_encode(name) + b":" + value for name, value in context.items() if value]
    places = list(taken.places.values())
    head, tail = (places[0].start, places[-1].end) if places else (taken.room, taken.room)
    return meta[:head] + b",".join(pieces) + meta[tail:]


def _quoted(value: bytes) -> bytes:
    try:
        return _encode(value.decode()) if value else b""
    except UnicodeDecodeError:
        return b""
