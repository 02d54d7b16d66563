"""``tools`` and ``tool_choice`` of a request: what may be called, and whether something has to be."""

import re
from dataclasses import dataclass

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.anthropic.fields import Fields
from tracer_proxy.mocks.llm.conversation import Tool
from tracer_proxy.mocks.llm.serving import Refused

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
_CHOICES = ("auto", "any", "tool", "none")


@dataclass(frozen=True, slots=True)
class Offer:
    """What may be called now. ``tokens`` is the length of all tools that were offered."""

    tools: tuple[Tool, ...]
    must_call: bool
    parallel: bool
    tokens: int
    is_cached: bool


def read_offer(body: Fields) -> Offer:
    """Read and check ``tools`` and ``tool_choice``.

    Tools of the provider's own types have no schema the mock could make arguments by: they are accepted and never called.
    """
    offered = body.objects("tools")
    own = tuple(_read_tool(fields) for fields in offered if fields.get("type") in (None, "custom"))
    names = [fields.get("name") for fields in offered]
    if len({name for name in names if isinstance(name, str)}) < len(names):
        raise Refused(400, "tools: Tool names must be unique.")
    may_call, must_call, parallel = _by_choice(body, own, has_tools=bool(offered))
    size = tokens.count(json_text.write(body.items("tools")).decode()) if offered else 0
    return Offer(may_call, must_call, parallel, size, any(fields.get("cache_control") for fields in offered))


def _by_choice(body: Fields, own: tuple[Tool, ...], *, has_tools: bool) -> tuple[tuple[Tool, ...], bool, bool]:
    choice = body.object("tool_choice")
    if choice is None:
        return own, False, True
    kind = choice.choice("type", _CHOICES)
    if not has_tools and kind != "none":
        raise Refused(400, "tool_choice: tool_choice may only be specified while providing tools.")
    parallel = not choice.flag("disable_parallel_tool_use")
    match kind:
        case "tool":
            return (_named(choice.text("name"), own),), True, parallel
        case "none":
            return (), False, parallel
    return own, kind == "any", parallel


def _read_tool(fields: Fields) -> Tool:
    name = fields.text("name")
    if not _NAME.fullmatch(name):
        raise Refused(400, f"{fields.path('name')}: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    schema = fields.needed_object("input_schema")
    schema.choice("type", ("object",))
    return Tool(name, fields.optional_text("description") or "", fields.json("input_schema"))


def _named(name: str, own: tuple[Tool, ...]) -> Tool:
    for tool in own:
        if tool.name == name:
            return tool
    raise Refused(400, f"Tool '{name}' not found in provided tools")
