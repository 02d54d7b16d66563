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
    for delta in _said(choice):
        likely = logprobs_json(delta.get("content"), top)
        yield {"index": choice.index, "delta": delta, "logprobs": likely, "finish_reason": None}
    yield {"index": choice.index, "delta": {}, "logprobs": None, "finish_reason": choice.finish_reason}


def _said(choice: Choice) -> Iterator[JsonObject]:
    """The text, then the calls. The role comes once, with the first of them."""
    opening: JsonObject = {"role": "assistant", "content": None, "refusal": None}
    if choice.reply.text is not None or not choice.reply.calls:
        yield {**opening, "content": ""}
        opening = {}
        for piece in tokens.pieces(choice.reply.text or ""):
            yield {"content": piece}
    yield from _call_deltas(choice, opening)


def _call_deltas(choice: Choice, opening: JsonObject) -> Iterator[JsonObject]:
    """Id, type and name come once: clients join the texts of all parts that have the same index."""
    for index, (call_id, call) in enumerate(zip(choice.call_ids, choice.reply.calls, strict=True)):
        function = {"name": call.name, "arguments": ""}
        yield {**opening, "tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]}
        opening = {}
        for piece in tokens.pieces(call.arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def event(chunk: JsonObject) -> bytes:
    """One event that has no name."""
    return b"data: %b\n\n" % json_text.write(chunk)
