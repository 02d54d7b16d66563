"""OpenAI Chat Completions, and embeddings."""

import base64
import struct
from collections.abc import Iterator

from providers.refused import Refused
from providers.said import Json, Reply, Said, pieces, sse, text_of
from providers.tokens import TOKENS

ID_PREFIX = "chatcmpl-"
CALL_PREFIX = "call_"
DIMENSIONS = 8


def read(body: Json) -> Said:
    """Refuses what OpenAI refuses: results of calls that were not made, and calls without results."""
    prompt, results, called, open_calls = "", 0, 0, list[str]()
    for message in body.get("messages") or []:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                raise Refused(400, f"no call before it has the id {message.get('tool_call_id')!r} of a tool message")
            open_calls.remove(message["tool_call_id"])
            results += 1
        elif open_calls:
            raise Refused(400, f"calls without a tool message: {open_calls}")
        elif message["role"] == "assistant":
            open_calls = [call["id"] for call in message.get("tool_calls") or []]
            called += len(open_calls)
        elif message["role"] == "user":
            prompt, results = text_of(message.get("content")), 0
    if open_calls:
        raise Refused(400, f"calls without a tool message: {open_calls}")
    if not prompt:
        raise Refused(400, "messages hold no user message")
    return Said(
        model=body.get("model", ""),
        stream=bool(body.get("stream")),
        prompt=prompt,
        results=results,
        called_before=called,
        offers_tools=bool(body.get("tools")),
    )


def whole(reply: Reply) -> Json:
    message: Json = {"role": "assistant", "content": reply.text or None, "refusal": None, "annotations": []}
    if reply.calls:
        message["tool_calls"] = [
            {"id": call.call_id, "type": "function", "function": {"name": call.tool, "arguments": call.arguments_text}}
            for call in reply.calls
        ]
    choice = {"index": 0, "finish_reason": _finish_reason(reply), "logprobs": None, "message": message}
    return {**_head(reply, "chat.completion"), "choices": [choice], "usage": _usage()}


def events(reply: Reply, body: Json) -> Iterator[bytes]:
    usage = bool((body.get("stream_options") or {}).get("include_usage"))
    head = _head(reply, "chat.completion.chunk") | ({"usage": None} if usage else {})

    def chunk(delta: Json, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return sse({**head, "choices": [choice]})

    yield chunk({"role": "assistant", "content": None if reply.calls and not reply.text else "", "refusal": None})
    for piece in pieces(reply.text):
        yield chunk({"content": piece})
    for index, call in enumerate(reply.calls):
        named = {"index": index, "id": call.call_id, "type": "function", "function": {"name": call.tool, "arguments": ""}}
        yield chunk({"tool_calls": [named]})
        for piece in pieces(call.arguments_text):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _finish_reason(reply))
    if usage:
        yield sse({**head, "choices": [], "usage": _usage()})
    yield sse("[DONE]")


def embeddings(body: Json) -> Json:
    """One vector per input, the same for the same input."""
    given = body.get("input")
    texts = [given] if isinstance(given, str) else list(given or [])
    data = []
    for index, text in enumerate(texts):
        vector = [float(len(str(text)) % (place + 2)) for place in range(body.get("dimensions") or DIMENSIONS)]
        packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
        shown = packed if body.get("encoding_format") == "base64" else vector
        data.append({"object": "embedding", "index": index, "embedding": shown})
    tokens = TOKENS.fresh
    return {
        "object": "list",
        "data": data,
        "model": body.get("model", ""),
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _finish_reason(reply: Reply) -> str:
    return "tool_calls" if reply.calls else "stop"


def _head(reply: Reply, kind: str) -> Json:
    return {
        "id": reply.id,
        "object": kind,
        "created": reply.created,
        "model": reply.model,
        "system_fingerprint": "fp_script",
        "service_tier": "default",
    }


def _usage() -> Json:
    prompt = TOKENS.fresh + TOKENS.cache_read
    return {
        "prompt_tokens": prompt,
        "completion_tokens": TOKENS.output,
        "total_tokens": prompt + TOKENS.output,
        "prompt_tokens_details": {"cached_tokens": TOKENS.cache_read},
        "completion_tokens_details": {"reasoning_tokens": TOKENS.reasoning},
    }
