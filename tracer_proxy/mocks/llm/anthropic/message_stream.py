"""A message cut into named server-sent events: one token an event, as the provider's streams come."""

from collections.abc import Iterator

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.anthropic.message import Message, head, running_usage, usage

Block = tuple[JsonObject, list[JsonObject]]
"""A block as it begins, and its deltas."""


def events(message: Message) -> Iterator[bytes]:
    """Every event, ``message_stop`` last. A ping follows the start of the first block."""
    yield _event({"type": "message_start", "message": {**head(message), "usage": usage(message, 1)}})
    for index, (block, deltas) in enumerate(_blocks(message)):
        yield _event({"type": "content_block_start", "index": index, "content_block": block})
        if index == 0:
            yield _event({"type": "ping"})
        for delta in deltas:
            yield _event({"type": "content_block_delta", "index": index, "delta": delta})
        yield _event({"type": "content_block_stop", "index": index})
    stopped = {"stop_reason": message.stop_reason, "stop_sequence": message.stop_sequence, "stop_details": None}
    yield _event(
        {"type": "message_delta", "delta": stopped, "usage": running_usage(message, message.output_tokens)},
    )
    yield _event({"type": "message_stop"})


def _blocks(message: Message) -> Iterator[Block]:
    reply = message.reply
    if message.signature:
        deltas: list[JsonObject] = [{"type": "thinking_delta", "thinking": piece} for piece in tokens.pieces(reply.reasoning)]
        sealed = {"type": "signature_delta", "signature": message.signature}
        yield {"type": "thinking", "thinking": "", "signature": ""}, [*deltas, sealed]
    if reply.text:
        deltas = [{"type": "text_delta", "text": piece} for piece in tokens.pieces(reply.text)]
        yield {"type": "text", "text": "", "citations": None}, deltas
    for call_id, call in zip(message.call_ids, reply.calls, strict=True):
        block = {"type": "tool_use", "id": call_id, "name": call.name, "input": {}, "caller": {"type": "direct"}}
        pieces = ["", *tokens.pieces(call.arguments)]
        yield block, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]


def _event(value: JsonObject) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), json_text.write(value))
