"""Requests of MCP and A2A: which call it is, and what joins it to a trace.

An MCP client of 2026-07-28 says method and name in headers (SEP-2243); older ones, and A2A, only in the JSON-RPC body.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from tracer_proxy.context.baggage import checked
from tracer_proxy.context.names import BAGGAGE, TRACEPARENT, TRACESTATE
from tracer_proxy.context.trace import extract
from tracer_proxy.genai.anchor import arguments_digest
from tracer_proxy.genai.loose_json import ABSENT, is_given, items, loosely, scalar, text
from tracer_proxy.genai.rpc import RpcAsked
from tracer_proxy.limits import BAGGAGE_BYTES_MAX, RPC_ARGUMENTS_BYTES_MAX, RPC_REQUEST_BYTES_MAX, RPC_TEXT_CHARS_MAX

_MCP_METHOD, _MCP_NAME, _MCP_SESSION_ID = b"mcp-method", b"mcp-name", b"mcp-session-id"
_MCP_PROTOCOL_VERSION, _A2A_VERSION = b"mcp-protocol-version", b"a2a-version"

_TOOLS_CALL, _PROMPTS_GET = "tools/call", "prompts/get"
_CHARS: Final = RPC_TEXT_CHARS_MAX
_NO_MEMBERS: Final[dict[str, Raw]] = {}
_match_base64 = re.compile(rb"=\?base64\?(.*)\?=", re.DOTALL).fullmatch


class _Call(Struct):
    method: Raw = ABSENT
    id: Raw = ABSENT
    params: Raw = ABSENT


class _Meta(Struct):
    traceparent: Raw = ABSENT
    tracestate: Raw = ABSENT
    baggage: Raw = ABSENT
    protocol_version: Raw = msgspec.field(default=ABSENT, name="io.modelcontextprotocol/protocolVersion")
    # Two ways to say which of the model's calls this is: redpanda-data/ai-sdk-go 158 and github/copilot-sdk 1332.
    redpanda_call_id: Raw = msgspec.field(default=ABSENT, name="redpanda.com/llm-tool-call-id")
    copilot_call_id: Raw = msgspec.field(default=ABSENT, name="copilot/toolCallId")


class _McpParams(Struct):
    name: Raw = ABSENT
    uri: Raw = ABSENT
    arguments: Raw = ABSENT
    protocol_version: Raw = msgspec.field(default=ABSENT, name="protocolVersion")
    meta: Raw = msgspec.field(default=ABSENT, name="_meta")


class _A2aMessage(Struct, rename="camel"):
    message_id: Raw = ABSENT
    context_id: Raw = ABSENT
    task_id: Raw = ABSENT


class _A2aParams(Struct, rename="camel"):
    id: Raw = ABSENT
    task_id: Raw = ABSENT
    context_id: Raw = ABSENT
    tenant: Raw = ABSENT
    message: Raw = ABSENT


_call = msgspec.json.Decoder(_Call).decode
_meta = msgspec.json.Decoder(_Meta).decode
_mcp_params = msgspec.json.Decoder(_McpParams).decode
_a2a_params = msgspec.json.Decoder(_A2aParams).decode
_a2a_message = msgspec.json.Decoder(_A2aMessage).decode
_any = msgspec.json.Decoder().decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode


def read_rpc_request(protocol: str, headers: Mapping[bytes, bytes], body: bytes, *, content_chars: int = 0) -> RpcAsked | None:
    """What a POST asks for; ``None`` for what is no call, such as a client's answer to the server. Never raises.

    ``protocol`` is ``mcp`` or ``a2a``; ``headers`` have lower-case names. With an empty body, or one that cannot be read, an
    MCP request is known by its headers alone, if it has them, and then lacks what only the body says: the request's id, the
    digest of the arguments and the trace context. Of a batch only the first call counts. Up to ``content_chars`` characters
    of a tool call's arguments are kept.
    """
    call = _first_call(body)
    if protocol == "mcp":
        return _mcp_from_body(call, headers, content_chars) if call else _mcp_from_headers(headers)
    return _a2a(call, headers) if call and protocol == "a2a" else None


def _first_call(body: bytes) -> _Call | None:
    if not body or len(body) > RPC_REQUEST_BYTES_MAX:
        return None
    candidates = items(body) if body.lstrip(b" \t\r\n")[:1] == b"[" else [body]
    for candidate in candidates:
        call = loosely(_call, candidate, None)
        if call is not None and text(call.method, _CHARS):
            return call
    return None


def _mcp_from_body(call: _Call, headers: Mapping[bytes, bytes], content_chars: int) -> RpcAsked:
    # Where headers and body differ the server must refuse (SEP-2243); one too old to do so goes by the body.
    method = text(call.method, _CHARS)
    params = loosely(_mcp_params, call.params, _McpParams())
    meta = loosely(_meta, params.meta, _Meta())
    version = text(meta.protocol_version, _CHARS) or text(params.protocol_version, _CHARS)
    is_tool = method == _TOOLS_CALL
    context = _trace_context(meta)
    return RpcAsked(
        protocol="mcp",
        method=method,
        request_id=scalar(call.id, _CHARS),
        tool=text(params.name, _CHARS) if is_tool else "",
        prompt=text(params.name, _CHARS) if method == _PROMPTS_GET else "",
        resource=text(params.uri, _CHARS) if _names_resource(method) else "",
        arguments_digest=_digest(params.arguments) if is_tool else b"",
        protocol_version=_header(headers, _MCP_PROTOCOL_VERSION) or version,
        session_id=_header(headers, _MCP_SESSION_ID),
        message_id="",
        task_id="",
        traceparent=context.get(TRACEPARENT, b""),
        tracestate=context.get(TRACESTATE, b""),
        baggage=context.get(BAGGAGE, b""),
        content=_captured(params.arguments, content_chars) if is_tool and content_chars else None,
        call_id=(text(meta.redpanda_call_id, _CHARS) or text(meta.copilot_call_id, _CHARS)) if is_tool else "",
    )


def _mcp_from_headers(headers: Mapping[bytes, bytes]) -> RpcAsked | None:
    method = _header(headers, _MCP_METHOD)
    if not method:
        return None
    name = _unwrapped(headers.get(_MCP_NAME, b""))
    return RpcAsked(
        protocol="mcp",
        method=method,
        request_id="",
        tool=name if method == _TOOLS_CALL else "",
        prompt=name if method == _PROMPTS_GET else "",
        resource=name if _names_resource(method) else "",
        arguments_digest=b"",
        protocol_version=_header(headers, _MCP_PROTOCOL_VERSION),
        session_id=_header(headers, _MCP_SESSION_ID),
        message_id="",
        task_id="",
        traceparent=b"",
        tracestate=b"",
        baggage=b"",
    )


def _a2a(call: _Call, headers: Mapping[bytes, bytes]) -> RpcAsked:
    params = loosely(_a2a_params, call.params, _A2aParams())
    message = loosely(_a2a_message, params.message, _A2aMessage())
    return RpcAsked(
        protocol="a2a",
        method=text(call.method, _CHARS),
        request_id=scalar(call.id, _CHARS),
        tool="",
        prompt="",
        resource="",
        arguments_digest=b"",
        protocol_version=_header(headers, _A2A_VERSION),
        session_id=text(message.context_id, _CHARS) or text(params.context_id, _CHARS),
        message_id=text(message.message_id, _CHARS),
        # Of a push notification's config "id" is its own, and then "taskId" is there as well.
        task_id=text(message.task_id, _CHARS) or text(params.task_id, _CHARS) or text(params.id, _CHARS),
        traceparent=b"",
        tracestate=b"",
        baggage=b"",
        tenant=text(params.tenant, _CHARS),
    )


def _names_resource(method: str) -> bool:
    return method.startswith("resources/") or method == "notifications/resources/updated"


def _header(headers: Mapping[bytes, bytes], name: bytes) -> str:
    value = headers.get(name, b"")
    return value.decode() if len(value) <= _CHARS and value.isascii() else ""


def _unwrapped(name: bytes) -> str:
    """An ``Mcp-Name``: what is no plain ASCII stands in Base64, in its canonical form (SEP-2243)."""
    wrapped = _match_base64(name)
    try:
        if wrapped is None:
            found = name.decode("ascii")
        else:
            plain = base64.b64decode(wrapped[1], validate=True)
            found = plain.decode() if base64.b64encode(plain) == wrapped[1] else ""
    except (binascii.Error, UnicodeError):
        return ""
    return found if len(found) <= _CHARS else ""


def _digest(arguments: Raw) -> bytes:
    if len(bytes(arguments)) > RPC_ARGUMENTS_BYTES_MAX:
        return b""
    return arguments_digest(bytes(arguments) if is_given(arguments) else b"")


def _trace_context(meta: _Meta) -> dict[bytes, bytes]:
    """What of ``_meta`` may go into a header: a valid traceparent with its tracestate, and baggage (SEP-414)."""
    found = {}
    traceparent = _ascii(meta.traceparent)
    context = extract({TRACEPARENT: traceparent, TRACESTATE: _ascii(meta.tracestate)}) if traceparent else None
    if context is not None:
        found = {TRACEPARENT: traceparent, TRACESTATE: context.tracestate}
    baggage = text(meta.baggage, BAGGAGE_BYTES_MAX).encode()
    found[BAGGAGE] = checked(baggage) if len(baggage) <= BAGGAGE_BYTES_MAX else b""
    return found


def _ascii(value: Raw) -> bytes:
    found = text(value, BAGGAGE_BYTES_MAX)
    return found.encode() if found.isascii() else b""


def _captured(arguments: Raw, chars: int) -> dict[str, Any]:
    """The arguments by name, until ``chars`` are used up; the one in which they run out is cut, as JSON text."""
    kept: dict[str, Any] = {}
    for name, value in loosely(_members, arguments, _NO_MEMBERS).items():
        if chars <= 0:
            break
        as_json = bytes(value).decode(errors="replace")
        kept[name] = loosely(_any, value, None) if len(as_json) <= chars else as_json[:chars]
        chars -= len(as_json)
    return kept
