"""Anthropic Messages."""

from collections.abc import Iterator

from providers.refused import Refused
from providers.said import Json, Reply, Said, pieces, sse, text_of
from providers.tokens import TOKENS

ID_PREFIX = "msg_"
CALL_PREFIX = "toolu_"


def read(body: Json) -> Said:
    """Refuses what Anthropic refuses: a call that the next message does not answer, and an answer to no call."""
    if not body.get("max_tokens"):
        raise Refused(400, "max_tokens: field required")
    prompt, results, called, open_calls = "", 0, 0, set[str]()
    for message in body.get("messages") or []:
        blocks = message["content"] if isinstance(message["content"], list) else []
        answered = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
        if set(answered) != open_calls:
            raise Refused(400, f"tool_result blocks {answered} do not match the tool_use blocks {sorted(open_calls)} before")
        open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
        called += len(open_calls)
        results += len(answered)
        if message["role"] == "user" and not answered:
            prompt, results = text_of(message["content"]), 0
    if open_calls:
        raise Refused(400, f"tool_use blocks without tool_result: {sorted(open_calls)}")
    if not prompt:
        raise Refused(400, "messages hold no text of a user")
    return Said(
        model=body.get("model", ""),
        stream=bool(body.get("stream")),
        prompt=prompt,
        results=results,
        called_before=called,
        offers_tools=bool(body.get("tools")),
    )


def whole(reply: Reply) -> Json:
    content: list[Json] = [{"type": "text", "text": reply.text}] if reply.text else []
    content += [{"type": "tool_use", "id": call.call_id, "name": call.tool, "input": call.arguments} for call in reply.calls]
    return {**_head(reply), "content": content, "stop_reason": _stop_reason(reply), "usage": _usage(TOKENS.output)}


def events(reply: Reply) -> Iterator[bytes]:
    begun = {**_head(reply), "content": [], "stop_reason": None, "usage": _usage(1)}
    yield _event("message_start", message=begun)
    blocks: list[tuple[Json, list[Json]]] = []
    if reply.text:
        deltas: list[Json] = [{"type": "text_delta", "text": piece} for piece in pieces(reply.text)]
        blocks.append(({"type": "text", "text": ""}, deltas))
    for call in reply.calls:
        block = {"type": "tool_use", "id": call.call_id, "name": call.tool, "input": {}}
        blocks.append((block, [{"type": "input_json_delta", "partial_json": piece} for piece in pieces(call.arguments_text)]))
    for index, (block, deltas) in enumerate(blocks):
        yield _event("content_block_start", index=index, content_block=block)
        yield _event("ping")
        for delta in deltas:
            yield _event("content_block_delta", index=index, delta=delta)
        yield _event("content_block_stop", index=index)
    delta = {"stop_reason": _stop_reason(reply), "stop_sequence": None}
    yield _event("message_delta", delta=delta, usage={"output_tokens": TOKENS.output})
    yield _event("message_stop")


def _event(kind: str, **data: object) -> bytes:
    return sse({"type": kind, **data}, kind)


def _stop_reason(reply: Reply) -> str:
    return "tool_use" if reply.calls else "end_turn"


def _head(reply: Reply) -> Json:
    return {"id": reply.id, "type": "message", "role": "assistant", "model": reply.model, "stop_sequence": None}


def _usage(output: int) -> Json:
    return {
        "input_tokens": TOKENS.fresh,
        "cache_read_input_tokens": TOKENS.cache_read,
        "cache_creation_input_tokens": TOKENS.cache_creation,
        "output_tokens": output,
        "service_tier": "standard",
    }
