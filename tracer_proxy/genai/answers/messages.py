"""Anthropic Messages."""

from typing import Any

import msgspec
from msgspec import Struct

from tracer_proxy.genai.answered import Usage
from tracer_proxy.genai.answers.answer import Answer, Call, Message
from tracer_proxy.genai.answers.lenient import count, decode, error_code, json_text, name, text, within


class _Block(Struct, gc=False):
    """A content block, or the delta of one."""

    type: Any = None
    text: Any = None
    thinking: Any = None
    id: Any = None
    name: Any = None
    input: msgspec.Raw = msgspec.Raw(b"")
    partial_json: Any = None
    stop_reason: Any = None


class _Message(Struct, gc=False):
    type: Any = None
    id: Any = None
    model: Any = None
    content: list[_Block] | None = None
    stop_reason: Any = None
    usage: Any = None
    error: Any = None


class _Event(Struct, gc=False):
    type: Any = None
    index: Any = None
    message: _Message | None = None
    content_block: _Block | None = None
    delta: _Block | None = None
    usage: Any = None
    error: Any = None


_event = msgspec.json.Decoder(_Event)
_message = msgspec.json.Decoder(_Message)

_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
_COUNTS = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")


class MessagesAnswer(Answer):
    """Stop reasons are told in chat's words where there is one: ``stop``, ``length``, ``tool_calls``, ``content_filter``."""

    def __init__(self, *, prefix: bytes, content_chars: int) -> None:
        super().__init__(prefix=prefix, content_chars=content_chars)
        self._counts: dict[str, int] = {}
        self._open: dict[int, Call] = {}
        """Calls under way, by the index of their block."""

    def event(self, payload: bytes) -> bool | None:
        event = decode(_event, payload)
        if event is None:
            return None
        self.is_empty = False
        kind = event.type
        if kind == "content_block_delta":
            if event.delta is not None:
                self._continue(event.index, event.delta)
            return True
        if kind == "content_block_start" and event.content_block is not None:
            self._begin(event.index, event.content_block)
        elif kind == "content_block_stop":
            if type(event.index) is int and (call := self._open.pop(event.index, None)) is not None:
                call.is_whole = True
        elif kind == "message_start" and event.message is not None:
            self.identify(event.message.id, event.message.model)
            self._count(event.message.usage)
            # Where an answer begins this is not yet a count of it; message_delta brings one.
            self._counts.pop("output_tokens", None)
        elif kind == "message_delta":
            self._count(event.usage)
            if event.delta is not None:
                self._stop(event.delta.stop_reason)
        elif kind == "message_stop":
            self.is_done = True
        elif kind == "error":
            self.error = error_code(event.error, "type")
        return False

    def body(self, payload: bytes) -> bool:
        message = decode(_message, payload)
        if message is None:
            return False
        self.identify(message.id, message.model)
        self._count(message.usage)
        if message.error is not None:
            self.error = error_code(message.error, "type")
        for index, block in enumerate(message.content or ()):
            self._begin(index, block)
        for call in self._open.values():
            call.is_whole = True
        self._stop(message.stop_reason)
        self.is_done = True
        return True

    def lose(self) -> None:
        super().lose()
        self._open.clear()

    def _begin(self, index: Any, block: _Block) -> None:
        message = self.message()
        if message is None or type(index) is not int:
            return
        if block.type == "tool_use":
            call = self._open[index] = self.begin_call(message, index)
            call.call_id = name(block.id)
            call.tool = name(block.name)
            # A stream begins with an empty object, which the pieces replace.
            if bytes(block.input) not in (b"", b"{}"):
                self.argue(call, json_text(block.input))
        else:
            self._hear(message, block)

    def _continue(self, index: Any, delta: _Block) -> None:
        if delta.partial_json is not None:
            call = self._open.get(index) if type(index) is int else None
            if call is not None:
                self.argue(call, text(delta.partial_json))
        elif self.keeps_text and (message := self.message()) is not None:
            self._hear(message, delta)

    def _hear(self, message: Message, block: _Block) -> None:
        if block.type in ("text", "text_delta"):
            self.say(message, text(block.text))
        if block.thinking is not None:
            self.think(message, text(block.thinking))

    def _stop(self, reason: Any) -> None:
        if (reason := name(reason)) and (message := self.message()) is not None:
            message.finish_reason = _REASONS.get(reason, reason)

    def is_whole_call(self, message: Message, call: Call) -> bool:
        # A block ends in due form also where the limit of tokens cut its JSON off, which only the stop reason tells.
        is_cut = message.finish_reason in ("", "length") and call.arguments.tell() > 0
        return call.is_whole and (not is_cut or call.has_whole_arguments())

    def _count(self, usage: Any) -> None:
        """Counts of a stream are cumulative; what an event leaves out stands as it was."""
        for key in _COUNTS:
            if (tokens := count(within(usage, key))) is not None:
                self._counts[key] = tokens

    def usage(self) -> Usage:
        """``input_tokens`` of this provider leaves out what came from a cache or went into it."""
        fresh, read, created, output = (self._counts.get(key) for key in _COUNTS)
        return Usage(
            input=None if fresh is None else fresh + (read or 0) + (created or 0),
            output=output,
            cache_read=read,
            cache_creation=created,
        )
