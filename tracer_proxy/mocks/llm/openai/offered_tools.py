"""``tools`` and ``tool_choice``: what may be called, and whether something has to be.

A chat describes a function in an object of its own, ``{"type": "function", "function": {…}}``; a response describes it beside
its type. ``Spelling`` is that difference.
"""

import re
from enum import Enum

from tracer_proxy.mocks.llm.conversation import Tool
from tracer_proxy.mocks.llm.openai import strict_schema
from tracer_proxy.mocks.llm.openai.errors import ApiError, wrong_value
from tracer_proxy.mocks.llm.openai.fields import Fields

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MODES = ("none", "auto", "required")
HOSTED = (
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "file_search",
    "image_generation",
    "local_shell",
    "mcp",
    "shell",
    "web_search",
    "web_search_preview",
)
"""Tools that run at the provider. They may be offered in a response; the mock never uses one."""


class Spelling(Enum):
    """How functions are described."""

    CHAT = "chat"
    RESPONSE = "response"


def read_tools(body: Fields, spelling: Spelling) -> tuple[Tool, ...]:
    """Read and check ``tools``. Custom tools, whose input has no schema, are refused: the mock could only make it up."""
    kinds = ("function",) if spelling is Spelling.CHAT else ("function", *HOSTED)
    offered = body.objects("tools")
    return tuple(_read_tool(fields, spelling) for fields in offered if fields.choice("type", kinds) == "function")


def callable_now(body: Fields, offered: tuple[Tool, ...], spelling: Spelling) -> tuple[tuple[Tool, ...], bool]:
    """The tools that ``tool_choice`` leaves, and whether one of them has to be called."""
    choice = body.get("tool_choice")
    if choice is None:
        return offered, False
    if not body.items("tools") and choice != "none" and spelling is Spelling.CHAT:
        raise wrong_value("tool_choice", "The field 'tool_choice' needs 'tools' beside it.")
    if isinstance(choice, str):
        return _by_mode(body.choice("tool_choice", _MODES), offered)
    fields = body.needed_object("tool_choice")
    match fields.text("type"):
        case "function":
            return (_named(fields, offered, spelling),), True
        case "allowed_tools":
            return _allowed(fields, offered, spelling)
        case kind if kind in HOSTED and spelling is Spelling.RESPONSE:
            return (), False
    raise wrong_value("tool_choice.type", "The field 'tool_choice.type' has to be one of: function, allowed_tools.")


def check_name(where: str, name: str) -> None:
    """Raises ``ApiError`` for what cannot be a name."""
    if not _NAME.fullmatch(name):
        raise wrong_value(where, f"The field '{where}' has to be 1 to 64 letters, digits, '_' or '-'.")


def _by_mode(mode: str, offered: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], bool]:
    return (() if mode == "none" else offered), mode == "required"


def _allowed(fields: Fields, offered: tuple[Tool, ...], spelling: Spelling) -> tuple[tuple[Tool, ...], bool]:
    allowed = fields.needed_object("allowed_tools") if spelling is Spelling.CHAT else fields
    named = [tool for tool in allowed.objects("tools") if tool.text("type") == "function"]
    kept = tuple(_named(tool, offered, spelling) for tool in named)
    return kept, allowed.choice("mode", ("auto", "required")) == "required"


def _read_tool(fields: Fields, spelling: Spelling) -> Tool:
    function = _described(fields, spelling)
    name = function.text("name")
    check_name(function.path("name"), name)
    schema = function.json("parameters")
    where = function.path("parameters")
    fault = strict_schema.object_fault(schema) if function.get("parameters") is not None else None
    if function.flag("strict"):
        fault = fault or strict_schema.fault(schema)
    if fault is not None:
        message = f"Invalid schema for function '{name}': {fault}"
        raise ApiError(400, message, param=where, code="invalid_function_parameters")
    return Tool(name, function.optional_text("description") or "", schema)


def _named(fields: Fields, offered: tuple[Tool, ...], spelling: Spelling) -> Tool:
    """The offered tool that a choice names."""
    function = _described(fields, spelling)
    name = function.text("name")
    for tool in offered:
        if tool.name == name:
            return tool
    raise wrong_value(function.path("name"), f"The tool '{name}' in '{function.path('name')}' is not among 'tools'.")


def _described(fields: Fields, spelling: Spelling) -> Fields:
    return fields.needed_object("function") if spelling is Spelling.CHAT else fields
