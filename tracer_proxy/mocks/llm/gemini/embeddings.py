"""``embedContent`` and ``batchEmbedContents``: texts in, vectors out."""

from dataclasses import dataclass
from typing import Any

from tracer_proxy import limits
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import embedding
from tracer_proxy.mocks.llm.gemini import contents
from tracer_proxy.mocks.llm.gemini.fields import Fields
from tracer_proxy.mocks.llm.serving import Refused

_DIMENSIONS = 3072
_KNOWN = frozenset({"model", "content", "taskType", "title", "outputDimensionality", "embedContentConfig"})


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """One text to embed."""

    text: str
    dimensions: int
    tokens: int

    def as_json(self) -> JsonObject:
        """Its vector."""
        return {"values": embedding.vector(self.text, self.dimensions)}


def read_embed_request(body: Any) -> EmbedRequest:
    """Read the body of ``embedContent``."""
    return _read(Fields(body))


def read_batch(body: Any) -> list[EmbedRequest]:
    """Read the body of ``batchEmbedContents``."""
    requests = Fields(body).objects("requests")
    if not requests:
        raise Refused(400, "* BatchEmbedContentsRequest.requests: requests is not specified")
    if len(requests) > limits.MOCK_EMBED_BATCH_MAX:
        raise Refused(
            400, f"* BatchEmbedContentsRequest.requests: at most {limits.MOCK_EMBED_BATCH_MAX} requests can be in one batch"
        )
    return [_read(fields) for fields in requests]


def _read(fields: Fields) -> EmbedRequest:
    fields.refuse_unknown(_KNOWN)
    config = fields.object("embedContentConfig") or fields
    content = contents.read_content(fields.needed_object("content"))
    dimensions = config.integer("outputDimensionality", 1, _DIMENSIONS) or _DIMENSIONS
    return EmbedRequest(contents.text_of(content), dimensions, contents.said_tokens([content]))
