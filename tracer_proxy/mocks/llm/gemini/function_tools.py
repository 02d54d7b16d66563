"""``tools`` and ``toolConfig`` of a request: which functions may be called, and whether one has to be."""

import re

from tracer_proxy.mocks.llm.conversation import Tool
from tracer_proxy.mocks.llm.gemini.fields import Fields
from tracer_proxy.mocks.llm.gemini.openapi_schema import json_schema
from tracer_proxy.mocks.llm.serving import Refused

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}")
_MODES = ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED")


def callable_now(body: Fields) -> tuple[tuple[Tool, ...], bool]:
    """The functions that may be called, and whether one has to be. Tools that the provider runs itself are let through."""
    offered = tuple(_read_function(fields) for tool in body.objects("tools") for fields in tool.objects("functionDeclarations"))
    if len({tool.name for tool in offered}) < len(offered):
        raise Refused(400, "Duplicate function declaration found.")
    config = body.object("toolConfig")
    calling = config.object("functionCallingConfig") if config else None
    if calling is None:
        return offered, False
    mode = (calling.optional_text("mode") or "AUTO").upper()
    if mode not in _MODES:
        raise calling.wrong_value(calling.path("mode"), f"has to be one of: {', '.join(_MODES)}")
    allowed = calling.texts("allowedFunctionNames")
    if allowed and mode not in ("ANY", "VALIDATED"):
        raise Refused(400, "allowed_function_names should be set only when mode is ANY.")
    unknown = set(allowed) - {tool.name for tool in offered}
    if unknown:
        raise Refused(400, f"allowed_function_names: {', '.join(sorted(unknown))} is not among the function declarations.")
    if mode == "NONE":
        return (), False
    if mode == "ANY" and not offered:
        raise Refused(400, "Function calling mode is set to ANY without any function declarations.")
    return tuple(tool for tool in offered if not allowed or tool.name in allowed), mode == "ANY"


def _read_function(fields: Fields) -> Tool:
    name = fields.text("name")
    if not _NAME.fullmatch(name):
        rule = "1 to 128 letters, digits, underscores, dots, colons or dashes, beginning with a letter or an underscore"
        raise Refused(400, f"* GenerateContentRequest.{fields.path('name')}: Invalid function name. It has to be {rule}.")
    plain = fields.object("parametersJsonSchema")
    own = fields.object("parameters")
    if plain is not None and own is not None:
        raise Refused(400, f"{fields.path('parameters')} and parameters_json_schema are mutually exclusive.")
    schema = fields.json("parametersJsonSchema") if plain is not None else json_schema(fields.json("parameters"))
    return Tool(name, fields.optional_text("description") or "", schema)
