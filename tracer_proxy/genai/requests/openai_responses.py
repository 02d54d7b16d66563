"""OpenAI's Responses: a conversation of items, of which one answer may be several in a row."""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from tracer_proxy.genai.asked import Asked, Parameter
from tracer_proxy.genai.requests.content import captured
from tracer_proxy.genai.requests.echoes import Call, Result, Said, Who, echoes, spoken
from tracer_proxy.genai.requests.endpoint import OPERATIONS, Endpoint
from tracer_proxy.genai.requests.json_values import NULL, Json, Members, member, reader, text, value, written
from tracer_proxy.genai.requests.parameters import Table, name, number, output_type, parameters, tier, whole
from tracer_proxy.genai.requests.sessions import identifier, session_id

_PARAMETERS: Final[Table] = (
    ("temperature", "gen_ai.request.temperature", number),
    ("top_p", "gen_ai.request.top_p", number),
    ("max_output_tokens", "gen_ai.request.max_tokens", whole),
    ("frequency_penalty", "gen_ai.request.frequency_penalty", number),
    ("presence_penalty", "gen_ai.request.presence_penalty", number),
    ("seed", "gen_ai.request.seed", whole),
    ("service_tier", "openai.request.service_tier", tier),
)
_SAID_BY_THE_MODEL: Final = {"reasoning", "item_reference", "compaction", "mcp_list_tools", "mcp_approval_request"}
"""Types of items that an answer holds, beside messages and all that end in ``_call``."""

_ANSWERS_TO_THE_MODEL: Final = {"mcp_approval_response"}
"""Items of the client that carry a turn on without being a tool's result."""


def read(endpoint: Endpoint, body: Members, content_chars: int) -> Asked:
    given = body.get("input")
    items = given if isinstance(given, list) else [Raw(msgspec.json.encode(given))] if isinstance(given, str) else []
    repeated = echoes(items, said, in_runs=True, has_tools=bool(body.get("tools")), content_chars=content_chars)
    return Asked(
        endpoint.api,
        OPERATIONS[endpoint.api],
        name(body.get("model")) or endpoint.model,
        body.get("stream") is True,
        _parameters(body),
        _conversation(body.get("conversation")),
        session_id(body),
        identifier(body.get("previous_response_id")),
        repeated.results,
        repeated.history,
        repeated.prefix,
        captured(given, body.get("instructions"), body.get("tools"), content_chars),
    )


def _parameters(body: Members) -> dict[str, Parameter]:
    found = parameters(body, _PARAMETERS)
    if wanted := output_type(member(body.get("text"), "format")):
        found["gen_ai.output.type"] = wanted
    return found


def _conversation(conversation: Json) -> str:
    return identifier(conversation) or identifier(member(conversation, "id"))


class _Item(Struct):
    type: Json = None
    role: Json = None
    content: Raw = NULL
    call_id: Json = None
    name: Json = None
    arguments: Raw = NULL
    input: Raw = NULL
    output: Raw = NULL


_item = reader(_Item, _Item())


def said(item: Raw) -> Said:
    held = _item(item)
    kind = text(held.type)
    if kind.endswith("_call_output"):
        return Said(Who.TOOL, results=(Result(identifier(held.call_id), "", held.output),))
    if kind == "function_call":
        return Said(Who.MODEL, calls=(Call(identifier(held.call_id), name(held.name), written(held.arguments)),))
    if kind == "custom_tool_call":
        return Said(Who.MODEL, calls=(Call(identifier(held.call_id), name(held.name), written(held.input)),))
    if kind.endswith("_call") or kind in _SAID_BY_THE_MODEL:
        return Said(Who.MODEL)
    match held.role:
        case "assistant":
            return Said(Who.MODEL, spoken(value(held.content)))
        case "system" | "developer":
            return Said(Who.ASIDE)
    return Said(Who.ASIDE if kind in _ANSWERS_TO_THE_MODEL else Who.USER)
