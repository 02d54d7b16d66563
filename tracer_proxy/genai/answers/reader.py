"""Reads an answer beside the traffic, as its bytes come."""

from typing import Literal

from tracer_proxy import limits
from tracer_proxy.genai.answered import Answered
from tracer_proxy.genai.answers.answer import Answer
from tracer_proxy.genai.answers.chat import ChatAnswer
from tracer_proxy.genai.answers.embeddings import EmbeddingsAnswer
from tracer_proxy.genai.answers.gemini import GeminiAnswer
from tracer_proxy.genai.answers.messages import MessagesAnswer
from tracer_proxy.genai.answers.responses import ResponsesAnswer
from tracer_proxy.genai.decoding import BrokenEncoding, ContentDecoder, TooMuch, UnknownEncoding
from tracer_proxy.genai.json_array import ArraySplitter
from tracer_proxy.genai.sse import EventSplitter

GaveUp = Literal["", "too_large", "encoding", "unreadable"]

_ANSWERS: dict[str, type[Answer]] = {
    "chat_completions": ChatAnswer,
    "completions": ChatAnswer,
    "responses": ResponsesAnswer,
    "embeddings": EmbeddingsAnswer,
    "messages": MessagesAnswer,
    "generate_content": GeminiAnswer,
    "embed_content": GeminiAnswer,
}


class AnswerReader:
    """Never raises: it gives up quietly beyond its bounds.

    ``asked_api`` is ``Asked.api`` and ``prefix`` is ``Asked.prefix``: without a prefix no call gets an anchor. With
    ``content_chars`` above 0 content is captured, each text cut to so many characters. An answer with an error's ``status``
    that is no JSON is no reason to give up: gateways send pages of HTML.
    """

    def __init__(
        self,
        asked_api: str,
        *,
        status: int,
        content_type: bytes,
        content_encoding: bytes,
        prefix: bytes,
        content_chars: int = 0,
    ) -> None:
        self.gave_up: GaveUp = ""
        """Why an answer, or some part of it, was not read. ``finish`` still tells what came before."""
        self._status = status
        self._answer = _ANSWERS[asked_api](prefix=prefix, content_chars=content_chars)
        self._decoder: ContentDecoder | None = None
        self._events: EventSplitter | ArraySplitter | None = None
        self._body: list[bytes] = []
        self._body_bytes = 0
        self._is_over = False
        self._chunks = 0
        self._first_chunk_at: float | None = None
        self._last_chunk_at = 0.0
        self._gaps: list[float] = []
        kind = content_type.partition(b";")[0].strip().lower()
        if kind == b"text/event-stream":
            self._events = EventSplitter()
        elif b"json" not in kind and kind not in (b"", b"text/plain"):
            self._give_up("unreadable")
        if content_encoding and not self._is_over:
            try:
                self._decoder = ContentDecoder(content_encoding)
            except UnknownEncoding:
                self._give_up("encoding")

    @property
    def is_stream(self) -> bool:
        return self._events is not None

    @property
    def is_whole(self) -> bool:
        """A stream has come to its end by its own protocol; its usage may still come, and its connection may go on."""
        return self._answer.is_whole()

    def feed(self, data: bytes, now: float) -> None:
        """``data`` are bytes of the body, cut anywhere; ``now`` is when they came, in seconds."""
        if self._is_over:
            return
        if self._decoder is not None:
            data = self._decoded(self._decoder, data)
        if self._events is not None:
            self._read_events(self._events.feed(data), now)
        elif data:
            self._collect(data, now)

    def finish(self) -> Answered | None:
        """What the answer has said; ``None`` where nothing could be read.

        It may be called in the midst of a stream, and again later. Of an answer that is no stream it can be called once.
        """
        answer = self._answer
        if self._body and not self._is_over:
            if not answer.body(b"".join(self._body)):
                self._give_up("unreadable")
            self._body.clear()
            self._is_over = True
        if answer.is_empty:
            return None
        return answer.answered(self._chunks, self._first_chunk_at, self._gaps)

    def _decoded(self, decoder: ContentDecoder, data: bytes) -> bytes:
        try:
            return decoder.feed(data)
        except TooMuch:
            self._give_up("too_large")
        except BrokenEncoding:
            self._give_up("encoding")
        return b""

    def _read_events(self, payloads: list[bytes | None], now: float) -> None:
        answer = self._answer
        for payload in payloads:
            if payload is None:
                self._pass_over("too_large")
                continue
            if payload.startswith(b"[DONE]"):
                answer.end()
                self._is_over = True
                return
            carries = answer.event(payload)
            if carries:
                self._count(now)
            elif carries is None:
                self._pass_over("unreadable")

    def _count(self, now: float) -> None:
        self._chunks += 1
        if self._first_chunk_at is None:
            self._first_chunk_at = now
        elif len(self._gaps) < limits.ANSWER_GAPS_MAX:
            self._gaps.append(now - self._last_chunk_at)
        self._last_chunk_at = now

    def _collect(self, data: bytes, now: float) -> None:
        if not self._body:
            data = data.lstrip(b" \t\r\n")
            if not data:
                return
            if data[0] == 0x5B and isinstance(self._answer, GeminiAnswer):
                self._events = ArraySplitter()
                self._read_events(self._events.feed(data), now)
                return
        self._body.append(data)
        self._body_bytes += len(data)
        if self._body_bytes > limits.ANSWER_READ_BYTES_MAX:
            self._give_up("too_large")

    def _pass_over(self, why: GaveUp) -> None:
        """One event of a stream; later ones are still read."""
        self.gave_up = self.gave_up or why
        self._answer.lose()

    def _give_up(self, why: GaveUp) -> None:
        if why != "unreadable" or self._status < 400:
            self.gave_up = self.gave_up or why
        self._is_over = True
        self._body.clear()
        self._answer.lose()
