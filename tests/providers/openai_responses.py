"""OpenAI Responses, with what the provider keeps of earlier ones."""

import secrets
from collections.abc import Iterator

from providers.refused import Refused
from providers.said import Json, Reply, Said, pieces, sse, text_of
from providers.tokens import TOKENS

ID_PREFIX = "resp_"
CALL_PREFIX = "call_"


class Stored:
    """Items of conversations, by the id of the response they end with, or of the conversation."""

    def __init__(self) -> None:
        self._items: dict[str, list[Json]] = {}

    def new_conversation(self) -> str:
        conversation = f"conv_{secrets.token_hex(16)}"
        self._items[conversation] = []
        return conversation

    def items(self, body: Json) -> list[Json]:
        """The whole conversation that a request goes on with, what it brings included."""
        before: list[Json] = []
        for known_as in (body.get("previous_response_id"), conversation_id(body)):
            if known_as:
                if known_as not in self._items:
                    raise Refused(400, f"there is no stored {known_as!r}", "previous_response_not_found")
                before = self._items[known_as]
        given = body.get("input") or []
        return before + ([{"role": "user", "content": given}] if isinstance(given, str) else list(given))

    def keep(self, body: Json, answer: Json) -> None:
        items = self.items(body) + answer["output"]
        if body.get("store", True):
            self._items[answer["id"]] = items
        if conversation := conversation_id(body):
            self._items[conversation] = items


def conversation_id(body: Json) -> str:
    named = body.get("conversation") or ""
    return named if isinstance(named, str) else str(named.get("id", ""))


def read(body: Json, items: list[Json]) -> Said:
    """Refuses what OpenAI refuses: outputs of calls that were not made, and calls without outputs."""
    prompt, results, called, open_calls = "", 0, 0, list[str]()
    for item in items:
        kind = item.get("type", "message")
        if kind == "function_call":
            open_calls.append(item["call_id"])
            called += 1
        elif kind == "function_call_output":
            if item["call_id"] not in open_calls:
                raise Refused(400, f"no call before it has the id {item['call_id']!r} of an output")
            open_calls.remove(item["call_id"])
            results += 1
        elif kind == "message" and item.get("role") == "user":
            prompt, results = text_of(item.get("content")), 0
    if open_calls:
        raise Refused(400, f"calls without an output: {open_calls}")
    if not prompt:
        raise Refused(400, "input holds no user message")
    return Said(
        model=body.get("model", ""),
        stream=bool(body.get("stream")),
        prompt=prompt,
        results=results,
        called_before=called,
        offers_tools=bool(body.get("tools")),
    )


def whole(reply: Reply, body: Json) -> Json:
    key = reply.id.removeprefix(ID_PREFIX)
    output: list[Json] = []
    if reply.text:
        part = {"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}
        output.append(
            {"id": f"msg_{key}", "type": "message", "role": "assistant", "status": "completed", "content": [part]},
        )
    for place, call in enumerate(reply.calls):
        output.append(
            {
                "id": f"fc_{key}_{place}",
                "type": "function_call",
                "call_id": call.call_id,
                "name": call.tool,
                "arguments": call.arguments_text,
                "status": "completed",
            }
        )
    return {**_head(reply, body), "status": "completed", "output": output, "usage": _usage()}


def events(answer: Json, body: Json) -> Iterator[bytes]:
    for number, (kind, data) in enumerate(_events(answer)):
        yield sse({"type": kind, "sequence_number": number, **data}, kind)


def _events(answer: Json) -> Iterator[tuple[str, Json]]:
    begun = {**answer, "status": "in_progress", "output": [], "usage": None}
    yield "response.created", {"response": begun}
    yield "response.in_progress", {"response": begun}
    for index, item in enumerate(answer["output"]):
        yield from _message_events(index, item) if item["type"] == "message" else _call_events(index, item)
    yield "response.completed", {"response": answer}


def _message_events(index: int, item: Json) -> Iterator[tuple[str, Json]]:
    (part,) = item["content"]
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    yield "response.output_item.added", {"output_index": index, "item": {**item, "status": "in_progress", "content": []}}
    yield "response.content_part.added", {**place, "part": {**part, "text": ""}}
    for piece in pieces(part["text"]):
        yield "response.output_text.delta", {**place, "delta": piece, "logprobs": []}
    yield "response.output_text.done", {**place, "text": part["text"], "logprobs": []}
    yield "response.content_part.done", {**place, "part": part}
    yield "response.output_item.done", {"output_index": index, "item": item}


def _call_events(index: int, item: Json) -> Iterator[tuple[str, Json]]:
    place = {"item_id": item["id"], "output_index": index}
    yield "response.output_item.added", {"output_index": index, "item": {**item, "status": "in_progress", "arguments": ""}}
    for piece in pieces(item["arguments"]):
        yield "response.function_call_arguments.delta", {**place, "delta": piece}
    yield "response.function_call_arguments.done", {**place, "name": item["name"], "arguments": item["arguments"]}
    yield "response.output_item.done", {"output_index": index, "item": item}


def _head(reply: Reply, body: Json) -> Json:
    conversation = conversation_id(body)
    return {
        "id": reply.id,
        "object": "response",
        "created_at": reply.created,
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": reply.model,
        "parallel_tool_calls": True,
        "previous_response_id": body.get("previous_response_id"),
        "conversation": {"id": conversation} if conversation else None,
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
    }


def _usage() -> Json:
    read_tokens = TOKENS.fresh + TOKENS.cache_read + TOKENS.cache_creation
    return {
        "input_tokens": read_tokens,
        "input_tokens_details": {"cached_tokens": TOKENS.cache_read, "cache_write_tokens": TOKENS.cache_creation},
        "output_tokens": TOKENS.output,
        "output_tokens_details": {"reasoning_tokens": TOKENS.reasoning},
        "total_tokens": read_tokens + TOKENS.output,
    }
