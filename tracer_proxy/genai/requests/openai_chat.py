"""OpenAI's chat completions, and the completions before them; what many others serve, too."""

from typing import Final

from msgspec import Raw, Struct

from tracer_proxy.genai.asked import Asked
from tracer_proxy.genai.requests.content import captured
from tracer_proxy.genai.requests.echoes import Call, Result, Said, Who, echoes, spoken
from tracer_proxy.genai.requests.endpoint import OPERATIONS, Endpoint
from tracer_proxy.genai.requests.json_values import NULL, Json, Members, reader, value, written
from tracer_proxy.genai.requests.parameters import Table, name, not_one, number, output_type, parameters, strings, tier, whole
from tracer_proxy.genai.requests.sessions import identifier, session_id

_PARAMETERS: Final[Table] = (
    ("temperature", "gen_ai.request.temperature", number),
    ("top_p", "gen_ai.request.top_p", number),
    ("top_k", "gen_ai.request.top_k", number),
    ("max_completion_tokens", "gen_ai.request.max_tokens", whole),
    ("max_tokens", "gen_ai.request.max_tokens", whole),
    ("stop", "gen_ai.request.stop_sequences", strings),
    ("seed", "gen_ai.request.seed", whole),
    ("n", "gen_ai.request.choice.count", not_one),
    ("frequency_penalty", "gen_ai.request.frequency_penalty", number),
    ("presence_penalty", "gen_ai.request.presence_penalty", number),
    ("response_format", "gen_ai.output.type", output_type),
    ("service_tier", "openai.request.service_tier", tier),
)


def read_chat(endpoint: Endpoint, body: Members, content_chars: int) -> Asked:
    messages = body.get("messages")
    has_tools = bool(body.get("tools") or body.get("functions"))
    conversation = messages if isinstance(messages, list) else []
    repeated = echoes(conversation, said, has_tools=has_tools, content_chars=content_chars)
    return Asked(
        endpoint.api,
        OPERATIONS[endpoint.api],
        name(body.get("model")) or endpoint.model,
        body.get("stream") is True,
        parameters(body, _PARAMETERS),
        conversation_id="",
        session_id=session_id(body),
        previous_response_id="",
        results=repeated.results,
        history=repeated.history,
        prefix=repeated.prefix,
        content=captured(conversation, None, body.get("tools") or body.get("functions"), content_chars),
    )


def read_completion(endpoint: Endpoint, body: Members, content_chars: int) -> Asked:
    return Asked(
        endpoint.api,
        OPERATIONS[endpoint.api],
        name(body.get("model")) or endpoint.model,
        body.get("stream") is True,
        parameters(body, _PARAMETERS),
        conversation_id="",
        session_id=session_id(body),
        previous_response_id="",
        results=(),
        history=(),
        prefix=b"",
        content=captured(body.get("prompt"), None, None, content_chars),
    )


class _Function(Struct):
    name: Json = None
    arguments: Raw = NULL
    input: Raw = NULL


class _ToolCall(Struct):
    id: Json = None
    function: _Function | None = None
    custom: _Function | None = None


class _Message(Struct):
    role: Json = None
    content: Raw = NULL
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None
    tool_call_id: Json = None
    name: Json = None


_message = reader(_Message, _Message())


def said(message: Raw) -> Said:
    held = _message(message)
    match held.role:
        case "assistant":
            calls = _calls(held)
            return Said(Who.MODEL, spoken(value(held.content)) if calls else "", calls)
        case "tool":
            return Said(Who.TOOL, results=(Result(identifier(held.tool_call_id), "", held.content),))
        case "function":  # before there were tools: one call a message, without an id
            return Said(Who.TOOL, results=(Result("", name(held.name), held.content),))
        case "system" | "developer":
            return Said(Who.ASIDE)
    return Said(Who.USER)


def _calls(message: _Message) -> list[Call]:
    if message.tool_calls:
        return [_call(call) for call in message.tool_calls]
    function = message.function_call
    return [] if function is None else [Call("", name(function.name), written(function.arguments))]


def _call(call: _ToolCall) -> Call:
    if call.custom is not None:
        return Call(identifier(call.id), name(call.custom.name), written(call.custom.input))
    function = call.function or _Function()
    return Call(identifier(call.id), name(function.name), written(function.arguments))
