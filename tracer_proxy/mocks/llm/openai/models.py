"""``/v1/models``: a fixed list, the same at every start."""

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.openai.errors import ApiError

_CREATED_S = 1_735_689_600
"""2025-01-01T00:00:00Z."""


def list_models(names: tuple[str, ...]) -> JsonObject:
    """The list object of all models."""
    return {"object": "list", "data": [_model(name) for name in names]}


def get_model(names: tuple[str, ...], name: str) -> JsonObject:
    """One model; raises ``ApiError`` 404 if it is not in the list."""
    if name not in names:
        message = f"The model '{name}' does not exist here; GET /v1/models lists those that do."
        raise ApiError(404, message, param="model", code="model_not_found")
    return _model(name)


def _model(name: str) -> JsonObject:
    return {"id": name, "object": "model", "created": _CREATED_S, "owned_by": "tracer-proxy"}
