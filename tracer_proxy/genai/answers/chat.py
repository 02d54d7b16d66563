"""OpenAI chat completions, and the older completions: one shape, with ``delta`` in a stream and ``message`` in a body."""

from typing import Any

import msgspec
from msgspec import Struct

from tracer_proxy.genai.answered import Usage
from tracer_proxy.genai.answers.answer import Answer, Call, Message
from tracer_proxy.genai.answers.lenient import count, decode, error_code, json_text, name, text, within


class _Named(Struct, gc=False):
    name: Any = None
    arguments: Any = None
    input: Any = None


class _Call(Struct, gc=False):
    index: Any = None
    id: Any = None
    function: _Named | None = None
    custom: _Named | None = None


class _Said(Struct, gc=False):
    content: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    refusal: Any = None
    audio: Any = None
    tool_calls: list[_Call] | None = None
    function_call: _Named | None = None


class _Choice(Struct, gc=False):
    index: Any = None
    delta: _Said | None = None
    message: _Said | None = None
    text: Any = None
    finish_reason: Any = None


class _Chunk(Struct, gc=False):
    id: Any = None
    model: Any = None
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None
    service_tier: Any = None
    system_fingerprint: Any = None


_chunk = msgspec.json.Decoder(_Chunk)

_CUT = frozenset({"length", "content_filter"})
"""Finish reasons after which a call's arguments may end anywhere."""
_LEGACY = -1
"""Place of the one ``function_call`` of a message, which came before ``tool_calls``."""


class ChatAnswer(Answer):
    """A call is whole when its choice has a finish reason or all is done. Before that it is only if a further call has begun
    and its arguments are a JSON object."""

    _usage: Any = None
    _has_text = False

    def event(self, payload: bytes) -> bool | None:
        chunk = decode(_chunk, payload)
        return None if chunk is None else self._take(chunk)

    def body(self, payload: bytes) -> bool:
        chunk = decode(_chunk, payload)
        if chunk is None:
            return False
        self._take(chunk)
        self.is_done = True
        return True

    def end(self) -> None:
        self.is_done = not self.error

    def _take(self, chunk: _Chunk) -> bool:
        if self.is_empty or not self.model:
            self.identify(chunk.id, chunk.model)
        if chunk.usage is not None:
            self._usage = chunk.usage
        if chunk.error is not None:
            self.error = error_code(chunk.error, "code", "type")
        if chunk.service_tier is not None and (tier := name(chunk.service_tier)):
            self.parameters["openai.response.service_tier"] = tier
        if chunk.system_fingerprint is not None and (fingerprint := name(chunk.system_fingerprint)):
            self.parameters["openai.response.system_fingerprint"] = fingerprint
        carries = False
        for choice in chunk.choices or ():
            if (message := self.message(choice.index)) is not None:
                carries |= self._hear(message, choice)
        return carries

    def _hear(self, message: Message, choice: _Choice) -> bool:
        carries = False
        said = choice.delta or choice.message
        if said is not None:
            if said.content:
                carries = True
                if self.keeps_text:
                    self.say(message, text(said.content))
            if said.tool_calls or said.function_call is not None:
                carries = True
                self._call(message, said)
            if said.reasoning_content or said.reasoning:
                carries = True
                self.think(message, text(said.reasoning_content or said.reasoning))
            if said.refusal:
                carries = True
                self.refuse(message, text(said.refusal))
            carries = carries or bool(said.audio)
        if choice.text:
            carries = True
            self.say(message, text(choice.text))
        if choice.finish_reason is not None:
            message.finish_reason = name(choice.finish_reason) or message.finish_reason
        return carries

    def _call(self, message: Message, said: _Said) -> None:
        for piece in said.tool_calls or ():
            named = piece.function or piece.custom or _Named()
            call_id = name(piece.id)
            call = self._call_at(message, piece.index, call_id)
            call.call_id = call.call_id or call_id
            self._add(call, named)
        if said.function_call is not None:
            legacy = next((call for call in message.calls if call.place == _LEGACY), None)
            self._add(legacy or self.begin_call(message, _LEGACY), said.function_call)

    def _call_at(self, message: Message, index: Any, call_id: str) -> Call:
        """The call that a piece belongs to. Some servers leave ``index`` out or repeat it: a new id is a new call."""
        calls = message.calls
        if type(index) is int:
            call = next((call for call in reversed(calls) if call.place == index), None)
        else:
            call = calls[-1] if calls else None
        if call is None or (call_id and call.call_id and call_id != call.call_id):
            return self.begin_call(message, index if type(index) is int and index >= 0 else len(calls))
        return call

    def _add(self, call: Call, named: _Named) -> None:
        # Clients join pieces of a name; some servers send the whole name again with each piece.
        if (piece := name(named.name)) and piece != call.tool:
            call.tool = name(call.tool + piece)
        if arguments := named.arguments or named.input:
            self.argue(call, json_text(arguments))

    def is_whole(self) -> bool:
        messages = self.messages.values()
        return self.is_done or (bool(messages) and not self.error and all(message.finish_reason for message in messages))

    def is_whole_call(self, message: Message, call: Call) -> bool:
        if call.is_whole:
            return True
        if self.is_finished(message):
            return message.finish_reason not in _CUT or call.has_whole_arguments()
        return call is not message.calls[-1] and call.has_whole_arguments()

    def usage(self) -> Usage:
        usage = self._usage
        return Usage(
            input=count(within(usage, "prompt_tokens")),
            output=count(within(usage, "completion_tokens")),
            cache_read=count(within(within(usage, "prompt_tokens_details"), "cached_tokens")),
            reasoning=count(within(within(usage, "completion_tokens_details"), "reasoning_tokens")),
        )
