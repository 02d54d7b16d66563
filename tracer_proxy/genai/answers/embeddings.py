"""OpenAI embeddings: the vectors are passed over."""

from typing import Any

import msgspec
from msgspec import Struct

from tracer_proxy.genai.answered import Usage
from tracer_proxy.genai.answers.answer import Answer
from tracer_proxy.genai.answers.lenient import count, decode, error_code, within


class _Embeddings(Struct, gc=False):
    model: Any = None
    usage: Any = None
    error: Any = None


_embeddings = msgspec.json.Decoder(_Embeddings)


class EmbeddingsAnswer(Answer):
    _usage: Any = None

    def event(self, payload: bytes) -> bool | None:
        """There is no such stream."""
        return None

    def body(self, payload: bytes) -> bool:
        answer = decode(_embeddings, payload)
        if answer is None:
            return False
        self.identify(None, answer.model)
        self._usage = answer.usage
        if answer.error is not None:
            self.error = error_code(answer.error, "code", "type")
        self.is_done = True
        return True

    def usage(self) -> Usage:
        return Usage(input=count(within(self._usage, "prompt_tokens")))
