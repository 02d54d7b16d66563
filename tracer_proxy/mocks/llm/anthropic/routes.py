"""The provider's paths, headers and error responses."""

from datetime import UTC, datetime
from typing import Any

from aiohttp import web

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import access, serving
from tracer_proxy.mocks.llm.anthropic import message, message_stream, models
from tracer_proxy.mocks.llm.anthropic.messages_request import MessagesRequest, count_tokens, read_messages_request
from tracer_proxy.mocks.llm.anthropic.threads import Threads
from tracer_proxy.mocks.llm.serving import SETTINGS, Refused
from tracer_proxy.mocks.llm.settings import Settings

_PREFIXES = ("", "/v1", "/v1/v1")
"""A base URL given with, without, or once too often with ``/v1`` still works."""
_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_CODES = ("thread_not_found",)
"""Kinds of fault that the provider names beside the type."""
_A_MINUTE = {"requests": 4_000, "tokens": 2_400_000, "input-tokens": 2_000_000, "output-tokens": 400_000}
_THREADS = web.AppKey("threads", Threads)
_ASKED = web.RequestKey("asked", message.Message)
"""The answer whose tokens the rate limits are told from; there once a model has been asked."""


def is_addressed(request: web.Request) -> bool:
    """Whether a request is for this provider: by its path, or by the header that all of its clients send."""
    has_own_path = request.path.startswith(tuple(f"{prefix}/messages" for prefix in _PREFIXES)) or request.path == "/api/hello"
    return has_own_path or "anthropic-version" in request.headers


def application(settings: Settings) -> web.Application:
    """The provider's paths, with and without a slash at the end."""
    app = web.Application(middlewares=[serving.refusals(_envelope)])
    app[SETTINGS] = settings
    app[_THREADS] = Threads()
    for prefix in _PREFIXES:
        for slash in ("", "/"):
            app.router.add_post(f"{prefix}/messages{slash}", _messages)
            app.router.add_post(f"{prefix}/messages/count_tokens{slash}", _count_tokens)
            app.router.add_get(f"{prefix}/models{slash}", _list_models)
        app.router.add_get(prefix + "/models/{model:.+}", _get_model)
    app.router.add_get("/api/hello", _hello)
    app.on_response_prepare.append(_add_headers)
    return app


async def _messages(request: web.Request) -> web.StreamResponse:
    _check_head(request)
    body: Any = await serving.read_json(request)
    whole = request.app[_THREADS].whole(body) if _is_beta(request) else body
    asked = read_messages_request(whole, beta=_is_beta(request))
    _check_model(request, asked)
    said = message.complete(asked, serving.trace_id(request))
    request[_ASKED] = said
    if whole is not body:
        request.app[_THREADS].keep(whole, message.as_json(said))
    if not asked.stream:
        return serving.answer(message.as_json(said))
    return await serving.stream(request, message_stream.events(said))


async def _count_tokens(request: web.Request) -> web.Response:
    _check_head(request)
    body = await serving.read_json(request)
    return serving.answer({"input_tokens": count_tokens(body, beta=_is_beta(request))})


async def _list_models(request: web.Request) -> web.Response:
    _check_head(request)
    return serving.answer(models.list_models(request.app[SETTINGS].anthropic_models))


async def _get_model(request: web.Request) -> web.Response:
    _check_head(request)
    name = request.match_info["model"].removesuffix("/")
    return serving.answer(models.get_model(request.app[SETTINGS].anthropic_models, name))


async def _hello(request: web.Request) -> web.Response:
    """Claude Code looks here whether anybody is at home."""
    return serving.answer({"message": "hello"})


def _check_head(request: web.Request) -> None:
    settings = request.app[SETTINGS]
    key = request.headers.get("x-api-key") or access.bearer(request)
    if not access.is_allowed(key, settings.api_keys):
        raise Refused(401, "invalid x-api-key" if key else "x-api-key header is required")
    if "anthropic-version" not in request.headers:
        raise Refused(400, "anthropic-version: header is required")


def _check_model(request: web.Request, asked: MessagesRequest) -> None:
    settings = request.app[SETTINGS]
    if settings.strict_models:
        models.check_exists(settings.anthropic_models, asked.conversation.model)
    if asked.prompt.total > models.INPUT_TOKENS_MAX:
        raise Refused(400, f"prompt is too long: {asked.prompt.total} tokens > {models.INPUT_TOKENS_MAX} maximum")


def _is_beta(request: web.Request) -> bool:
    return "anthropic-beta" in request.headers


def _envelope(request: web.Request, error: Refused) -> JsonObject:
    kind = _ERROR_TYPES.get(error.status, "invalid_request_error" if error.status < 500 else "api_error")
    said: JsonObject = {"type": kind, "message": error.message}
    if error.code in _CODES:
        said["details"] = {"error_code": error.code}
    return {"type": "error", "error": said, "request_id": _request_id(request)}


def _request_id(request: web.Request) -> str:
    return serving.request_ids(request).make("req_01", hex_digits=22)


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """The provider's headers. They repeat with the request: no clock tells when a limit is full again."""
    response.headers["request-id"] = _request_id(request)
    response.headers["anthropic-organization-id"] = "00000000-0000-4000-8000-000000000000"
    said = request.get(_ASKED)
    if said is None:
        return
    spent_in, spent_out = said.prompt.total, said.output_tokens
    spent = {"requests": 1, "tokens": spent_in + spent_out, "input-tokens": spent_in, "output-tokens": spent_out}
    reset = datetime.fromtimestamp(serving.request_ids(request).created_s(), UTC).isoformat().replace("+00:00", "Z")
    for what, limit in _A_MINUTE.items():
        response.headers[f"anthropic-ratelimit-{what}-limit"] = str(limit)
        response.headers[f"anthropic-ratelimit-{what}-remaining"] = str(max(0, limit - spent[what]))
        response.headers[f"anthropic-ratelimit-{what}-reset"] = reset
