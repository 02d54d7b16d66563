"""The body of ``POST /v1/messages`` and of its ``count_tokens``, read and checked."""

from dataclasses import dataclass
from typing import Any

from tracer_proxy import limits
from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.anthropic import prompt_cache, thinking, turns
from tracer_proxy.mocks.llm.anthropic.blocks import read_blocks
from tracer_proxy.mocks.llm.anthropic.fields import Fields
from tracer_proxy.mocks.llm.anthropic.offered_tools import Offer, read_offer
from tracer_proxy.mocks.llm.anthropic.prompt_cache import PromptTokens
from tracer_proxy.mocks.llm.anthropic.turns import Turn
from tracer_proxy.mocks.llm.conversation import Conversation
from tracer_proxy.mocks.llm.serving import Refused

_ASKING = ("model", "messages", "system", "tools", "tool_choice", "thinking", "output_config", "cache_control")
_ANSWERING = ("max_tokens", "stop_sequences", "stream", "temperature", "top_k", "top_p", "service_tier", "speed")
_ACCOUNTING = ("container", "diagnostics", "inference_geo", "metadata", "user_profile_id")
_KNOWN = frozenset((*_ASKING, *_ANSWERING, *_ACCOUNTING))
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
_TURN_TOKENS = 3
"""What the provider's format adds to each turn, and once more for the answer it opens."""


@dataclass(frozen=True, slots=True)
class MessagesRequest:
    """What was asked, and how the answer is wanted."""

    conversation: Conversation
    prompt: PromptTokens
    tokens_max: int
    stop: tuple[str, ...]
    shows_thinking: bool
    stream: bool
    digest: bytes
    """Of everything that decides what is said."""


def read_messages_request(body: Any, *, beta: bool) -> MessagesRequest:
    """Read a JSON body; raises ``Refused`` as the provider would. ``beta``: a beta is named, which may bring new fields."""
    fields = Fields(body)
    if not beta:
        fields.refuse_unknown(_KNOWN)
    model = fields.text("model")
    tokens_max = fields.integer("max_tokens", 0)
    if tokens_max is None:
        raise fields.missing("max_tokens")
    _check_plain_fields(fields)
    said = turns.read_turns(fields, beta=beta)
    offer = read_offer(fields)
    return MessagesRequest(
        conversation=_conversation(fields, model, said, offer, tokens_max),
        prompt=_prompt_tokens(fields, said, offer),
        tokens_max=tokens_max,
        stop=_stop(fields),
        shows_thinking=thinking.is_shown(fields),
        stream=fields.flag("stream"),
        digest=json_text.digest({name: value for name, value in body.items() if name != "stream"}),
    )


def count_tokens(body: Any, *, beta: bool) -> int:
    """Tokens of the prompt in the body of a request to count them."""
    fields = Fields(body)
    if not beta:
        fields.refuse_unknown(_KNOWN)
    fields.text("model")
    return _prompt_tokens(fields, turns.read_turns(fields, beta=beta), read_offer(fields)).total


def _conversation(fields: Fields, model: str, said: list[Turn], offer: Offer, tokens_max: int) -> Conversation:
    reasons = thinking.is_on(fields, tokens_max)
    if reasons and fields.needed_object("thinking").get("type") == "enabled":
        turns.check_thinking_is_kept(said)
    return Conversation(
        model=model,
        user_text=turns.last_user_text(said),
        results=turns.results_at_end(said),
        called=turns.called_since_user(said),
        tools=offer.tools,
        must_call=offer.must_call,
        parallel=offer.parallel,
        reasons=reasons,
        schema=_answer_schema(fields),
    )


def _check_plain_fields(fields: Fields) -> None:
    fields.check_number("temperature", 0, 1)
    fields.check_number("top_p", 0, 1)
    fields.integer("top_k", 0)
    metadata = fields.object("metadata")
    if metadata is not None:
        metadata.refuse_unknown(frozenset({"user_id"}))
        metadata.optional_text("user_id")


def _stop(fields: Fields) -> tuple[str, ...]:
    sequences = fields.texts("stop_sequences")
    for index, sequence in enumerate(sequences):
        if not sequence.strip():
            raise Refused(400, f"stop_sequences.{index}: each stop sequence must contain non-whitespace")
    return tuple(sequences)


def _answer_schema(fields: Fields) -> JsonObject | None:
    """The schema of a structured answer, None if plain text will do. The second place is that of an older beta."""
    config = fields.object("output_config")
    if config is not None and config.get("effort") is not None:
        config.choice("effort", _EFFORTS)
    wanted = (config and config.object("format")) or fields.object("output_format")
    if wanted is None:
        return None
    wanted.choice("type", ("json_schema",))
    wanted.needed_object("schema")
    return wanted.json("schema")


def _prompt_tokens(fields: Fields, said: list[Turn], offer: Offer) -> PromptTokens:
    system = read_blocks(fields, "system", known=("text",)) if fields.get("system") is not None else ()
    head = ((offer.tokens, offer.is_cached), *((block.tokens, block.is_cached) for block in system))
    marks_end = fields.object("cache_control") is not None
    if (
        sum(mark for _, mark in head) + sum(block.is_cached for turn in said for block in turn.blocks)
        > limits.MOCK_CACHE_MARKS_MAX
    ):
        raise Refused(400, f"A maximum of {limits.MOCK_CACHE_MARKS_MAX} blocks with cache_control may be provided.")
    return prompt_cache.split(head, said, _TURN_TOKENS * (len(said) + 1), marks_end=marks_end)
