"""A completion cut into server-sent events: one token an event, as the provider's streams come."""

from collections.abc import Iterator
from itertools import zip_longest

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.openai.chat import FINGERPRINT, SERVICE_TIER, Choice, Completion, logprobs_json, usage

DONE = b"data: [DONE]\n\n"


def events(completion: Completion, *, include_usage: bool) -> Iterator[bytes]:
    """Every event, ``[DONE]`` last. Choices take turns, as they do when a model writes them side by side."""
    head = _head(completion, include_usage=include_usage)
    for turn in zip_longest(*(_deltas(choice, completion.logprobs) for choice in completion.choices)):
        for choice in filter(None, turn):
            yield event({**head, "choices": [choice]})
    if include_usage:
        yield event({**head, "choices": [], "usage": usage(completion)})
    yield DONE


def _head(completion: Completion, *, include_usage: bool) -> JsonObject:
    head = {
        "id": completion.id,
        "object": "chat.completion.chunk",
        "created": completion.created_s,
        "model": completion.model,
        "service_tier": SERVICE_TIER,
        "system_fingerprint": FINGERPRINT,
    }
    return {**head, "usage": None} if include_usage else head


def _deltas(choice: Choice, top: int | None) -> Iterator[JsonObject]:
    """The parts of one choice. The last one is empty and carries the finish reason."""
    deltas = _call_deltas(choice) if choice.reply.calls else _text_deltas(choice.reply.text or "")
    for delta in deltas:
        likely = logprobs_json(delta.get("content"), top)
        yield {"index": choice.index, "delta": delta, "logprobs": likely, "finish_reason": None}
    yield {"index": choice.index, "delta": {}, "logprobs": None, "finish_reason": choice.finish_reason}


def _text_deltas(text: str) -> Iterator[JsonObject]:
    yield {"role": "assistant", "content": "", "refusal": None}
    for piece in tokens.pieces(text):
        yield {"content": piece}


def _call_deltas(choice: Choice) -> Iterator[JsonObject]:
    """Id, type and name come once: clients join the texts of all parts that have the same index."""
    opening: JsonObject = {"role": "assistant", "content": None, "refusal": None}
    for index, (call_id, call) in enumerate(zip(choice.call_ids, choice.reply.calls, strict=True)):
        function = {"name": call.name, "arguments": ""}
        yield {**opening, "tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}
        opening = {}
        for piece in tokens.pieces(call.arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def event(chunk: JsonObject) -> bytes:
    """One event that has no name."""
    return b"data: %b\n\n" % json_text.write(chunk)
