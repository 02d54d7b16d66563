"""Which of the providers' endpoints a path names: its end says it, whatever stands before."""

from typing import Final, NamedTuple
from urllib.parse import unquote

OPERATIONS: Final = {
    "chat_completions": "chat",
    "completions": "text_completion",
    "responses": "chat",
    "embeddings": "embeddings",
    "messages": "chat",
    "generate_content": "generate_content",
    "embed_content": "embeddings",
}
"""``gen_ai.operation.name`` by ``Asked.api``."""

_OPENAI: Final = (
    (b"/chat/completions", "chat_completions"),
    (b"/completions", "completions"),
    (b"/responses", "responses"),
    (b"/embeddings", "embeddings"),
)
_GEMINI_VERBS: Final = {
    b"generateContent": ("generate_content", False),
    b"streamGenerateContent": ("generate_content", True),
    b"embedContent": ("embed_content", False),
    b"batchEmbedContents": ("embed_content", False),
}
_VERTEX_ANTHROPIC_VERBS: Final = {b"rawPredict": False, b"streamRawPredict": True}


class Endpoint(NamedTuple):
    api: str
    """As ``Asked.api``."""
    model: str = ""
    """Where the path names it."""
    stream: bool = False
    """The path asks for a stream."""


def operation_of(api: str, path: bytes) -> tuple[str, str] | None:
    """(``Asked.api``, ``gen_ai.operation.name``) of a path without its query; ``None`` where no model is asked."""
    endpoint = endpoint_of(api, path)
    return None if endpoint is None else (endpoint.api, OPERATIONS[endpoint.api])


def endpoint_of(api: str, path: bytes) -> Endpoint | None:
    path = b"/" + path.strip(b"/")
    match api:
        case "openai":
            return _openai(path)
        case "anthropic":
            return _anthropic(path)
        case "gemini":
            return _gemini(path)
    return None


def _openai(path: bytes) -> Endpoint | None:
    for end, kind in _OPENAI:
        if path.endswith(end):
            return Endpoint(kind, _deployment(path))
    return None


def _deployment(path: bytes) -> str:
    """Azure's ``/openai/deployments/NAME/chat/completions``: a body need not repeat the model there."""
    _, found, rest = path.partition(b"/openai/deployments/")
    return _name(rest.partition(b"/")[0]) if found else ""


def _anthropic(path: bytes) -> Endpoint | None:
    if path.endswith(b"/messages"):
        return Endpoint("messages")
    # Vertex: /projects/P/locations/L/publishers/anthropic/models/M:rawPredict
    model, verb = _model_and_verb(path)
    if verb in _VERTEX_ANTHROPIC_VERBS and model not in ("", "count-tokens"):
        return Endpoint("messages", model, _VERTEX_ANTHROPIC_VERBS[verb])
    return None


def _gemini(path: bytes) -> Endpoint | None:
    model, verb = _model_and_verb(path)
    if verb not in _GEMINI_VERBS or not model:
        return None
    kind, is_stream = _GEMINI_VERBS[verb]
    return Endpoint(kind, model, is_stream)


def _model_and_verb(path: bytes) -> tuple[str, bytes]:
    model, _, verb = path.rpartition(b"/")[2].rpartition(b":")
    return _name(model), verb


def _name(segment: bytes) -> str:
    return unquote(segment.decode("latin-1"), errors="replace")
