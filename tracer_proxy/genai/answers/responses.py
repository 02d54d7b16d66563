"""OpenAI Responses. Its stream repeats each item whole when it is done, so its many deltas need not be put together."""

from io import StringIO
from typing import Any

import msgspec
from msgspec import Struct

from tracer_proxy.genai.answered import Usage
from tracer_proxy.genai.answers.answer import Answer, Message
from tracer_proxy.genai.answers.lenient import count, decode, error_code, json_text, name, text, text_of_parts, within


class _Item(Struct, gc=False):
    type: Any = None
    status: Any = None
    content: Any = None
    summary: Any = None
    call_id: Any = None
    name: Any = None
    arguments: Any = None
    input: Any = None


class _Response(Struct, gc=False):
    id: Any = None
    model: Any = None
    status: Any = None
    error: Any = None
    incomplete_details: Any = None
    conversation: Any = None
    service_tier: Any = None
    usage: Any = None
    output: list[_Item] | None = None


class _Event(Struct, gc=False):
    type: Any = None
    delta: Any = None
    response: _Response | None = None
    item: _Item | None = None
    output_index: Any = None
    code: Any = None
    error: Any = None


_event = msgspec.json.Decoder(_Event)
_response = msgspec.json.Decoder(_Response)

_TERMINAL = frozenset({"response.completed", "response.failed", "response.incomplete"})
_ENDED = frozenset({"completed", "failed", "incomplete", "cancelled"})
_WHOLE = frozenset({"", "completed"})
_ANCHORED = frozenset({"function_call", "custom_tool_call"})
"""Calls of tools that the request names. Those of built-in tools have ids that say enough."""
_REASONS = {"max_output_tokens": "length", "content_filter": "content_filter"}


class ResponsesAnswer(Answer):
    """The finish reason is made of the status, in chat's words: ``tool_calls`` or ``stop`` for ``completed``, ``length`` or
    ``content_filter`` for ``incomplete``, ``error`` for ``failed``."""

    _usage: Any = None
    _has_items = False

    def __init__(self, *, prefix: bytes, content_chars: int) -> None:
        super().__init__(prefix=prefix, content_chars=content_chars)
        self._partial = StringIO()
        """Text of the item that is under way, only for captured content of a stream that breaks off."""

    def event(self, payload: bytes) -> bool | None:
        event = decode(_event, payload)
        if event is None:
            return None
        self.is_empty = False
        kind = name(event.type)
        if event.delta is not None:
            if self.captures and kind == "response.output_text.delta":
                self._partial.write(text(event.delta))
            return True
        if kind == "response.output_item.done":
            self._has_items = True
            self._partial = StringIO()
            if event.item is not None:
                self._hear(event.item, event.output_index)
        elif event.response is not None:
            self._take(event.response)
            self.is_done = kind in _TERMINAL
        elif kind == "error":
            self.error = error_code(event.error, "code", "type") if event.error else name(event.code) or "error"
        return False

    def body(self, payload: bytes) -> bool:
        response = decode(_response, payload)
        if response is None:
            return False
        self._take(response)
        self.is_done = True
        return True

    def _take(self, response: _Response) -> None:
        self.identify(response.id, response.model)
        if response.usage is not None:
            self._usage = response.usage
        if response.error is not None:
            self.error = error_code(response.error, "code", "type")
        if tier := name(response.service_tier):
            self.parameters["openai.response.service_tier"] = tier
        conversation = response.conversation
        self.conversation_id = name(conversation) or name(within(conversation, "id")) or self.conversation_id
        if not self._has_items:
            for place, item in enumerate(response.output or ()):
                self._hear(item, place)
        if name(response.status) in _ENDED and (message := self.message()) is not None:
            message.finish_reason = self._finish_reason(message, response)

    def _finish_reason(self, message: Message, response: _Response) -> str:
        if response.status == "completed":
            return "tool_calls" if message.calls else "stop"
        if response.status == "incomplete":
            reason = name(within(response.incomplete_details, "reason"))
            return _REASONS.get(reason, reason) or "incomplete"
        return "error" if response.status == "failed" else name(response.status)

    def _hear(self, item: _Item, place: Any) -> None:
        message = self.message()
        if message is None:
            return
        kind = name(item.type)
        if kind == "message":
            self.say(message, text(item.content))
            self.refuse(message, text_of_parts(item.content, "refusal", ("refusal",)))
        elif kind == "reasoning":
            self.think(message, text_of_parts(item.summary, "text", ("summary_text",)))
        # Calls without a call id are run by the provider itself.
        elif kind.endswith("_call") and (call_id := name(item.call_id)) and name(item.status) in _WHOLE:
            call = self.begin_call(message, place if type(place) is int else len(message.calls))
            call.call_id = call_id
            call.tool = name(item.name) or kind.removesuffix("_call")
            call.is_whole = True
            call.is_anchored = kind in _ANCHORED
            self.argue(call, json_text(item.arguments if item.arguments is not None else item.input))

    def partial_text(self) -> str:
        return self._partial.getvalue()

    def usage(self) -> Usage:
        usage = self._usage
        details = within(usage, "input_tokens_details")
        return Usage(
            input=count(within(usage, "input_tokens")),
            output=count(within(usage, "output_tokens")),
            cache_read=count(within(details, "cached_tokens")),
            cache_creation=count(within(details, "cache_write_tokens")),
            reasoning=count(within(within(usage, "output_tokens_details"), "reasoning_tokens")),
        )
