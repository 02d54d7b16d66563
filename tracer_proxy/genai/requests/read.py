"""Picks the reader for an endpoint."""

from collections.abc import Callable
from typing import Final, TypeAlias

from tracer_proxy.genai.asked import Asked
from tracer_proxy.genai.requests import anthropic_messages, gemini, openai_chat, openai_embeddings, openai_responses
from tracer_proxy.genai.requests.endpoint import Endpoint, endpoint_of
from tracer_proxy.genai.requests.json_values import Members, members

_Reader: TypeAlias = Callable[[Endpoint, Members, int], Asked]

_READERS: Final[dict[str, _Reader]] = {
    "chat_completions": openai_chat.read_chat,
    "completions": openai_chat.read_completion,
    "responses": openai_responses.read,
    "embeddings": openai_embeddings.read,
    "messages": anthropic_messages.read,
    "generate_content": gemini.read_generate,
    "embed_content": gemini.read_embed,
}


def read_request(api: str, path: bytes, body: bytes, *, content_chars: int = 0) -> Asked | None:
    """What a request to a model says.

    ``api`` is the route's wire format: ``openai``, ``anthropic`` or ``gemini``; ``path`` is the one that goes to the provider,
    without its query; ``body`` is decompressed. With ``content_chars`` the content comes too, each text cut to so many
    characters. ``None`` when the path asks no model or the body is no JSON object. Never raises.
    """
    endpoint = endpoint_of(api, path)
    if endpoint is None:
        return None
    asked = members(body)
    return None if asked is None else _READERS[endpoint.api](endpoint, asked, content_chars)
