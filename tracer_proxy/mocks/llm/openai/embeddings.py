"""``/v1/embeddings``: requests read, vectors written as numbers or as base64."""

import base64
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tracer_proxy import limits
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import embedding
from tracer_proxy.mocks.llm.openai.errors import ApiError, wrong_value
from tracer_proxy.mocks.llm.openai.fields import Fields
from tracer_proxy.mocks.llm.openai.inputs import Input, read_inputs

_DIMENSIONS = {"text-embedding-3-large": 3072}
_DIMENSIONS_USUAL = 1536
_FIXED = "text-embedding-ada-002"
_FORMATS = ("float", "base64")
_DIGITS = 8
"""More than single precision holds, and half the length of what double precision would write."""


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """What is to be embedded, and how the vectors are wanted."""

    model: str
    inputs: tuple[Input, ...]
    dimensions: int
    is_base64: bool

    def tokens(self) -> int:
        """Of all texts together."""
        return sum(one.tokens for one in self.inputs)

    def longest_tokens(self) -> int:
        """Of the longest text."""
        return max(one.tokens for one in self.inputs)


def read_embedding_request(body: Any) -> EmbeddingRequest:
    """Read a JSON body; raises ``ApiError`` as the provider would."""
    fields = Fields(body)
    model = fields.text("model")
    inputs = read_inputs(fields, "input")
    _check_inputs(inputs)
    encoding = fields.choice("encoding_format", _FORMATS) if fields.get("encoding_format") is not None else "float"
    return EmbeddingRequest(model, tuple(inputs), _dimensions(fields, model), encoding == "base64")


def vector(request: EmbeddingRequest, place: int) -> JsonObject:
    """One vector, as an item of the answer."""
    values = embedding.vector(request.inputs[place].text, request.dimensions)
    shown = _base64(values) if request.is_base64 else [round(value, _DIGITS) for value in values]
    return {"object": "embedding", "index": place, "embedding": shown}


def as_json(request: EmbeddingRequest, vectors: list[JsonObject]) -> JsonObject:
    """The body of the answer."""
    used = request.tokens()
    return {
        "object": "list",
        "data": vectors,
        "model": request.model,
        "usage": {"prompt_tokens": used, "total_tokens": used},
    }


def _check_inputs(inputs: list[Input]) -> None:
    if len(inputs) > limits.MOCK_EMBEDDINGS_MAX:
        raise wrong_value("input", f"The field 'input' has to have at most {limits.MOCK_EMBEDDINGS_MAX} items.")
    if any(not one.text for one in inputs):
        raise wrong_value("input", "The field 'input' cannot be, or hold, an empty string.")
    if sum(one.tokens for one in inputs) > limits.MOCK_EMBEDDED_TOKENS_MAX:
        message = f"The texts of 'input' have more than {limits.MOCK_EMBEDDED_TOKENS_MAX} tokens together. Send fewer at once."
        raise ApiError(400, message, param="input", code="max_tokens_per_request")


def _dimensions(fields: Fields, model: str) -> int:
    most = _DIMENSIONS.get(model, _DIMENSIONS_USUAL)
    wanted = fields.integer("dimensions", 1, most)
    if wanted is not None and model == _FIXED:
        raise wrong_value("dimensions", f"The model '{_FIXED}' has no choice of 'dimensions': leave them out.")
    return most if wanted is None else wanted


def _base64(values: Sequence[float]) -> str:
    """Single precision, little-endian."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode("ascii")
