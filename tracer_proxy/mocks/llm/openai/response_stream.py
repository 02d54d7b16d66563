"""A response cut into server-sent events, each with its name and its place in the sequence.

The events are made from the whole response, so that a stream says what the answer would have said, and one that broke off
can be taken up again.
"""

from collections.abc import Iterator

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import tokens
from tracer_proxy.mocks.llm.openai.response import under_way

Event = tuple[str, JsonObject]


def events(response: JsonObject, after: int = -1) -> Iterator[bytes]:
    """Every event whose number in the sequence is beyond ``after``."""
    for number, (kind, said) in enumerate(_events(response)):
        if number > after:
            event = {"type": kind, "sequence_number": number, **said}
            yield b"event: %b\ndata: %b\n\n" % (kind.encode(), json_text.write(event))


def _events(response: JsonObject) -> Iterator[Event]:
    yield "response.created", {"response": under_way(response, "queued" if response["background"] else "in_progress")}
    if response["background"]:
        yield "response.queued", {"response": under_way(response, "queued")}
    yield "response.in_progress", {"response": under_way(response, "in_progress")}
    for place, item in enumerate(response["output"]):
        for kind, said in _item_events(item):
            yield kind, {"output_index": place, **said}
    yield f"response.{response['status']}", {"response": response}


def _item_events(item: JsonObject) -> Iterator[Event]:
    yield "response.output_item.added", {"item": {**item, **_EMPTY[item["type"]], "status": "in_progress"}}
    within = {"message": _text_events, "reasoning": _summary_events, "function_call": _call_events}
    for kind, said in within[item["type"]](item):
        yield kind, {"item_id": item["id"], **said}
    yield "response.output_item.done", {"item": item}


_EMPTY: dict[str, JsonObject] = {"message": {"content": []}, "reasoning": {"summary": []}, "function_call": {"arguments": ""}}
"""What an item is like before it says anything."""


def _text_events(item: JsonObject) -> Iterator[Event]:
    for place, part in enumerate(item["content"]):
        where, likely = {"content_index": place}, part["logprobs"]
        yield "response.content_part.added", {**where, "part": {**part, "text": "", "logprobs": []}}
        for number, piece in enumerate(tokens.pieces(part["text"])):
            yield "response.output_text.delta", {**where, "delta": piece, "logprobs": likely[number : number + 1]}
        yield "response.output_text.done", {**where, "text": part["text"], "logprobs": likely}
        yield "response.content_part.done", {**where, "part": part}


def _summary_events(item: JsonObject) -> Iterator[Event]:
    for place, part in enumerate(item["summary"]):
        where = {"summary_index": place}
        yield "response.reasoning_summary_part.added", {**where, "part": {**part, "text": ""}}
        for piece in tokens.pieces(part["text"]):
            yield "response.reasoning_summary_text.delta", {**where, "delta": piece}
        yield "response.reasoning_summary_text.done", {**where, "text": part["text"]}
        yield "response.reasoning_summary_part.done", {**where, "part": part}


def _call_events(item: JsonObject) -> Iterator[Event]:
    for piece in tokens.pieces(item["arguments"]):
        yield "response.function_call_arguments.delta", {"delta": piece}
    yield "response.function_call_arguments.done", {"name": item["name"], "arguments": item["arguments"]}
