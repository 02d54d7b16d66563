"""What was said, in the conventions' shape: ``gen_ai.input.messages``, ``.system_instructions`` and ``.tool.definitions``."""

from typing import Any, Final

import msgspec
from msgspec import Raw

from tracer_proxy import limits
from tracer_proxy.genai.requests.content_parts import Part, Room, part_of, response_of, text_of_part, tool_call_of
from tracer_proxy.genai.requests.json_values import Json, Object, member, parts, text_of, value, written_of

_ROLES: Final = {"model": "assistant", "function": "tool"}
_SCHEMAS: Final = ("parameters", "input_schema", "parametersJsonSchema", "parameters_json_schema")


def captured(messages: Json, system: Json, tools: Json, content_chars: int) -> dict[str, Any] | None:
    """``None`` without ``content_chars``, to which each text is cut. Of messages that are too many the oldest are left out."""
    if not content_chars:
        return None
    return {
        "messages": _messages(messages, Room(content_chars)),
        "system": _parts(member(system, "parts") if isinstance(system, dict) else system, Room(content_chars)),
        "tools": _tools(tools, Room(content_chars)),
    }


def _messages(given: Json, room: Room) -> list[dict[str, Any]]:
    among = given if isinstance(given, list) else [Raw(msgspec.json.encode(given))]
    found = []
    for raw in reversed(among):
        if not room:
            break
        one = value(raw)
        if isinstance(one, str):
            found.append({"role": "user", "parts": [text_of_part(one, room)]})
        elif isinstance(one, dict):
            found.append(_message(one, room))
    return found[::-1]


def _message(message: Object, room: Room) -> dict[str, Any]:
    """A message, or an item of Responses, which may be a call or a result by itself."""
    kind = text_of(message, "type")
    if kind.endswith("_call_output"):
        return {"role": "tool", "parts": [response_of(member(message, "call_id"), member(message, "output"), room)]}
    if "role" not in message and kind:
        return {"role": "assistant", "parts": [part_of(message, room)]}
    role = text_of(message, "role")[: limits.PARAMETER_CHARS_MAX] or "user"
    role = _ROLES.get(role, role)
    if role == "tool" and "parts" not in message:
        return {"role": role, "parts": [response_of(member(message, "tool_call_id"), member(message, "content"), room)]}
    said = member(message, "parts") if "parts" in message else member(message, "content")
    return {"role": role, "parts": _parts(said, room) + _tool_calls(message, room)}


def _parts(said: Json, room: Room) -> list[Part]:
    if isinstance(said, str):
        return [text_of_part(said, room)]
    return [part_of(each, room) for each in parts(said) if room]


def _tool_calls(message: Object, room: Room) -> list[Part]:
    """Those of a chat message, which stand beside its content."""
    found = []
    for call in parts(member(message, "tool_calls")):
        called = member(call, "function") or member(call, "custom")
        arguments = written_of(called, "arguments") or written_of(called, "input")
        if room:
            found.append(tool_call_of(member(call, "id"), member(called, "name"), arguments, room))
    return found


def _tools(tools: Json, room: Room) -> list[dict[str, Any]]:
    found = []
    for tool in parts(tools):
        declared = member(tool, "functionDeclarations") or member(tool, "function_declarations")
        found += [_tool(each, room) for each in (parts(declared) if declared is not None else [tool]) if room]
    return found


def _tool(tool: Object, room: Room) -> dict[str, Any]:
    """A definition, flat as the conventions have it, whoever's it is."""
    function = member(tool, "function")
    held = function if isinstance(function, dict) else tool
    found: dict[str, Any] = {
        "type": text_of(tool, "type")[: limits.PARAMETER_CHARS_MAX] or "function",
        "name": text_of(held, "name")[: limits.PARAMETER_CHARS_MAX],
        "description": room.cut(text_of(held, "description")),
    }
    schema = next((given for name in _SCHEMAS if (given := written_of(held, name))), None)
    return found if schema is None else {**found, "parameters": room.cut_json(schema)}
