"""``tools`` and ``tool_choice`` of a chat request: what may be called, and whether something has to be."""

import re

from tracer_proxy.mocks.llm.conversation import Tool
from tracer_proxy.mocks.llm.openai.errors import wrong_value
from tracer_proxy.mocks.llm.openai.fields import Fields

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MODES = ("none", "auto", "required")


def read_tools(body: Fields) -> tuple[Tool, ...]:
    """Read and check ``tools``. Custom tools, whose input has no schema, are refused: the mock could only make it up."""
    return tuple(_read_tool(fields) for fields in body.objects("tools"))


def callable_now(body: Fields, offered: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], bool]:
    """The tools that ``tool_choice`` leaves, and whether one of them has to be called."""
    choice = body.get("tool_choice")
    if choice is None:
        return offered, False
    if not offered and choice != "none":
        raise wrong_value("tool_choice", "The field 'tool_choice' needs 'tools' beside it.")
    if isinstance(choice, str):
        return _by_mode(body.choice("tool_choice", _MODES), offered)
    fields = body.needed_object("tool_choice")
    if fields.choice("type", ("function", "allowed_tools")) == "function":
        return (_named(fields, offered),), True
    allowed = fields.needed_object("allowed_tools")
    kept = tuple(_named(tool, offered) for tool in allowed.objects("tools"))
    return kept, allowed.choice("mode", ("auto", "required")) == "required"


def _by_mode(mode: str, offered: tuple[Tool, ...]) -> tuple[tuple[Tool, ...], bool]:
    return (() if mode == "none" else offered), mode == "required"


def _read_tool(fields: Fields) -> Tool:
    fields.choice("type", ("function",))
    function = fields.needed_object("function")
    name = function.text("name")
    if not _NAME.fullmatch(name):
        message = f"The field '{function.path('name')}' has to be 1 to 64 letters, digits, '_' or '-'."
        raise wrong_value(function.path("name"), message)
    function.flag("strict")
    return Tool(name, function.optional_text("description") or "", function.json("parameters"))


def _named(fields: Fields, offered: tuple[Tool, ...]) -> Tool:
    """The offered tool that a choice names."""
    function = fields.needed_object("function")
    name = function.text("name")
    for tool in offered:
        if tool.name == name:
            return tool
    raise wrong_value(function.path("name"), f"The tool '{name}' in '{function.path('name')}' is not among 'tools'.")
