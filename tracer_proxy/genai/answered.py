"""What an answer of a model says, whole or as a stream."""

from typing import Any

from msgspec import Struct


class ToolCall(Struct, frozen=True, array_like=True):
    """A call that the answer hands out, complete."""

    call_id: str
    tool: str
    anchor: bytes
    """As ``Echo.anchor``, so that the two can be compared; empty when the request had no ``prefix``."""
    arguments_digest: bytes
    """16 bytes, of the arguments as canonical JSON alone: what an MCP ``tools/call`` is found by."""
    arguments: str = ""
    """Only when content is captured."""


class Usage(Struct, frozen=True, array_like=True):
    """Tokens, by the conventions' rules: ``input`` includes what came from a cache, ``output`` includes reasoning."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_creation: int | None = None
    reasoning: int | None = None


class Answered(Struct, frozen=True, array_like=True):
    id: str
    model: str
    finish_reasons: tuple[str, ...]
    """One per choice, as the provider spells them but for Anthropic's and Responses', which the conventions map."""
    usage: Usage
    calls: tuple[ToolCall, ...]
    """Only whole ones: a stream that broke off hands out no half call."""
    conversation_id: str
    error: str
    """The provider's code of an error, in the body or in the midst of a stream; else empty."""
    is_whole: bool
    """The answer came to its end by its own protocol."""
    parameters: dict[str, str]
    """``openai.response.service_tier`` and the like, by the name of the attribute."""
    chunks: int
    """Of a stream: events that carry something of the answer."""
    first_chunk_at: float | None
    """When the first of them came, as the caller's clock has it."""
    gaps: tuple[float, ...]
    """Seconds from the end of each chunk to the end of the next, the first thousands of a long stream."""
    content: list[dict[str, Any]] | None = None
    """Only when content is captured: messages in the shape of ``gen_ai.output.messages``."""
