"""How an MCP or A2A exchange is named in spans: OpenTelemetry's conventions for MCP (v1.41) and A2A.

The A2A names exist only in the conventions that followed v1.41. They clash with nothing, so both profiles have them.
``network.*``, ``server.*`` and ``client.*`` are the exchange's, not the protocol's, and are not set here.
"""

import msgspec

from tracer_proxy.genai.asked import Parameter
from tracer_proxy.genai.rpc import RpcAnswered, RpcAsked

_A2A_METHODS = {
    "message/send": "SendMessage",
    "message/stream": "SendStreamingMessage",
    "tasks/get": "GetTask",
    "tasks/list": "ListTasks",
    "tasks/cancel": "CancelTask",
    "tasks/resubscribe": "SubscribeToTask",
    "tasks/pushNotificationConfig/set": "CreateTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/get": "GetTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/list": "ListTaskPushNotificationConfigs",
    "tasks/pushNotificationConfig/delete": "DeleteTaskPushNotificationConfig",
    "agent/getAuthenticatedExtendedCard": "GetExtendedAgentCard",
}
"""Methods up to A2A 0.3 under the names of 1.0, which the conventions want."""

_TOOLS_CALL = "tools/call"
_to_json = msgspec.json.Encoder().encode


def rpc_span_name(asked: RpcAsked) -> str:
    """``{method} {tool or prompt}`` for MCP, the method for A2A; never a resource's URI, of which there are too many."""
    if asked.protocol == "a2a":
        return _a2a_method(asked.method)
    return f"{asked.method} {asked.tool or asked.prompt}".rstrip()


def rpc_error(answered: RpcAnswered | None) -> tuple[str, str] | None:
    """``error.type`` and the description of the span's status; ``None`` when the protocol reports no error.

    The description is the server's message, and empty for a tool that failed: what it says is content.
    """
    if answered is None:
        return None
    if answered.error_code:
        return answered.error_code, answered.error_message
    return ("tool_error", "") if answered.tool_failed else None


def rpc_attributes(asked: RpcAsked, answered: RpcAnswered | None) -> dict[str, Parameter]:
    """By name, only those that have a value."""
    found = _a2a_attributes(asked, answered) if asked.protocol == "a2a" else _mcp_attributes(asked, answered)
    error = rpc_error(answered)
    if error:
        found["error.type"] = error[0]
    return {name: value for name, value in found.items() if value != ""}


def _mcp_attributes(asked: RpcAsked, answered: RpcAnswered | None) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {
        "mcp.method.name": asked.method,
        "gen_ai.operation.name": "execute_tool" if asked.method == _TOOLS_CALL else "",
        "gen_ai.tool.name": asked.tool,
        "gen_ai.prompt.name": asked.prompt,
        "gen_ai.tool.call.id": asked.call_id,
        "mcp.resource.uri": asked.resource,
        "jsonrpc.request.id": asked.request_id,
        "mcp.protocol.version": asked.protocol_version,
        "mcp.session.id": asked.session_id,
    }
    if asked.content is not None:
        found["gen_ai.tool.call.arguments"] = _to_json(asked.content).decode()
    if answered is not None:
        found["rpc.response.status_code"] = answered.error_code
        found["mcp.protocol.version"] = answered.protocol_version or asked.protocol_version
        found["mcp.session.id"] = asked.session_id or answered.session_id
        if answered.content is not None and not answered.tool_failed:
            found["gen_ai.tool.call.result"] = answered.content
    return found


def _a2a_attributes(asked: RpcAsked, answered: RpcAnswered | None) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {
        "a2a.method.name": _a2a_method(asked.method),
        "a2a.protocol.version": asked.protocol_version,
        "a2a.message.id": asked.message_id,
        "a2a.tenant": asked.tenant,
        "a2a.task.id": asked.task_id,
        "gen_ai.conversation.id": asked.session_id,
    }
    if answered is not None:
        found["a2a.task.id"] = answered.task_id or asked.task_id
        found["a2a.task.state"] = _a2a_state(answered.task_state)
        found["gen_ai.conversation.id"] = answered.context_id or asked.session_id
    return found


def _a2a_method(method: str) -> str:
    return _A2A_METHODS.get(method, method)


def _a2a_state(state: str) -> str:
    """``input-required`` of A2A 0.3 is ``TASK_STATE_INPUT_REQUIRED`` of 1.0."""
    if not state or state.startswith("TASK_STATE_"):
        return state
    return "TASK_STATE_" + ("unspecified" if state == "unknown" else state).replace("-", "_").upper()
