"""The body of ``POST /v1/chat/completions``, read and checked. Fields that are not named here are let through."""

from dataclasses import dataclass
from typing import Any

from tracer_proxy import limits
from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.conversation import Conversation
from tracer_proxy.mocks.llm.openai import logprobs
from tracer_proxy.mocks.llm.openai import messages as chat_messages
from tracer_proxy.mocks.llm.openai.answer_format import read_schema
from tracer_proxy.mocks.llm.openai.errors import ApiError, wrong_type, wrong_value
from tracer_proxy.mocks.llm.openai.fields import Fields
from tracer_proxy.mocks.llm.openai.messages import Message
from tracer_proxy.mocks.llm.openai.offered_tools import Spelling, callable_now, read_tools

_NUMBER_RANGES = {
    "temperature": (0, 2),
    "top_p": (0, 1),
    "frequency_penalty": (-2, 2),
    "presence_penalty": (-2, 2),
}
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
_UNREASONED = (None, "none", "minimal")
_TIERS = ("auto", "default", "flex", "scale", "priority", "fast")
HOW_NOT_WHAT = ("stream", "stream_options")
"""Fields that change how an answer travels, not what it says: a stream says what the whole answer would have said."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What was asked, and how the answer is wanted."""

    conversation: Conversation
    prompt_tokens: int
    cached_tokens: int
    """Of the prompt: those that count as read before."""
    choices: int
    tokens_max: int | None
    """Bound for each choice."""
    stop: tuple[str, ...]
    stream: bool
    include_usage: bool
    logprobs: int | None
    """How many of the likeliest tokens are to be shown for each token; None if not even its own likelihood is."""
    digest: bytes
    """Of everything that decides what is said."""


def read_chat_request(body: Any) -> ChatRequest:
    """Read a JSON body; raises ``ApiError`` as the provider would."""
    fields = Fields(body)
    model = fields.text("model")
    messages = chat_messages.read_messages(fields)
    _check_plain_fields(fields)
    in_front = tools_tokens(fields)
    return ChatRequest(
        conversation=_conversation(fields, model, messages),
        prompt_tokens=chat_messages.prompt_tokens(messages) + in_front,
        cached_tokens=chat_messages.cached_tokens(messages, in_front),
        choices=fields.integer("n", 1, limits.MOCK_CHOICES_MAX) or 1,
        tokens_max=_tokens_max(fields),
        stop=read_stop(fields),
        stream=fields.flag("stream"),
        include_usage=read_include_usage(fields),
        logprobs=_logprobs(fields),
        digest=json_text.digest({name: value for name, value in body.items() if name not in HOW_NOT_WHAT}),
    )


def _conversation(fields: Fields, model: str, messages: list[Message]) -> Conversation:
    may_call, must_call = callable_now(fields, read_tools(fields, Spelling.CHAT), Spelling.CHAT)
    return Conversation(
        model=model,
        user_text=chat_messages.last_user_text(messages),
        results=chat_messages.results_at_end(messages),
        called=chat_messages.called_since_user(messages),
        tools=may_call,
        must_call=must_call,
        parallel=fields.get("parallel_tool_calls") is not False,
        reasons=wants_reasoning(fields, "reasoning_effort"),
        schema=_answer_schema(fields),
    )


def check_sampling(fields: Fields) -> None:
    """The numbers that steer a model's dice, which the mock has none of."""
    for name, (low, high) in _NUMBER_RANGES.items():
        fields.check_number(name, low, high)


def wants_reasoning(fields: Fields, name: str) -> bool:
    """Whether an effort is asked for that a model would reason with."""
    if fields.get(name) is None:
        return False
    return fields.choice(name, EFFORTS) not in _UNREASONED


def check_service_tier(fields: Fields) -> None:
    """``service_tier`` is one of those there are."""
    if fields.get("service_tier") is not None:
        fields.choice("service_tier", _TIERS)


def _check_plain_fields(fields: Fields) -> None:
    check_sampling(fields)
    check_service_tier(fields)
    fields.flag("parallel_tool_calls")
    fields.flag("store")
    fields.integer("seed", -(2**63), 2**63 - 1)
    fields.object("metadata")
    fields.object("logit_bias")
    for name in ("functions", "function_call"):
        if fields.get(name) is not None:
            raise wrong_value(name, f"This mock knows 'tools' and 'tool_choice', not '{name}', which came before them.")
    if "audio" in (fields.items("modalities") or []):
        raise wrong_value("modalities", "This mock answers in text only: leave 'audio' out of 'modalities'.")


def _tokens_max(fields: Fields) -> int | None:
    old, new = fields.integer("max_tokens", 1), fields.integer("max_completion_tokens", 1)
    if old is not None and new is not None:
        raise ApiError(400, "Give either 'max_tokens' or 'max_completion_tokens', not both.", param="max_tokens")
    return new if old is None else old


def read_stop(fields: Fields) -> tuple[str, ...]:
    """The stop sequences."""
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


def read_include_usage(fields: Fields) -> bool:
    """Whether a stream is to end with its usage."""
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
    return read_schema(wanted.needed_object("json_schema"), param="response_format", code=None)


def _logprobs(fields: Fields) -> int | None:
    top = fields.integer("top_logprobs", 0, logprobs.TOP_MAX)
    if fields.flag("logprobs"):
        return top or 0
    if top is not None:
        raise wrong_value("top_logprobs", "The field 'top_logprobs' needs 'logprobs' beside it, set to true.")
    return None


def tools_tokens(fields: Fields) -> int:
    """Estimated tokens of the tools: the provider writes their schemas into the prompt; how exactly is not known."""
    offered = fields.items("tools")
    return tokens.count(json_text.write(offered).decode()) if offered else 0
