"""A request's body in, an answer or a stream out: what all of the provider's endpoints share."""

import asyncio
from collections.abc import Iterable

from aiohttp import web

from tracer_proxy.mocks import json_text, recording
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm.openai import models
from tracer_proxy.mocks.llm.openai.errors import ApiError
from tracer_proxy.mocks.llm.settings import Settings

SETTINGS = web.AppKey("settings", Settings)
PROMPT_TOKENS = web.RequestKey("prompt_tokens", int)
"""How long the prompt was, for the headers; there once a model has been asked."""
_JSON_TYPES = ("application/json", "application/octet-stream")
"""The second is also what aiohttp reports when the header is missing."""
_STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


async def read_body(request: web.Request) -> object:
    """The JSON value that was sent. On a path that names a deployment that is the model, whatever the body says."""
    if request.content_type not in _JSON_TYPES:
        message = f"The content type has to be application/json, not '{request.content_type}'."
        raise ApiError(400, message, code="unsupported_content_type")
    try:
        body = await recording.read_json(request)
    except json_text.BadJson as error:
        raise ApiError(400, str(error), code="invalid_json") from None
    except (ConnectionError, web.RequestPayloadError) as error:
        raise ApiError(400, f"The request body could not be read: {error}.") from None
    deployment = request.match_info.get("deployment")
    return {**body, "model": deployment} if deployment and isinstance(body, dict) else body


def ask(request: web.Request, model: str, prompt_tokens: int, param: str) -> None:
    """Note that a model is asked something of this length; raises ``ApiError`` if it is unknown or cannot read as much."""
    settings = request.app[SETTINGS]
    if settings.strict_models:
        models.check_exists(settings.models, model)
    models.check_fits(model, prompt_tokens, param)
    request[PROMPT_TOKENS] = prompt_tokens


def trace_id(request: web.Request) -> str:
    """The trace the request belongs to; W3C Trace Context 3.2.2: version, trace id, parent id, flags."""
    return request.headers.get("traceparent", "")[3:35]


def answer(value: JsonObject, status: int = 200) -> web.Response:
    """A whole answer."""
    return web.Response(body=json_text.write(value), status=status, content_type="application/json")


async def stream(request: web.Request, events: Iterable[bytes]) -> web.StreamResponse:
    """Send each event by its own write. Sleeping, be it for no time, lets the loop flush what was written before."""
    response = web.StreamResponse(headers=_STREAM_HEADERS)
    interval_s = request.app[SETTINGS].token_interval_s
    try:
        await response.prepare(request)
        for number, event in enumerate(events):
            if number:
                await asyncio.sleep(interval_s)
            await response.write(event)
    except ConnectionError:
        pass  # The client has hung up, as it may at any time.
    return response
