"""Anthropic's Messages."""

from typing import Final

from msgspec import Raw, Struct

from tracer_proxy.genai.asked import Asked, Parameter
from tracer_proxy.genai.requests.content import captured
from tracer_proxy.genai.requests.echoes import Call, Result, Said, Who, echoes
from tracer_proxy.genai.requests.endpoint import OPERATIONS, Endpoint
from tracer_proxy.genai.requests.json_values import NULL, Json, Members, member, reader, text, value, written
from tracer_proxy.genai.requests.parameters import Table, name, number, output_type, parameters, strings, whole
from tracer_proxy.genai.requests.said import as_said
from tracer_proxy.genai.requests.sessions import identifier, session_id

_PARAMETERS: Final[Table] = (
    ("temperature", "gen_ai.request.temperature", number),
    ("top_p", "gen_ai.request.top_p", number),
    ("top_k", "gen_ai.request.top_k", number),
    ("max_tokens", "gen_ai.request.max_tokens", whole),
    ("stop_sequences", "gen_ai.request.stop_sequences", strings),
)


def read(endpoint: Endpoint, body: Members, content_chars: int) -> Asked:
    given = body.get("messages")
    messages = given if isinstance(given, list) else []
    repeated = echoes(messages, said, has_tools=bool(body.get("tools")), content_chars=content_chars, counted=as_said(messages))
    return Asked(
        endpoint.api,
        OPERATIONS[endpoint.api],
        name(body.get("model")) or endpoint.model,
        endpoint.stream or body.get("stream") is True,
        _parameters(body),
        conversation_id="",
        session_id=session_id(body),
        previous_response_id="",
        results=repeated.results,
        history=repeated.history,
        prefix=repeated.prefix,
        content=captured(messages, body.get("system"), body.get("tools"), content_chars),
    )


def _parameters(body: Members) -> dict[str, Parameter]:
    found = parameters(body, _PARAMETERS)
    wanted = output_type(member(body.get("output_config"), "format")) or output_type(body.get("output_format"))
    if wanted:
        found["gen_ai.output.type"] = wanted
    return found


class _Block(Struct):
    type: Json = None
    text: Raw = NULL
    id: Json = None
    name: Json = None
    input: Raw = NULL
    tool_use_id: Json = None
    content: Raw = NULL
    is_error: Json = None


class _Message(Struct):
    role: Json = None
    content: list[_Block] | str | None = None


_message = reader(_Message, _Message())


def said(message: Raw) -> Said:
    held = _message(message)
    if held.role == "system":
        return Said(Who.ASIDE)
    blocks = held.content if isinstance(held.content, list) else []
    if held.role == "assistant":
        calls = [_call(block) for block in blocks if block.type == "tool_use"]
        spoken = "".join(text(value(block.text)) for block in blocks if block.type == "text") if calls else ""
        return Said(Who.MODEL, spoken, calls)
    results = [_result(block) for block in blocks if block.type == "tool_result"]
    return Said(Who.TOOL if results else Who.USER, results=results)


def _call(block: _Block) -> Call:
    return Call(identifier(block.id), name(block.name), written(block.input))


def _result(block: _Block) -> Result:
    return Result(identifier(block.tool_use_id), "", block.content, block.is_error is True)
