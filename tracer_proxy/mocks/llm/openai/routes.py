"""The provider's paths, headers and error responses."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable

from aiohttp import web

from tracer_proxy import limits
from tracer_proxy.mocks import json_text, recording
from tracer_proxy.mocks.llm.ids import Ids
from tracer_proxy.mocks.llm.openai import chat, chat_stream, models
from tracer_proxy.mocks.llm.openai.chat_request import read_chat_request
from tracer_proxy.mocks.llm.openai.errors import ApiError
from tracer_proxy.mocks.llm.serving import SETTINGS
from tracer_proxy.mocks.llm.settings import Settings

_PREFIXES = ("", "/v1", "/v1/v1")
"""A base URL given with, without, or once too often with ``/v1`` still works."""
_JSON_TYPES = ("application/json", "application/octet-stream")
"""The second is also what aiohttp reports when the header is missing."""
_STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}


def application(settings: Settings) -> web.Application:
    """The provider's paths, headers and error responses."""
    app = web.Application(middlewares=[error_envelopes])
    app[SETTINGS] = settings
    add_routes(app.router)
    app.on_response_prepare.append(add_headers)
    return app


def add_routes(router: web.UrlDispatcher) -> None:
    """Serve the provider's paths, with and without a slash at the end."""
    for prefix in _PREFIXES:
        for slash in ("", "/"):
            router.add_post(f"{prefix}/chat/completions{slash}", _chat_completions)
            router.add_get(f"{prefix}/models{slash}", _list_models)
        router.add_get(prefix + "/models/{model:.+}", _get_model)


@web.middleware
async def error_envelopes(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer every refusal in the provider's JSON, those of the HTTP server included."""
    try:
        return await handler(request)
    except ApiError as error:
        return _json(error.envelope(), error.status)
    except web.HTTPException as error:
        response = _json(_from_http(request, error).envelope(), error.status)
        if "allow" in error.headers:
            response.headers["allow"] = error.headers["allow"]
        return response


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """The provider's headers. They repeat with the request: the processing time is made up, the id is a digest."""
    if recording.is_own_path(request.path):
        return
    said = f"{request.method} {request.path} ".encode() + request.get(recording.BODY_DIGEST, b"")
    response.headers["x-request-id"] = Ids(hashlib.sha256(said).digest()).make("req_")
    response.headers["openai-processing-ms"] = "1"
    response.headers["openai-version"] = "2020-10-01"


async def _chat_completions(request: web.Request) -> web.StreamResponse:
    chat_request = read_chat_request(await _read_json(request))
    # W3C Trace Context 3.2.2: version, trace id, parent id, flags.
    trace = request.headers.get("traceparent", "")[3:35]
    completion = chat.complete(chat_request, trace)
    if not chat_request.stream:
        return _json(chat.as_json(completion))
    return await _stream(request, chat_stream.events(completion, include_usage=chat_request.include_usage))


async def _stream(request: web.Request, events: Iterable[bytes]) -> web.StreamResponse:
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


async def _list_models(request: web.Request) -> web.Response:
    return _json(models.list_models(request.app[SETTINGS].models))


async def _get_model(request: web.Request) -> web.Response:
    name = request.match_info["model"].removesuffix("/")
    return _json(models.get_model(request.app[SETTINGS].models, name))


async def _read_json(request: web.Request) -> object:
    if request.content_type not in _JSON_TYPES:
        message = f"The content type has to be application/json, not '{request.content_type}'."
        raise ApiError(400, message, code="unsupported_content_type")
    try:
        return await recording.read_json(request)
    except json_text.BadJson as error:
        raise ApiError(400, str(error), code="invalid_json") from None
    except (ConnectionError, web.RequestPayloadError) as error:
        raise ApiError(400, f"The request body could not be read: {error}.") from None


def _from_http(request: web.Request, error: web.HTTPException) -> ApiError:
    what = f"{request.method} {request.path}"
    match error.status:
        case 404:
            has = "POST /v1/chat/completions, GET /v1/models and GET /v1/models/{id}"
            return ApiError(404, f"The mock has no {what}; so far it has {has}.", code="unknown_url")
        case 405:
            allowed = ", ".join(sorted(error.allowed_methods)) if isinstance(error, web.HTTPMethodNotAllowed) else ""
            return ApiError(405, f"{what} is not possible; allowed: {allowed}.", code="method_not_allowed")
        case 413:
            message = f"The request body is larger than {limits.MOCK_REQUEST_BYTES_MAX // limits.MiB} MiB."
            return ApiError(413, message, code="request_too_large")
    return ApiError(error.status, f"{what}: {error.reason}.")


def _json(value: json_text.JsonObject, status: int = 200) -> web.Response:
    return web.Response(body=json_text.write(value), status=status, content_type="application/json")
