"""``models``: a fixed list, the same at every start."""

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.serving import Refused

INPUT_TOKENS_MAX = 1_048_576
_OUTPUT_TOKENS_MAX = 65_536
_EMBEDDED_TOKENS_MAX = 2_048
_PREFIX = "models/"


def list_models(names: tuple[str, ...]) -> JsonObject:
    """Every model, on one page."""
    return {"models": [_model(name) for name in names]}


def get_model(names: tuple[str, ...], name: str) -> JsonObject:
    """One model; raises ``Refused`` 404 if it is not in the list."""
    check_exists(names, name, "GetModel")
    return _model(name)


def check_exists(names: tuple[str, ...], name: str, verb: str) -> None:
    """Raises ``Refused`` 404 if a model is not in the list."""
    if name not in names:
        message = f"{_PREFIX}{name} is not found, or is not supported for {verb}. Call ListModels to see the available models."
        raise Refused(404, message)


def _model(name: str) -> JsonObject:
    embeds = "embedding" in name
    methods = ["embedContent", "batchEmbedContents"] if embeds else ["generateContent", "countTokens"]
    return {
        "name": _PREFIX + name,
        "version": "001",
        "displayName": name.replace("-", " ").title(),
        "description": "Stands in for the model of this name.",
        "inputTokenLimit": _EMBEDDED_TOKENS_MAX if embeds else INPUT_TOKENS_MAX,
        "outputTokenLimit": 1 if embeds else _OUTPUT_TOKENS_MAX,
        "supportedGenerationMethods": methods,
        "temperature": 1,
        "maxTemperature": 2,
        "topP": 0.95,
        "topK": 64,
        "thinking": not embeds,
    }
