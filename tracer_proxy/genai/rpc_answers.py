"""Answers of MCP and A2A, in one piece or as a stream of events."""

from typing import Final

import msgspec
from msgspec import Raw, Struct

from tracer_proxy.genai.decoding import BrokenEncoding, ContentDecoder, TooMuch, UnknownEncoding
from tracer_proxy.genai.loose_json import ABSENT, is_given, loosely, one_or_batch, scalar, text
from tracer_proxy.genai.rpc import RpcAnswered
from tracer_proxy.genai.sse import EventSplitter
from tracer_proxy.limits import (
    RPC_ANSWER_BYTES_MAX,
    RPC_BATCH_BYTES_MAX,
    RPC_MESSAGE_CHARS_MAX,
    RPC_TEXT_CHARS_MAX,
)

_CHARS: Final = RPC_TEXT_CHARS_MAX
_NO_CODE: Final = "_OTHER"
"""What the conventions call an error that has no name."""


class _Answer(Struct):
    method: Raw = ABSENT
    result: Raw = ABSENT
    error: Raw = ABSENT


class _Error(Struct):
    code: Raw = ABSENT
    message: Raw = ABSENT


class _McpResult(Struct, rename="camel"):
    is_error: Raw = ABSENT
    content: Raw = ABSENT
    structured_content: Raw = ABSENT
    protocol_version: Raw = ABSENT


class _McpContent(Struct):
    type: Raw = ABSENT
    text: Raw = ABSENT


class _A2aStatus(Struct):
    state: Raw = ABSENT


class _A2aResult(Struct, rename="camel"):
    # One of these around the rest from version 1.0 on, for methods that can answer with several kinds of things.
    task: Raw = ABSENT
    message: Raw = ABSENT
    status_update: Raw = ABSENT
    artifact_update: Raw = ABSENT

    id: Raw = ABSENT
    task_id: Raw = ABSENT
    context_id: Raw = ABSENT
    status: Raw = ABSENT


_batch = msgspec.json.Decoder(list[_Answer]).decode
_answer = msgspec.json.Decoder(_Answer).decode
_error = msgspec.json.Decoder(_Error).decode
_mcp_result = msgspec.json.Decoder(_McpResult).decode
_mcp_content = msgspec.json.Decoder(list[_McpContent]).decode
_a2a_result = msgspec.json.Decoder(_A2aResult).decode
_a2a_status = msgspec.json.Decoder(_A2aStatus).decode


class RpcAnswerReader:
    """Reads an answer beside the traffic. Never raises; gives up quietly beyond its bounds.

    ``mcp_session`` is the answer's ``Mcp-Session-Id``. Of several answers in a stream or a batch the last one counts; what the
    server asks the client in between is passed over. Of an A2A stream, the newest of each thing that its events say counts.
    Up to ``content_chars`` characters of a tool's result are kept.
    """

    def __init__(
        self,
        protocol: str,
        *,
        status: int,
        content_type: bytes,
        content_encoding: bytes,
        mcp_session: bytes = b"",
        content_chars: int = 0,
    ) -> None:
        self.gave_up = ""
        """Empty, or why: ``too_large``, ``encoding``, ``unreadable``."""
        self._protocol = protocol
        self._session_id = mcp_session.decode() if mcp_session.isascii() and len(mcp_session) <= _CHARS else ""
        self._content_chars = content_chars
        self._is_stream = content_type.strip().lower().startswith(b"text/event-stream")
        self._events = EventSplitter()
        self._body: list[bytes] = []
        self._bytes = 0
        self._found = False
        self._error: _Error | None = None
        self._mcp = _McpResult()
        self._task_id = self._task_state = self._context_id = ""
        if status == 204 or (content_type and not self._is_stream and b"json" not in content_type.lower()):
            self.gave_up = "unreadable"
        try:
            self._decoder = ContentDecoder(content_encoding)
        except UnknownEncoding:
            self.gave_up = "encoding"

    def feed(self, data: bytes, now: float) -> None:
        """``data`` are bytes of the body as they come, cut anywhere; ``now`` is not looked at."""
        if self.gave_up:
            return
        try:
            data = self._decoder.feed(data)
        except (BrokenEncoding, TooMuch) as error:
            self.gave_up = "too_large" if isinstance(error, TooMuch) else "encoding"
            self._body.clear()
            return
        if self._is_stream:
            for event in self._events.feed(data):
                answer = loosely(_answer, event, None) if event else None
                if answer is not None:
                    self._read(answer)
        elif self._bytes + len(data) > RPC_ANSWER_BYTES_MAX:
            self.gave_up = "too_large"
            self._body.clear()
        else:
            self._bytes += len(data)
            self._body.append(data)

    def finish(self) -> RpcAnswered | None:
        """``None`` when nothing was said: no answer of JSON-RPC and no session either."""
        if self._body:
            body = b"".join(self._body)
            self._body.clear()
            for answer in one_or_batch(_batch, _answer, body, RPC_BATCH_BYTES_MAX):
                self._read(answer)
        if not self._found and not self._session_id:
            return None
        error = self._error
        return RpcAnswered(
            error_code=(scalar(error.code, _CHARS) or _NO_CODE) if error else "",
            error_message=_cut(error.message, RPC_MESSAGE_CHARS_MAX) if error else "",
            tool_failed=bytes(self._mcp.is_error) == b"true",
            task_id=self._task_id,
            task_state=self._task_state,
            context_id=self._context_id,
            protocol_version=text(self._mcp.protocol_version, _CHARS),
            session_id=self._session_id,
            content=_tool_result(self._mcp, self._content_chars) if self._content_chars else None,
        )

    def _read(self, answer: _Answer) -> None:
        if is_given(answer.method):
            return
        # An error that is no object is somebody else's, such as OAuth's {"error": "invalid_token"} of a 401.
        error = loosely(_error, answer.error, None)
        if error is None and not is_given(answer.result):
            return
        self._found = True
        self._error = error
        if self._protocol == "mcp":
            self._mcp = loosely(_mcp_result, answer.result, _McpResult())
        else:
            self._read_a2a(answer.result)

    def _read_a2a(self, result: Raw) -> None:
        found = loosely(_a2a_result, result, _A2aResult())
        for inner in (found.task, found.message, found.status_update, found.artifact_update):
            if is_given(inner):
                found = loosely(_a2a_result, inner, _A2aResult())
                break
        # Only a task has both: the "id" of other things is not a task's.
        own_id = text(found.id, _CHARS) if is_given(found.status) else ""
        state = text(loosely(_a2a_status, found.status, _A2aStatus()).state, _CHARS)
        self._task_id = text(found.task_id, _CHARS) or own_id or self._task_id
        self._task_state = state or self._task_state
        self._context_id = text(found.context_id, _CHARS) or self._context_id


def _cut(value: Raw, chars: int) -> str:
    return text(value, RPC_ANSWER_BYTES_MAX)[:chars]


def _tool_result(result: _McpResult, chars: int) -> str | None:
    """The texts of the result; its structured content, as JSON, where there are none."""
    parts = loosely(_mcp_content, result.content, [])
    texts = [_cut(part.text, chars) for part in parts if text(part.type, _CHARS) == "text"]
    if texts:
        return "\n".join(texts)[:chars]
    return bytes(result.structured_content).decode(errors="replace")[:chars] if is_given(result.structured_content) else None
