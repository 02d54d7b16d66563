"""Parts of messages in the conventions' shape.

The families' parts differ in the names of their types, so one reader serves them all. Pictures, sounds and files are named,
never copied.
"""

from typing import Any, Final, TypeAlias

import msgspec

from tracer_proxy import limits
from tracer_proxy.genai.requests.echoes import plain
from tracer_proxy.genai.requests.json_values import Json, Object, member, parts, text, text_of, written_of

Part: TypeAlias = dict[str, Any]

_TEXTS: Final = {"text", "input_text", "output_text"}
_MODALITIES: Final = ("image", "audio", "video")
_HOLDERS: Final = ("source", "inlineData", "inline_data", "fileData", "file_data", "input_audio", "image_url", "file")
"""Where a part says what file it is: the object that does, or the address itself."""


class Room:
    """What may still be captured."""

    def __init__(self, each: int) -> None:
        self._each = each
        self._chars = limits.CONTENT_CHARS_MAX
        self._parts = limits.CONTENT_PARTS_MAX

    def __bool__(self) -> bool:
        return self._chars > 0 and self._parts > 0

    def cut(self, said: str) -> str:
        kept = said[: max(0, min(self._each, self._chars))]
        self._parts -= 1
        self._chars -= len(kept) + limits.CONTENT_PART_CHARS
        return kept

    def cut_json(self, written: str | bytes) -> Any:
        """The value that is written, where it is JSON and short enough; else its text."""
        given = written.decode(errors="replace") if isinstance(written, bytes) else written
        kept = self.cut(given)
        if kept != given:
            return kept
        try:
            found = msgspec.json.decode(kept or "{}")
            msgspec.msgpack.encode(found)  # a record crosses to control so, which integers beyond 64 bits cannot
        except (msgspec.MsgspecError, UnicodeError, RecursionError, OverflowError):
            return kept
        return found


def part_of(given: Object, room: Room) -> Part:
    kind = text_of(given, "type")
    if kind in _TEXTS or (not kind and "text" in given):
        return text_of_part(text_of(given, "text"), room, "reasoning" if member(given, "thought") is True else "text")
    if kind in ("thinking", "reasoning"):
        summary = "".join(text_of(each, "text") for each in parts(member(given, "summary")))
        return text_of_part(text_of(given, "thinking") or summary, room, "reasoning")
    if kind == "refusal":
        return text_of_part(text_of(given, "refusal"), room)
    if kind == "tool_use":
        return tool_call_of(member(given, "id"), member(given, "name"), written_of(given, "input"), room)
    if kind in ("function_call", "custom_tool_call"):
        arguments = written_of(given, "arguments") or written_of(given, "input")
        return tool_call_of(member(given, "call_id"), member(given, "name"), arguments, room)
    if kind == "tool_result":
        return response_of(member(given, "tool_use_id"), member(given, "content"), room)
    return _of_gemini(given, room) or _file(kind, given, room)


def _of_gemini(given: Object, room: Room) -> Part | None:
    if call := member(given, "functionCall") or member(given, "function_call"):
        return tool_call_of(member(call, "id"), member(call, "name"), written_of(call, "args"), room)
    if response := member(given, "functionResponse") or member(given, "function_response"):
        return response_of(member(response, "id"), member(response, "response"), room)
    return None


def text_of_part(said: str, room: Room, kind: str = "text") -> Part:
    return {"type": kind, "content": room.cut(said)}


def tool_call_of(call_id: Json, tool: Json, arguments: str | bytes, room: Room) -> Part:
    named = {"type": "tool_call", **_id(call_id), "name": text(tool)[: limits.PARAMETER_CHARS_MAX]}
    return {**named, "arguments": room.cut_json(arguments)}


def response_of(call_id: Json, said: Json, room: Room) -> Part:
    return {"type": "tool_call_response", **_id(call_id), "response": room.cut(plain(said))}


def _id(call_id: Json) -> Part:
    return {"id": text(call_id)[: limits.PARAMETER_CHARS_MAX]} if text(call_id) else {}


def _file(kind: str, given: Object, room: Room) -> Part:
    """A picture, a sound or another file by where it is; of what stands in the request itself only its type."""
    holder = next((found for name in _HOLDERS if (found := member(given, name)) is not None), None)
    held: Json = holder if isinstance(holder, dict) else dict(given)
    url = text(holder) or _first(held, "url", "fileUri", "file_uri", "file_url")
    mime = _first(held, "media_type", "mimeType", "mime_type") or f"audio/{text_of(held, 'format')}".removesuffix("audio/")
    if url.startswith("data:"):
        mime, url = url[len("data:") : limits.PARAMETER_CHARS_MAX].partition(",")[0].partition(";")[0], ""
    modality = next((each for each in _MODALITIES if mime.startswith(each) or each in kind), "file")
    named = {"modality": modality, "mime_type": mime[: limits.PARAMETER_CHARS_MAX] or None}
    if url:
        return {"type": "uri", **named, "uri": room.cut(url)}
    if file_id := text_of(held, "file_id"):
        return {"type": "file", **named, "file_id": room.cut(file_id)}
    room.cut("")
    if mime or holder is not None:
        return {"type": "blob", **named, "content": ""}  # the schema wants it; empty says that it was left out
    return {"type": kind[: limits.PARAMETER_CHARS_MAX] or "unknown"}


def _first(held: Json, *names: str) -> str:
    return next((found for name in names if (found := text_of(held, name))), "")
