"""The models: a fixed list, the same at every start, and how much each can read at once."""

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.openai.errors import ApiError

_CREATED_S = 1_735_689_600
"""2025-01-01T00:00:00Z."""
_WINDOWS = {
    "gpt-4.1": 1_047_576,
    "gpt-4o": 128_000,
    "gpt-4-turbo": 128_000,
    "gpt-4": 8_192,
    "gpt-5": 400_000,
    "gpt-3.5-turbo-instruct": 4_096,
    "gpt-3.5": 16_385,
    "chatgpt-4o": 128_000,
    "o1": 200_000,
    "o3": 200_000,
    "o4": 200_000,
    "text-embedding": 8_192,
    "omni-moderation": 32_768,
    "text-moderation": 32_768,
}
"""Tokens by how a model's name begins; the first that fits."""
_WINDOW = 1_047_576
"""Of a model whose name says nothing: the largest there is."""


def list_models(names: tuple[str, ...]) -> JsonObject:
    """The list object of all models."""
    return {"object": "list", "data": [_model(name) for name in names]}


def get_model(names: tuple[str, ...], name: str) -> JsonObject:
    """One model; raises ``ApiError`` 404 if it is not in the list."""
    check_exists(names, name)
    return _model(name)


def check_exists(names: tuple[str, ...], name: str) -> None:
    """Raises ``ApiError`` 404 if a model is not in the list."""
    if name not in names:
        message = f"The model '{name}' does not exist here; GET /v1/models lists those that do."
        raise ApiError(404, message, param="model", code="model_not_found")


def window(name: str) -> int:
    """How many tokens a model can read at once."""
    return next((tokens for start, tokens in _WINDOWS.items() if name.startswith(start)), _WINDOW)


def check_fits(name: str, tokens: int, param: str) -> None:
    """Raises ``ApiError`` 400 if a prompt is more than the model can read."""
    if tokens > window(name):
        longest = f"The maximum context length of '{name}' is {window(name)} tokens"
        message = f"{longest}, but '{param}' has about {tokens}. Shorten '{param}'."
        raise ApiError(400, message, param=param, code="context_length_exceeded")


def _model(name: str) -> JsonObject:
    return {"id": name, "object": "model", "created": _CREATED_S, "owned_by": "tracer-proxy"}
