"""From a request to the message that answers it: blocks, stop reason, usage, and the JSON of it all."""

import json
from dataclasses import dataclass, replace

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import answer, ending, tokens
from tracer_proxy.mocks.llm.anthropic import thinking
from tracer_proxy.mocks.llm.anthropic.messages_request import MessagesRequest
from tracer_proxy.mocks.llm.anthropic.prompt_cache import PromptTokens
from tracer_proxy.mocks.llm.conversation import Reply
from tracer_proxy.mocks.llm.ids import Ids

_ID_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Message:
    """The answer to one request. ``call_ids`` are those of ``reply.calls``; ``signature`` seals ``reply.reasoning``."""

    id: str
    model: str
    reply: Reply
    call_ids: tuple[str, ...]
    signature: str
    stop_reason: str
    stop_sequence: str | None
    prompt: PromptTokens
    output_tokens: int
    thinking_tokens: int


def complete(request: MessagesRequest, trace: bytes = b"") -> Message:
    """Answer a request; the same request gets an equal message. What it says never hangs on ``trace``, but its ids do."""
    ids = Ids(request.digest + trace)
    ended = ending.end(answer.reply(request.conversation, Ids(request.digest), 0), request.stop, request.tokens_max)
    reasoning = ended.reply.reasoning
    return Message(
        id=ids.make("msg_01", hex_digits=_ID_DIGITS - 2),
        model=request.conversation.model,
        reply=ended.reply if request.shows_thinking else replace(ended.reply, reasoning=""),
        call_ids=tuple(
            ids.make("toolu_01", number=number, hex_digits=_ID_DIGITS - 2) for number in range(len(ended.reply.calls))
        ),
        signature=thinking.signature(reasoning) if reasoning else "",
        stop_reason=_stop_reason(ended),
        stop_sequence=ended.stop,
        prompt=request.prompt,
        output_tokens=ending.count(ended.reply),
        thinking_tokens=tokens.count(reasoning),
    )


def as_json(message: Message) -> JsonObject:
    """The body of an answer that is not streamed."""
    return {
        **head(message),
        "content": [*_thought(message), *_text(message), *_calls(message)],
        "stop_reason": message.stop_reason,
        "stop_sequence": message.stop_sequence,
        "usage": usage(message, message.output_tokens),
    }


def head(message: Message) -> JsonObject:
    """A message of which nothing has been said yet."""
    return {
        "id": message.id,
        "type": "message",
        "role": "assistant",
        "model": message.model,
        "content": [],
        "container": None,
        "stop_details": None,
        "stop_reason": None,
        "stop_sequence": None,
    }


def usage(message: Message, output_tokens: int) -> JsonObject:
    """The numbers are estimates (``tokens.py``), and the same whether the answer is streamed or not."""
    return {
        **running_usage(message, output_tokens),
        "cache_creation": {"ephemeral_5m_input_tokens": message.prompt.written, "ephemeral_1h_input_tokens": 0},
        "inference_geo": "not_available",
        "service_tier": "standard",
    }


def running_usage(message: Message, output_tokens: int) -> JsonObject:
    """The part of the usage that the end of a stream repeats."""
    return {
        "input_tokens": message.prompt.fresh,
        "cache_creation_input_tokens": message.prompt.written,
        "cache_read_input_tokens": message.prompt.read,
        "output_tokens": output_tokens,
        "output_tokens_details": {"thinking_tokens": min(output_tokens, message.thinking_tokens)},
        "server_tool_use": None,
    }


def _thought(message: Message) -> list[JsonObject]:
    if not message.signature:
        return []
    return [{"type": "thinking", "thinking": message.reply.reasoning, "signature": message.signature}]


def _text(message: Message) -> list[JsonObject]:
    return [{"type": "text", "text": message.reply.text, "citations": None}] if message.reply.text else []


def _calls(message: Message) -> list[JsonObject]:
    return [
        {"type": "tool_use", "id": call_id, "name": call.name, "input": _input(call.arguments), "caller": {"type": "direct"}}
        for call_id, call in zip(message.call_ids, message.reply.calls, strict=True)
    ]


def _input(arguments: str) -> JsonObject:
    """Arguments that broke off are no JSON; a whole answer has to hold an object all the same."""
    try:
        read: JsonObject = json.loads(arguments)
    except ValueError:
        return {}
    return read


def _stop_reason(ended: ending.Ended) -> str:
    if ended.is_cut:
        return "max_tokens"
    if ended.stop is not None:
        return "stop_sequence"
    return "tool_use" if ended.reply.calls else "end_turn"
