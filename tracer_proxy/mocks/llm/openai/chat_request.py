"""The body of ``POST /v1/chat/completions``, read and checked. Fields that are not named here are let through."""

from dataclasses import dataclass
from typing import Any

from tracer_proxy import limits
from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.conversation import Conversation
from tracer_proxy.mocks.llm.openai import messages as chat_messages
from tracer_proxy.mocks.llm.openai.errors import ApiError, wrong_type, wrong_value
from tracer_proxy.mocks.llm.openai.fields import Fields
from tracer_proxy.mocks.llm.openai.messages import Message
from tracer_proxy.mocks.llm.openai.offered_tools import callable_now, read_tools

_NUMBER_RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
_HOW_NOT_WHAT = ("stream", "stream_options")
"""Fields that change how an answer travels, not what it says: a stream says what the whole answer would have said."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What was asked, and how the answer is wanted."""

    conversation: Conversation
    prompt_tokens: int
    choices: int
    tokens_max: int | None
    """Bound for each choice."""
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool
    digest: bytes
    """Of everything that decides what is said."""


def read_chat_request(body: Any) -> ChatRequest:
    """Read a JSON body; raises ``ApiError`` as the provider would."""
    fields = Fields(body)
    model = fields.text("model")
    messages = chat_messages.read_messages(fields)
    _check_plain_fields(fields)
    return ChatRequest(
        conversation=_conversation(fields, model, messages),
        prompt_tokens=chat_messages.prompt_tokens(messages) + _tools_tokens(fields),
        choices=fields.integer("n", 1, limits.MOCK_CHOICES_MAX) or 1,
        tokens_max=_tokens_max(fields),
        stop=_stop(fields),
        stream=fields.flag("stream"),
        include_usage=_include_usage(fields),
        digest=json_text.digest({name: value for name, value in body.items() if name not in _HOW_NOT_WHAT}),
    )


def _conversation(fields: Fields, model: str, messages: list[Message]) -> Conversation:
    may_call, must_call = callable_now(fields, read_tools(fields))
    return Conversation(
        model=model,
        user_text=chat_messages.last_user_text(messages),
        results=chat_messages.results_at_end(messages),
        called=chat_messages.called_since_user(messages),
        tools=may_call,
        must_call=must_call,
        parallel=fields.get("parallel_tool_calls") is not False,
        schema=_answer_schema(fields),
    )


def _check_plain_fields(fields: Fields) -> None:
    for name, (low, high) in _NUMBER_RANGES.items():
        fields.check_number(name, low, high)
    fields.flag("parallel_tool_calls")
    if "audio" in (fields.items("modalities") or []):
        raise wrong_value("modalities", "This mock answers in text only: leave 'audio' out of 'modalities'.")


def _tokens_max(fields: Fields) -> int | None:
    old, new = fields.integer("max_tokens", 1), fields.integer("max_completion_tokens", 1)
    if old is not None and new is not None:
        raise ApiError(400, "Give either 'max_tokens' or 'max_completion_tokens', not both.", param="max_tokens")
    return new if old is None else old


def _stop(fields: Fields) -> tuple[str, ...]:
    value = fields.get("stop")
    if value is None:
        return ()
    sequences = [value] if isinstance(value, str) else fields.items("stop") or []
    if len(sequences) > limits.MOCK_STOP_SEQUENCES_MAX:
        raise wrong_value("stop", f"The field 'stop' has to have at most {limits.MOCK_STOP_SEQUENCES_MAX} items.")
    for index, sequence in enumerate(sequences):
        if not isinstance(sequence, str):
            raise wrong_type(f"stop[{index}]", "a string", sequence)
    return tuple(sequence for sequence in sequences if sequence)


def _include_usage(fields: Fields) -> bool:
    options = fields.object("stream_options")
    if options is None:
        return False
    if not fields.flag("stream"):
        raise wrong_value("stream_options", "The field 'stream_options' is for streams: set 'stream' to true.")
    return options.flag("include_usage")


def _answer_schema(fields: Fields) -> JsonObject | None:
    """The schema of a structured answer, None if plain text will do."""
    wanted = fields.object("response_format")
    if wanted is None:
        return None
    kind = wanted.choice("type", ("text", "json_object", "json_schema"))
    if kind != "json_schema":
        return {} if kind == "json_object" else None
    described = wanted.needed_object("json_schema")
    described.text("name")
    return described.json("schema")


def _tools_tokens(fields: Fields) -> int:
    """The provider writes tool schemas into the prompt; how exactly is not known."""
    offered = fields.items("tools")
    return tokens.count(json_text.write(offered).decode()) if offered else 0
