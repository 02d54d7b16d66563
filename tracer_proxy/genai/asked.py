"""What a request to a model says: the call it makes, and what it repeats of earlier answers."""

from typing import Any

from msgspec import Struct

Parameter = str | int | float | bool | list[str]


class Echo(Struct, frozen=True, array_like=True):
    """A tool's result that a request hands back, or a call that its history holds."""

    call_id: str
    """Empty where the protocol has none and the agent made up none."""
    tool: str
    """The tool's name, where the request says it; else empty."""
    anchor: bytes
    """16 bytes: a digest of the call's name and arguments, of the whole assistant message that holds it and of everything
    said before. Empty where the request does not hold that message (Responses with ``previous_response_id``)."""
    failed: bool = False
    """The agent says that the tool failed (Anthropic's ``is_error``)."""
    result: str = ""
    """Only when content is captured."""


class Asked(Struct, frozen=True, array_like=True):
    """One call of a model. What the request does not say is empty, ``None`` or left out of ``parameters``."""

    api: str
    """``chat_completions``, ``completions``, ``responses``, ``embeddings``, ``messages``, ``generate_content``,
    ``embed_content``."""
    operation: str
    """``gen_ai.operation.name``."""
    model: str
    stream: bool
    parameters: dict[str, Parameter]
    """By the name of the attribute in profile v1.41, such as ``gen_ai.request.temperature``."""
    conversation_id: str
    """A real one only: Responses ``conversation``."""
    session_id: str
    """What the body calls the session: ``metadata.session_id``, Claude Code's ``metadata.user_id``, ``litellm_session_id``."""
    previous_response_id: str
    results: tuple[Echo, ...]
    """Results of tools in the tail. Empty: a turn of its own begins with this request."""
    history: tuple[Echo, ...]
    """The newest calls whose results stand before the tail, newest first; a few only. They tell which session this is."""
    prefix: bytes
    """16 bytes: a digest of all that was said up to the answer that will come; empty without tools."""
    content: dict[str, Any] | None = None
    """Only when content is captured: ``messages``, ``system``, ``tools`` in the shape of the conventions' JSON schemas."""
