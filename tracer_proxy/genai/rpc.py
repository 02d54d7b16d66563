"""What an MCP or A2A exchange says: JSON-RPC, or the headers that MCP has had since 2026-07-28."""

from typing import Any

from msgspec import Struct


class RpcAsked(Struct, frozen=True, array_like=True):
    protocol: str
    """``mcp`` or ``a2a``."""
    method: str
    request_id: str
    """As text; empty for a notification."""
    tool: str
    """``tools/call``: its name."""
    prompt: str
    resource: str
    arguments_digest: bytes
    """16 bytes, of a call's arguments as canonical JSON; what a call handed out by a model is found by."""
    protocol_version: str
    session_id: str
    """``Mcp-Session-Id``, or A2A ``contextId``."""
    message_id: str
    task_id: str
    traceparent: bytes
    """From ``params._meta``."""
    tracestate: bytes
    baggage: bytes
    content: dict[str, Any] | None = None
    """A call's arguments, only when content is captured."""
    tenant: str = ""
    """A2A's, where it is set."""
    call_id: str = ""
    """The model's id of the call, from a client that says it in ``params._meta``."""


class RpcAnswered(Struct, frozen=True, array_like=True):
    error_code: str
    """JSON-RPC's, as text; empty without an error."""
    error_message: str
    tool_failed: bool
    """``result.isError``."""
    task_id: str
    task_state: str
    context_id: str
    protocol_version: str
    """What ``initialize`` agreed on."""
    session_id: str
    """The ``Mcp-Session-Id`` that the answer hands out."""
    content: str | None = None
    """A tool's result, only when content is captured."""
