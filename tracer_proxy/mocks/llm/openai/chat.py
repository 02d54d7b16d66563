"""From a chat request to its completion: replies cut where the request says, ids, usage, and the JSON of it all."""

from dataclasses import dataclass

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import answer, ending, tokens
from tracer_proxy.mocks.llm.conversation import Reply
from tracer_proxy.mocks.llm.ids import Ids
from tracer_proxy.mocks.llm.openai import logprobs
from tracer_proxy.mocks.llm.openai.chat_request import ChatRequest

FINGERPRINT = "fp_7ac3e0b1d2"
SERVICE_TIER = "default"
_CALL_ID_DIGITS = 24


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer. ``call_ids`` are those of ``reply.calls``."""

    index: int
    reply: Reply
    call_ids: tuple[str, ...]
    finish_reason: str


@dataclass(frozen=True, slots=True)
class Completion:
    """All answers to one request."""

    id: str
    created_s: int
    model: str
    choices: tuple[Choice, ...]
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    logprobs: int | None
    """As in ``ChatRequest``."""


def complete(request: ChatRequest, trace: bytes = b"") -> Completion:
    """Answer a request; the same request gets an equal completion.

    What it says never hangs on ``trace``, but its ids do: a provider's are different in each conversation, and whoever follows
    a conversation by them must be able to tell two apart in which the same was said.
    """
    ids = Ids(request.digest + trace)
    choices = tuple(_choice(request, ids, index) for index in range(request.choices))
    return Completion(
        id=ids.make("chatcmpl-"),
        created_s=ids.created_s(),
        model=request.conversation.model,
        choices=choices,
        prompt_tokens=request.prompt_tokens,
        cached_tokens=request.cached_tokens,
        completion_tokens=sum(ending.count(choice.reply) for choice in choices),
        reasoning_tokens=sum(tokens.count(choice.reply.reasoning) for choice in choices),
        logprobs=request.logprobs,
    )


def usage(completion: Completion) -> JsonObject:
    """The numbers are estimates (``tokens.py``), and the same whether the answer is streamed or not."""
    return {
        "prompt_tokens": completion.prompt_tokens,
        "completion_tokens": completion.completion_tokens,
        "total_tokens": completion.prompt_tokens + completion.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": completion.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": completion.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def as_json(completion: Completion) -> JsonObject:
    """The body of an answer that is not streamed."""
    return {
        "id": completion.id,
        "object": "chat.completion",
        "created": completion.created_s,
        "model": completion.model,
        "choices": [_choice_json(choice, completion.logprobs) for choice in completion.choices],
        "usage": usage(completion),
        "service_tier": SERVICE_TIER,
        "system_fingerprint": FINGERPRINT,
    }


def _choice(request: ChatRequest, ids: Ids, index: int) -> Choice:
    reply = answer.reply(request.conversation, Ids(request.digest), index)
    ended = ending.end(reply, request.stop, request.tokens_max)
    reply, finish_reason = ended.reply, _finish_reason(ended)
    call_ids = (
        ids.make("call_", number=index * len(reply.calls) + place, hex_digits=_CALL_ID_DIGITS)
        for place in range(len(reply.calls))
    )
    return Choice(index, reply, tuple(call_ids), finish_reason)


def _finish_reason(ended: ending.Ended) -> str:
    if ended.is_cut:
        return "length"
    return "tool_calls" if ended.reply.calls else "stop"


def logprobs_json(text: str | None, top: int | None) -> JsonObject | None:
    """How likely each token of a text was, if that was asked for."""
    if text is None or top is None:
        return None
    return {"content": logprobs.of_text(text, top), "refusal": None}


def _choice_json(choice: Choice, top: int | None) -> JsonObject:
    message: JsonObject = {"role": "assistant", "content": choice.reply.text, "refusal": None, "annotations": []}
    if choice.reply.calls:
        message["tool_calls"] = [
            {"id": call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call_id, call in zip(choice.call_ids, choice.reply.calls, strict=True)
        ]
    likely = logprobs_json(choice.reply.text, top)
    return {"index": choice.index, "message": message, "logprobs": likely, "finish_reason": choice.finish_reason}
