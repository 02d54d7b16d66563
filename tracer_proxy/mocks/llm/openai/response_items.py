"""The input items of a response: their shape, what they say, and that calls and their outputs belong together.

An item is kept as the provider would give it back (``written_out``), and read into the messages that chats are made of, so
that what is said is decided alike.
"""

from collections.abc import Sequence
from itertools import zip_longest

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.ids import Ids
from tracer_proxy.mocks.llm.openai.errors import ApiError, missing, wrong_type, wrong_value
from tracer_proxy.mocks.llm.openai.fields import Fields
from tracer_proxy.mocks.llm.openai.messages import Call, Message

_ROLES = ("user", "assistant", "system", "developer")
_ASKED_PARTS = ("input_text", "input_image", "input_file")
_SAID_PARTS = ("output_text", "refusal")
_PART_TEXTS = {"input_text": "text", "output_text": "text", "refusal": "refusal"}
_PREFIXES = {"message": "msg_", "function_call": "fc_", "function_call_output": "fco_", "reasoning": "rs_"}
_CALLING = ("function_call", "function_call_output")
_ELSEWHERE = (
    "apply_patch_call",
    "apply_patch_call_output",
    "code_interpreter_call",
    "compaction",
    "computer_call",
    "computer_call_output",
    "file_search_call",
    "image_generation_call",
    "local_shell_call",
    "local_shell_call_output",
    "mcp_approval_request",
    "mcp_approval_response",
    "mcp_call",
    "mcp_list_tools",
    "shell_call",
    "shell_call_output",
    "web_search_call",
)
"""What the provider's own tools have left in a history; the mock reads nothing in them."""


def read_items(body: Fields) -> list[JsonObject]:
    """The items of ``input``; a text is a user's message. References are left to whoever keeps responses."""
    value = body.get("input")
    if value is None:
        return []
    if isinstance(value, str):
        return [{"type": "message", "role": "user", "content": value}]
    items = [_read_item(fields) for fields in body.objects("input")]
    _check_reasoning_leads_somewhere(items)
    return items


def as_messages(items: Sequence[JsonObject]) -> list[Message]:
    """What items say; those that say nothing are left out.

    Agents may put each output after its call, although the calls came together: then outputs are read after the last of them.
    """
    messages: list[Message] = []
    outputs: list[Message] = []
    for item in items:
        if item["type"] not in _CALLING:
            messages += outputs
            outputs.clear()
        message = _message(item)
        if message is not None:
            (outputs if item["type"] == "function_call_output" else messages).append(message)
    return messages + outputs


def check_calls_are_answered(items: Sequence[JsonObject]) -> None:
    """As the provider does: an output follows its call, and no call is without one at the end."""
    waiting: dict[str, bool] = {}
    for item in items:
        if item["type"] == "function_call":
            waiting[item["call_id"]] = True
        elif item["type"] == "function_call_output":
            if item["call_id"] not in waiting:
                text = f"No tool call found for function call output with call_id {item['call_id']}."
                raise ApiError(400, text, param="input")
            waiting[item["call_id"]] = False
    for call_id in (call_id for call_id, is_waiting in waiting.items() if is_waiting):
        raise ApiError(400, f"No tool output found for function call {call_id}.", param="input")


def written_out(items: Sequence[JsonObject], ids: Ids) -> list[JsonObject]:
    """The items as the provider lists them: each with an id, contents as parts, nothing left out."""
    return [_written_out(item, ids, place) for place, item in enumerate(items)]


def _read_item(fields: Fields) -> JsonObject:
    """One item, checked; its type is added where a message comes without."""
    kind = fields.optional_text("type") or ("message" if fields.get("role") is not None else "item_reference")
    match kind:
        case "message":
            role = fields.choice("role", _ROLES)
            _check_content(fields, "content", _SAID_PARTS if role == "assistant" else _ASKED_PARTS)
        case "function_call":
            for name in ("call_id", "name", "arguments"):
                fields.text(name)
        case "function_call_output":
            fields.text("call_id")
            _check_content(fields, "output", _ASKED_PARTS)
        case "reasoning":
            for part in fields.objects("summary"):
                part.text("text")
        case "item_reference":
            fields.text("id")
        case _ if kind not in _ELSEWHERE:
            kinds = "message, function_call, function_call_output, reasoning, item_reference"
            raise wrong_value(fields.path("type"), f"The field '{fields.path('type')}' has to be one of: {kinds}.")
    return {**fields.whole(), "type": kind}


def _check_content(fields: Fields, name: str, kinds: tuple[str, ...]) -> None:
    content = fields.get(name)
    if content is None:
        raise missing(fields.path(name))
    if isinstance(content, str):
        return
    if not isinstance(content, list):
        raise wrong_type(fields.path(name), "a string or an array of parts", content)
    for part in fields.objects(name):
        kind = part.choice("type", kinds)
        if kind in _PART_TEXTS:
            part.text(_PART_TEXTS[kind])


def _check_reasoning_leads_somewhere(items: Sequence[JsonObject]) -> None:
    """Reasoning is given back with what it led to; agents that drop the latter are refused."""
    for item, after in zip_longest(items, items[1:]):
        if item["type"] != "reasoning":
            continue
        if after is None or after["type"] == "function_call_output" or after.get("role", "assistant") != "assistant":
            name = f"Item '{item.get('id')}' of type 'reasoning'"
            raise ApiError(400, f"{name} was provided without its required following item.", param="input")


def _message(item: JsonObject) -> Message | None:
    match item["type"]:
        case "message":
            text, media = _content(item["content"])
            return Message(item["role"], text, media)
        case "function_call":
            return Message("assistant", "", calls=(Call(item["call_id"], item["name"], item["arguments"]),))
        case "function_call_output":
            text, media = _content(item["output"])
            return Message("tool", text, media, answers=item["call_id"])
        case "reasoning":
            return None
    return Message("assistant", json_text.write(item).decode())


def _content(content: str | list[JsonObject]) -> tuple[str, int]:
    """The text of a content, parts joined, and how many other media it has."""
    if isinstance(content, str):
        return content, 0
    texts = [part[_PART_TEXTS[part["type"]]] for part in content if part["type"] in _PART_TEXTS]
    return "".join(texts), len(content) - len(texts)


def _written_out(item: JsonObject, ids: Ids, place: int) -> JsonObject:
    kind = item["type"]
    item = {**item, "id": item.get("id") or ids.make(_PREFIXES.get(kind, "item_"), number=place, hex_digits=48)}
    if kind == "message":
        return {**item, "status": "completed", "content": _parts(item)}
    if kind in _CALLING:
        return {**item, "status": "completed"}
    return {**item, "summary": item.get("summary") or []} if kind == "reasoning" else item


def _parts(message: JsonObject) -> list[JsonObject]:
    is_said = message["role"] == "assistant"
    content = message["content"]
    if isinstance(content, str):
        content = [{"type": "output_text" if is_said else "input_text", "text": content}]
    return [{**_NEEDED.get(part["type"], {}), **part} for part in content]


_NEEDED: dict[str, JsonObject] = {"output_text": {"annotations": []}, "input_image": {"detail": "auto"}}
"""What a part has in an answer even if it was not sent."""
