"""The body of ``POST /v1/responses``, read and checked. Fields that are not named here are let through."""

from dataclasses import dataclass
from typing import Any

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.conversation import Conversation
from tracer_proxy.mocks.llm.openai import logprobs, response_items
from tracer_proxy.mocks.llm.openai import messages as chat_messages
from tracer_proxy.mocks.llm.openai.answer_format import read_schema
from tracer_proxy.mocks.llm.openai.chat_request import (
    check_sampling,
    check_service_tier,
    tools_tokens,
    wants_reasoning,
)
from tracer_proxy.mocks.llm.openai.errors import ApiError, wrong_value
from tracer_proxy.mocks.llm.openai.fields import Fields
from tracer_proxy.mocks.llm.openai.messages import Message
from tracer_proxy.mocks.llm.openai.offered_tools import Spelling, callable_now, read_tools
from tracer_proxy.mocks.llm.openai.response_store import ResponseStore

_TOKENS_MIN = 16
"""The provider's own bound for ``max_output_tokens``."""
_SUMMARIES = ("auto", "concise", "detailed")
_HOW_NOT_WHAT = ("stream", "stream_options", "background", "store")


@dataclass(frozen=True, slots=True)
class ResponseRequest:
    """What was asked, and how the answer is wanted. ``fields`` is the body, for what a response repeats of it."""

    fields: JsonObject
    conversation: Conversation
    inputs: tuple[JsonObject, ...]
    prompt_tokens: int
    cached_tokens: int
    """Of the prompt: those that count as read before."""
    tokens_max: int | None
    summarises: bool
    """Whether the reasoning is to be shown."""
    encrypts: bool
    """Whether the reasoning is to be given along, for clients whose responses are not kept."""
    logprobs: int | None
    """As in a chat request."""
    stream: bool
    background: bool
    store: bool
    digest: bytes
    """Of everything that decides what is said."""


def read_response_request(body: Any, store: ResponseStore) -> ResponseRequest:
    """Read a JSON body, the history it continues included; raises ``ApiError`` as the provider would."""
    fields = Fields(body)
    model = fields.text("model")
    inputs, said = _history(fields, store)
    _check_plain_fields(fields)
    response_items.check_calls_are_answered(said)
    messages = [*_instructions(fields), *response_items.as_messages(said)]
    in_front = tools_tokens(fields)
    includes = _includes(fields)
    reasoning = fields.object("reasoning")
    return ResponseRequest(
        fields=fields.whole(),
        conversation=_conversation(fields, model, messages),
        inputs=tuple(inputs),
        prompt_tokens=chat_messages.prompt_tokens(messages) + in_front,
        cached_tokens=chat_messages.cached_tokens(messages, in_front),
        tokens_max=fields.integer("max_output_tokens", _TOKENS_MIN),
        summarises=reasoning is not None and _summary(reasoning) is not None,
        encrypts="reasoning.encrypted_content" in includes,
        logprobs=_logprobs(fields, includes),
        stream=fields.flag("stream"),
        background=fields.flag("background"),
        store=fields.get("store") is None or fields.flag("store"),
        digest=json_text.digest({name: value for name, value in body.items() if name not in _HOW_NOT_WHAT}),
    )


def _history(fields: Fields, store: ResponseStore) -> tuple[list[JsonObject], list[JsonObject]]:
    """The items sent now, references looked up, and all that was said, these included."""
    previous = fields.optional_text("previous_response_id")
    if fields.get("input") in (None, []) and previous is None:
        message = "The field 'input' is required, or 'previous_response_id' if nothing is to be added to it."
        raise ApiError(400, message, param="input", code="missing_required_parameter")
    inputs = [
        store.item(item["id"]) if item["type"] == "item_reference" else item for item in response_items.read_items(fields)
    ]
    return inputs, [*store.history(previous), *inputs]


def _instructions(fields: Fields) -> list[Message]:
    """They hold for this response only, and stand before all that was said."""
    text = fields.optional_text("instructions")
    return [Message("system", text)] if text else []


def _conversation(fields: Fields, model: str, messages: list[Message]) -> Conversation:
    offered = read_tools(fields, Spelling.RESPONSE)
    may_call, must_call = callable_now(fields, offered, Spelling.RESPONSE)
    reasoning = fields.object("reasoning")
    return Conversation(
        model=model,
        user_text=chat_messages.last_user_text(messages),
        results=chat_messages.results_at_end(messages),
        called=chat_messages.called_since_user(messages),
        tools=may_call,
        must_call=must_call,
        parallel=fields.get("parallel_tool_calls") is not False,
        reasons=reasoning is not None and (wants_reasoning(reasoning, "effort") or _summary(reasoning) is not None),
        schema=_answer_schema(fields),
    )


def _check_plain_fields(fields: Fields) -> None:
    check_sampling(fields)
    check_service_tier(fields)
    fields.flag("parallel_tool_calls")
    fields.object("metadata")
    fields.integer("max_tool_calls", 1)
    if fields.get("truncation") is not None:
        fields.choice("truncation", ("auto", "disabled"))
    if fields.get("conversation") is not None:
        message = "This mock keeps no conversations: use 'previous_response_id', or send the whole 'input'."
        raise wrong_value("conversation", message)
    if fields.flag("background") and fields.get("store") is False:
        raise wrong_value("background", "A background response has to be kept: leave out 'store'.")


def _summary(reasoning: Fields) -> str | None:
    for name in ("summary", "generate_summary"):
        if reasoning.get(name) is not None:
            return reasoning.choice(name, _SUMMARIES)
    return None


def _answer_schema(fields: Fields) -> JsonObject | None:
    """The schema of a structured answer, None if plain text will do."""
    text = fields.object("text")
    wanted = None if text is None else text.object("format")
    if wanted is None:
        return None
    kind = wanted.choice("type", ("text", "json_object", "json_schema"))
    if kind != "json_schema":
        return {} if kind == "json_object" else None
    return read_schema(wanted, param="text.format.schema", code="invalid_json_schema")


def _includes(fields: Fields) -> list[Any]:
    return fields.items("include") or []


def _logprobs(fields: Fields, includes: list[Any]) -> int | None:
    top = fields.integer("top_logprobs", 0, logprobs.TOP_MAX)
    return top or 0 if top or "message.output_text.logprobs" in includes else None
