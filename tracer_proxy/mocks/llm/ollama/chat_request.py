"""The bodies of ``/api/chat`` and ``/api/generate``, read and checked. Fields that are not named here are let through."""

from dataclasses import dataclass
from typing import Any

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.conversation import Conversation, Tool, ToolResult
from tracer_proxy.mocks.llm.ollama.fields import Fields

_ROLES = ("system", "user", "assistant", "tool")
_IMAGE_TOKENS = 768
_LEVELS = ("low", "medium", "high")


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``calls`` are the names of its tool calls by their ids; a result may say the id or the name of its call."""

    role: str
    text: str
    tokens: int
    calls: tuple[tuple[str, str], ...] = ()
    answers: str = ""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What was asked, and how the answer is wanted. Without anything asked a model is only loaded."""

    conversation: Conversation
    prompt_tokens: int
    tokens_max: int | None
    stop: tuple[str, ...]
    stream: bool
    is_load: bool
    digest: bytes


def read_chat(body: Any) -> ChatRequest:
    """Read the body of ``/api/chat``; raises ``Refused``."""
    fields = Fields(body)
    return _request(fields, body, [_read_message(message) for message in fields.objects("messages")])


def read_generate(body: Any) -> ChatRequest:
    """Read the body of ``/api/generate``: a single question, perhaps with a system text."""
    fields = Fields(body)
    prompt, system = fields.optional_text("prompt") or "", fields.optional_text("system") or ""
    images = _IMAGE_TOKENS * len(fields.items("images") or [])
    asked = [Message("user", prompt, tokens.count(system) + tokens.count(prompt) + images)]
    return _request(fields, body, asked if prompt else [])


def _request(fields: Fields, body: Any, messages: list[Message]) -> ChatRequest:
    model = fields.text("model")
    options = fields.object("options") or Fields({})
    limit = options.integer("num_predict", -2)
    offered = fields.items("tools")
    return ChatRequest(
        conversation=Conversation(
            model=model,
            user_text=next((message.text for message in reversed(messages) if message.role == "user"), ""),
            results=_results_at_end(messages),
            tools=tuple(_read_tool(tool) for tool in fields.objects("tools")),
            reasons=_thinks(fields),
            schema=_answer_schema(fields),
        ),
        prompt_tokens=sum(message.tokens for message in messages) + (tokens.count(_as_text(offered)) if offered else 0),
        tokens_max=limit if limit is not None and limit >= 0 else None,
        stop=(options.get("stop"),) if isinstance(options.get("stop"), str) else tuple(options.texts("stop")),
        stream=fields.get("stream") is None or fields.flag("stream"),
        is_load=not messages,
        digest=json_text.digest({name: value for name, value in body.items() if name != "stream"}),
    )


def _read_message(fields: Fields) -> Message:
    role = fields.choice("role", _ROLES)
    text = fields.optional_text("content") or ""
    calls = tuple(_read_call(call) for call in fields.objects("tool_calls"))
    answers = fields.optional_text("tool_call_id") or fields.optional_text("tool_name") or fields.optional_text("name") or ""
    size = tokens.count(text) + tokens.count(_as_text(fields.items("tool_calls") or []))
    return Message(role, text, size + _IMAGE_TOKENS * len(fields.items("images") or []), calls, answers)


def _read_call(fields: Fields) -> tuple[str, str]:
    function = fields.needed_object("function")
    function.object("arguments")
    return fields.optional_text("id") or "", function.text("name")


def _results_at_end(messages: list[Message]) -> tuple[ToolResult, ...]:
    """The tool results after which nobody has spoken yet. One that names no call answers the one in its place."""
    called = next((message.calls for message in reversed(messages) if message.calls), ())
    names = {call_id: name for call_id, name in called if call_id}
    results: list[Message] = []
    for message in reversed(messages):
        if message.role != "tool":
            break
        results.insert(0, message)
    by_place = [name for _, name in called] + [""] * len(results)
    return tuple(
        ToolResult(names.get(result.answers, result.answers) or by_place[place], result.text)
        for place, result in enumerate(results)
    )


def _read_tool(fields: Fields) -> Tool:
    function = fields.needed_object("function")
    return Tool(function.text("name"), function.optional_text("description") or "", function.json("parameters"))


def _thinks(fields: Fields) -> bool:
    wanted = fields.get("think")
    return fields.choice("think", _LEVELS) != "" if isinstance(wanted, str) else fields.flag("think")


def _answer_schema(fields: Fields) -> JsonObject | None:
    """The schema of a structured answer, None if plain text will do."""
    wanted = fields.get("format")
    if wanted in (None, ""):
        return None
    return {} if isinstance(wanted, str) and fields.choice("format", ("json",)) else fields.json("format")


def _as_text(value: object) -> str:
    return json_text.write(value).decode()
