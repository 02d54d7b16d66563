"""Gemini: ``generateContent`` and its stream, whose events have the shape of a whole answer, and ``embedContent``."""

from typing import Any

import msgspec
from msgspec import Struct

from tracer_proxy.genai.answered import Usage
from tracer_proxy.genai.answers.answer import Answer, Message
from tracer_proxy.genai.answers.lenient import count, decode, error_code, json_text, name, text, within


class _FunctionCall(Struct, gc=False):
    id: Any = None
    name: Any = None
    args: msgspec.Raw = msgspec.Raw(b"")


class _Part(Struct, gc=False, rename="camel"):
    text: Any = None
    thought: Any = None
    function_call: _FunctionCall | None = None


class _Content(Struct, gc=False):
    parts: list[_Part] | None = None


class _Candidate(Struct, gc=False, rename="camel"):
    index: Any = None
    content: _Content | None = None
    finish_reason: Any = None


class _Chunk(Struct, gc=False, rename="camel"):
    response_id: Any = None
    model_version: Any = None
    candidates: list[_Candidate] | None = None
    usage_metadata: Any = None
    prompt_feedback: Any = None
    error: Any = None


_chunk = msgspec.json.Decoder(_Chunk)


class GeminiAnswer(Answer):
    """A stream has no end of its own: it is whole when each candidate has a finish reason, or the prompt was blocked."""

    _usage: Any = None

    def event(self, payload: bytes) -> bool | None:
        chunk = decode(_chunk, payload)
        if chunk is None:
            return None
        carries = self._take(chunk)
        is_blocked = bool(within(chunk.prompt_feedback, "blockReason"))
        messages = self.messages.values()
        self.is_done = not self.error and (is_blocked or (bool(messages) and all(m.finish_reason for m in messages)))
        return carries

    def body(self, payload: bytes) -> bool:
        chunk = decode(_chunk, payload)
        if chunk is None:
            return False
        self._take(chunk)
        self.is_done = True
        return True

    def _take(self, chunk: _Chunk) -> bool:
        self.identify(chunk.response_id, chunk.model_version)
        if chunk.usage_metadata is not None:
            self._usage = chunk.usage_metadata
        if chunk.error is not None:
            self.error = error_code(chunk.error, "status", "code")
        carries = False
        for candidate in chunk.candidates or ():
            message = self.message(candidate.index)
            if message is None:
                continue
            for part in (candidate.content and candidate.content.parts) or ():
                carries |= self._hear(message, part)
            if candidate.finish_reason is not None:
                message.finish_reason = name(candidate.finish_reason) or message.finish_reason
        return carries

    def _hear(self, message: Message, part: _Part) -> bool:
        """Calls come whole, each in one part."""
        if part.function_call is not None:
            call = self.begin_call(message, len(message.calls))
            call.call_id = name(part.function_call.id)
            call.tool = name(part.function_call.name)
            call.is_whole = True
            self.argue(call, json_text(part.function_call.args))
            return True
        if part.thought is True:
            self.think(message, text(part.text))
        else:
            self.say(message, text(part.text))
        return bool(part.text)

    def usage(self) -> Usage:
        usage = self._usage
        said, thought = count(within(usage, "candidatesTokenCount")), count(within(usage, "thoughtsTokenCount"))
        return Usage(
            input=count(within(usage, "promptTokenCount")),
            output=None if said is None and thought is None else (said or 0) + (thought or 0),
            cache_read=count(within(usage, "cachedContentTokenCount")),
            reasoning=thought,
        )
