"""What every endpoint of a model does with a request before it answers."""

from aiohttp import web

from tracer_proxy.mocks.llm import serving
from tracer_proxy.mocks.llm.openai import models

PROMPT_TOKENS = web.RequestKey("prompt_tokens", int)
"""How long the prompt was, for the headers; there once a model has been asked."""


async def read_body(request: web.Request) -> object:
    """The JSON value that was sent. On a path that names a deployment that is the model, whatever the body says."""
    body = await serving.read_json(request)
    deployment = request.match_info.get("deployment")
    return {**body, "model": deployment} if deployment and isinstance(body, dict) else body


def ask(request: web.Request, model: str, prompt_tokens: int, param: str) -> None:
    """Note that a model is asked something of this length; raises ``ApiError`` if it is unknown or cannot read as much."""
    settings = request.app[serving.SETTINGS]
    if settings.strict_models:
        models.check_exists(settings.models, model)
    models.check_fits(model, prompt_tokens, param)
    request[PROMPT_TOKENS] = prompt_tokens
