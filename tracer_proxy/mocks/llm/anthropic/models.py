"""``/v1/models``: a fixed list, the same at every start."""

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.serving import Refused

_CREATED = "2025-01-01T00:00:00Z"
_LINES = ("haiku", "sonnet", "opus", "fable", "mythos")
INPUT_TOKENS_MAX = 200_000
_OUTPUT_TOKENS_MAX = 64_000
_YES = {"supported": True}
_NO = {"supported": False}
_CAPABILITIES = {
    "batch": _NO,
    "citations": _NO,
    "code_execution": _NO,
    "context_management": {
        "supported": False,
        "clear_thinking_20251015": _NO,
        "clear_tool_uses_20250919": _NO,
        "compact_20260112": _NO,
    },
    "effort": {"supported": True, "low": _YES, "medium": _YES, "high": _YES, "xhigh": _YES, "max": _YES},
    "image_input": _YES,
    "pdf_input": _YES,
    "server_tools": {"supported": False, "code_execution": _NO, "web_search": _NO},
    "structured_outputs": _YES,
    "thinking": {
        "supported": True,
        "types": {"adaptive": _YES, "between_tools": _YES, "disabled": _YES, "enabled": _YES},
    },
}
"""What the mock can do; the provider's models can do more."""


def list_models(names: tuple[str, ...]) -> JsonObject:
    """Every model, on one page."""
    return {
        "data": [_model(name) for name in names],
        "has_more": False,
        "first_id": names[0] if names else None,
        "last_id": names[-1] if names else None,
    }


def get_model(names: tuple[str, ...], name: str) -> JsonObject:
    """One model; raises ``Refused`` 404 if it is not in the list."""
    check_exists(names, name)
    return _model(name)


def check_exists(names: tuple[str, ...], name: str) -> None:
    """Raises ``Refused`` 404 if a model is not in the list."""
    if name not in names:
        raise Refused(404, f"model: {name}")


def _model(name: str) -> JsonObject:
    return {
        "type": "model",
        "id": name,
        "display_name": name.replace("-", " ").title(),
        "created_at": _CREATED,
        "lifecycle": "active",
        "line": next((line for line in _LINES if line in name), None),
        "max_input_tokens": INPUT_TOKENS_MAX,
        "max_tokens": _OUTPUT_TOKENS_MAX,
        "capabilities": _CAPABILITIES,
        "deprecated_at": None,
        "retires_at": None,
    }
