"""What is gathered of one answer, whatever its wire format."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from io import StringIO
from typing import Any

import msgspec

from tracer_proxy import limits
from tracer_proxy.genai.anchor import arguments_digest, call_anchors
from tracer_proxy.genai.answered import Answered, ToolCall, Usage
from tracer_proxy.genai.answers.lenient import decode, name

_json_object = msgspec.json.Decoder(dict[str, msgspec.Raw])

_SCHEMA_FINISH_REASONS = {
    "tool_calls": "tool_call",
    "function_call": "tool_call",
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "": "error",
}
"""As the conventions' schema of output messages has them."""


class Call:
    """A tool call in the making."""

    __slots__ = ("arguments", "call_id", "is_anchored", "is_whole", "place", "tool")

    def __init__(self, place: int) -> None:
        self.place = place
        self.call_id = ""
        self.tool = ""
        self.arguments = StringIO()
        self.is_whole = False
        self.is_anchored = True

    def has_whole_arguments(self) -> bool:
        """They are a JSON object, to which nothing can be added."""
        return decode(_json_object, self.arguments.getvalue().encode(errors="replace")) is not None


class Message:
    """One choice of an answer: what an agent repeats as one message of its history."""

    __slots__ = ("calls", "finish_reason", "reasoning", "refusal", "text")

    def __init__(self) -> None:
        self.text = StringIO()
        self.reasoning = StringIO()
        self.refusal = StringIO()
        self.calls: list[Call] = []
        self.finish_reason = ""


class Answer(ABC):
    """Each wire format fills it in its own way, through ``event`` or ``body``."""

    def __init__(self, *, prefix: bytes, content_chars: int) -> None:
        self.id = ""
        self.model = ""
        self.conversation_id = ""
        self.error = ""
        self.parameters: dict[str, str] = {}
        self.messages: dict[int, Message] = {}
        self.is_done = False
        """The answer came to its end by its own protocol."""
        self.is_empty = True
        """Nothing could be read so far."""
        self.keeps_text = bool(prefix or content_chars)
        self.captures = bool(content_chars)
        self._prefix = prefix
        self._content_chars = content_chars
        self._is_lost = False
        self._call_count = 0
        self._text_left = self._notes_left = self._arguments_left = limits.ANSWER_TEXT_CHARS_MAX

    @abstractmethod
    def event(self, payload: bytes) -> bool | None:
        """One event of a stream. Does it carry something of what the model says? ``None``: it cannot be read."""

    @abstractmethod
    def body(self, payload: bytes) -> bool:
        """The whole of an answer that is no stream. Can it be read?"""

    @abstractmethod
    def usage(self) -> Usage: ...

    def end(self) -> None:  # noqa: B027 - nothing to do where the protocol has no such mark
        """``[DONE]`` came."""

    def is_whole(self) -> bool:
        return self.is_done

    def lose(self) -> None:
        """A part of the answer could not be read: what came whole before it stands, what was under way is given up."""
        if not self._is_lost:
            self._is_lost = True
            for message in self.messages.values():
                message.calls = self.whole_calls(message)
                for call in message.calls:
                    call.is_whole = True

    def identify(self, answer_id: Any, model: Any) -> None:
        """The first that says something counts; a provider's first event may be blank."""
        self.is_empty = False
        self.id = self.id or name(answer_id)
        self.model = self.model or name(model)

    def message(self, index: Any = 0) -> Message | None:
        if index is None:
            index = 0
        message = self.messages.get(index) if type(index) is int else None
        if message is None and type(index) is int and 0 <= index < limits.ANSWER_CHOICES_MAX:
            message = self.messages[index] = Message()
        return message

    def say(self, message: Message, text: str) -> None:
        if self.keeps_text and text:
            self._text_left -= len(text)
            if self._text_left >= 0:
                message.text.write(text)

    def think(self, message: Message, text: str) -> None:
        self._note(message.reasoning, text)

    def refuse(self, message: Message, text: str) -> None:
        self._note(message.refusal, text)

    def _note(self, what: StringIO, text: str) -> None:
        """What is no part of an anchor, and kept only where content is captured."""
        if self.captures and text:
            self._notes_left -= len(text)
            if self._notes_left >= 0:
                what.write(text)

    def begin_call(self, message: Message, place: int) -> Call:
        call = Call(place)
        self._call_count += 1
        if self._call_count > limits.ANSWER_CALLS_MAX:
            self.lose()
        if not self._is_lost:
            message.calls.append(call)
        return call

    def argue(self, call: Call, arguments: str) -> None:
        self._arguments_left -= len(arguments)
        if self._arguments_left < 0:
            self.lose()
        else:
            call.arguments.write(arguments)

    def is_finished(self, message: Message) -> bool:
        """Nothing can be added to the message."""
        return bool(message.finish_reason) or self.is_done

    def is_whole_call(self, message: Message, call: Call) -> bool:
        return call.is_whole

    def whole_calls(self, message: Message) -> list[Call]:
        return [call for call in message.calls if call.tool and self.is_whole_call(message, call)]

    def partial_text(self) -> str:
        """Text of a stream's unfinished part that is not in ``message.text``."""
        return ""

    def answered(self, chunks: int, first_chunk_at: float | None, gaps: Sequence[float]) -> Answered:
        """As it stands; more may come."""
        messages = [self.messages[index] for index in sorted(self.messages)]
        return Answered(
            id=self.id,
            model=self.model,
            finish_reasons=tuple(message.finish_reason for message in messages if message.finish_reason),
            usage=self.usage(),
            calls=tuple(call for message in messages for call in self._calls_of(message)),
            conversation_id=self.conversation_id,
            error=self.error,
            is_whole=self.is_whole(),
            parameters=dict(self.parameters),
            chunks=chunks,
            first_chunk_at=first_chunk_at,
            gaps=tuple(gaps),
            content=[self._content_of(message) for message in messages] if self._content_chars else None,
        )

    def _calls_of(self, message: Message) -> list[ToolCall]:
        whole = sorted(self.whole_calls(message), key=_place)
        return [
            ToolCall(
                call_id=call.call_id,
                tool=call.tool,
                anchor=anchor,
                arguments_digest=arguments_digest(arguments := call.arguments.getvalue()),
                arguments=arguments[: self._content_chars],
            )
            for call, anchor in zip(whole, self._anchors(message, whole), strict=True)
        ]

    def _anchors(self, message: Message, whole: Sequence[Call]) -> list[bytes]:
        """An anchor is of the message as the agent will repeat it, so it needs all of it."""
        is_all_there = self.is_finished(message) and len(whole) == len(message.calls)
        knows_all = is_all_there and not self._is_lost and self._text_left >= 0
        said = [(call.tool, call.arguments.getvalue()) for call in whole if call.is_anchored]
        anchors = iter(call_anchors(self._prefix if knows_all else b"", message.text.getvalue(), said))
        return [next(anchors) if call.is_anchored else b"" for call in whole]

    def _content_of(self, message: Message) -> dict[str, Any]:
        chars = self._content_chars
        parts: list[dict[str, Any]] = []
        if reasoning := message.reasoning.getvalue():
            parts.append({"type": "reasoning", "content": reasoning[:chars]})
        if text := message.text.getvalue() + self.partial_text():
            parts.append({"type": "text", "content": text[:chars]})
        if refusal := message.refusal.getvalue():
            parts.append({"type": "text", "content": refusal[:chars]})
        for call in sorted(self.whole_calls(message), key=_place):
            part = {"type": "tool_call", "name": call.tool, "arguments": call.arguments.getvalue()[:chars]}
            parts.append(part | {"id": call.call_id} if call.call_id else part)
        reason = message.finish_reason
        return {"role": "assistant", "parts": parts, "finish_reason": _SCHEMA_FINISH_REASONS.get(reason, reason)}


def _place(call: Call) -> int:
    return call.place
