"""The models that are there: a fixed list, the same at every start."""

import hashlib

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.serving import Refused

_MODIFIED = "2025-01-01T00:00:00Z"
_SIZE = 4_000_000_000


def list_models(names: tuple[str, ...]) -> JsonObject:
    """The body of ``/api/tags``."""
    return {"models": [_model(name) for name in names]}


def check_exists(names: tuple[str, ...], name: str) -> None:
    """Raises ``Refused`` 404 if a model is not in the list, with or without its tag."""
    if name not in names and f"{name}:latest" not in names:
        raise Refused(404, f"model '{name}' not found")


def _model(name: str) -> JsonObject:
    return {
        "name": name,
        "model": name,
        "modified_at": _MODIFIED,
        "size": _SIZE,
        "digest": hashlib.sha256(name.encode()).hexdigest(),
        "details": {
            "parent_model": "",
            "format": "gguf",
            "family": "mock",
            "families": ["mock"],
            "parameter_size": "8B",
            "quantization_level": "Q4_K_M",
        },
    }
