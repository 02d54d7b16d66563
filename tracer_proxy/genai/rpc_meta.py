"""Our trace context in the ``params._meta`` of an MCP request (SEP-414): the only place where a body is ever changed."""

import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from tracer_proxy.genai.loose_json import ABSENT, NOT_JSON, is_given, text
from tracer_proxy.limits import RPC_MEMBERS_MAX, RPC_REQUEST_BYTES_MAX, RPC_TEXT_CHARS_MAX

_EMPTY = b"{}"
_SPACE = rb"[ \t\n\r]*+"  # RFC 8259 section 2
_match_key = re.compile(_SPACE + rb'("(?:[^"\\]++|\\.)*+")' + _SPACE + b":" + _SPACE).match
_match_space = re.compile(_SPACE).match


class _Request(Struct):
    jsonrpc: Raw
    method: Raw
    params: Raw = ABSENT


class _Params(Struct):
    meta: Raw = msgspec.field(default=ABSENT, name="_meta")


_request = msgspec.json.Decoder(_Request).decode
_params = msgspec.json.Decoder(_Params).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_name = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def with_trace_meta(body: bytes, traceparent: bytes, tracestate: bytes = b"", baggage: bytes = b"") -> bytes | None:
    """``body`` with this context, and no other, in ``params._meta``; every other byte of it stays.

    An empty value, and one that is no UTF-8, takes away what the caller had written: its ``tracestate`` means nothing beside
    our ``traceparent``. ``_meta`` and ``params`` are made where they are absent or ``null``. ``None`` when ``body`` is no
    JSON-RPC 2.0 request or notification, is a batch, has a member twice, is nested too deep or is too large.
    """
    if len(body) > RPC_REQUEST_BYTES_MAX:
        return None
    context = {"traceparent": _quoted(traceparent), "tracestate": _quoted(tracestate), "baggage": _quoted(baggage)}
    try:
        request = _request(body)
        if text(request.jsonrpc, 3) != "2.0" or not text(request.method, RPC_TEXT_CHARS_MAX):
            return None
        params = bytes(request.params) if is_given(request.params) else _EMPTY
        meta = _params(params).meta
        new_meta = _with_members(bytes(meta) if is_given(meta) else _EMPTY, context)
        return _with_members(body, {"params": _with_members(params, {"_meta": new_meta})})
    except (*NOT_JSON, _Unsuitable):
        return None


class _Unsuitable(Exception):
    """An object that a change would be unsafe in."""


def _quoted(value: bytes) -> bytes:
    try:
        return _encode(value.decode()) if value else b""
    except UnicodeDecodeError:
        return b""


def _with_members(json_object: bytes, values: Mapping[str, bytes]) -> bytes:
    """The object with ``values`` (JSON) in place of its members of these names, or else at its end; ``b""`` takes one away.

    msgspec says what the members are, but not where. So the object is walked from one to the next, and what msgspec gave must
    stand where the walk has come to: the values are not scanned again, and any difference of opinion ends it.
    """
    members = _members(json_object)
    if len(members) > RPC_MEMBERS_MAX:
        raise _Unsuitable
    first = at = json_object.index(b"{") + 1
    pieces = []
    new = dict(values)
    while members:
        key = _match_key(json_object, at)
        name = _name(key[1]) if key else ""
        if key is None or name not in members:
            raise _Unsuitable  # the same name twice: nobody can say which one its reader goes by
        value = bytes(members.pop(name))
        value_end = key.end() + len(value)
        end = _end_of_space(json_object, value_end)
        if not json_object.startswith(value, key.end()) or json_object[end : end + 1] != (b"," if members else b"}"):
            raise _Unsuitable
        if name not in new:
            pieces.append(json_object[at:end])
        elif replacement := new.pop(name):
            pieces.append(json_object[at : key.end()] + replacement + json_object[value_end:end])
        at = end + 1
    rest = json_object[at - 1 if at > first else at :]
    pieces += [_encode(name) + b":" + value for name, value in new.items() if value]
    return json_object[:first] + b",".join(pieces) + rest


def _end_of_space(json: bytes, at: int) -> int:
    space = _match_space(json, at)
    return space.end() if space else at
