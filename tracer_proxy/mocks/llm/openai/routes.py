"""The provider's paths and error responses."""

import asyncio
from dataclasses import dataclass

from aiohttp import web
from aiohttp.typedefs import Handler

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import serving
from tracer_proxy.mocks.llm.openai import (
    access,
    chat,
    chat_stream,
    completions,
    embeddings,
    errors,
    headers,
    models,
    moderations,
    response_routes,
)
from tracer_proxy.mocks.llm.openai.asked import ask, read_body
from tracer_proxy.mocks.llm.openai.chat_request import read_chat_request
from tracer_proxy.mocks.llm.openai.errors import ApiError
from tracer_proxy.mocks.llm.openai.response_store import ResponseStore
from tracer_proxy.mocks.llm.settings import Settings

_PREFIXES = ("", "/v1", "/v1/v1", "/openai", "/openai/v1", "/v1beta/openai")
"""A base URL given with, without, or once too often with ``/v1`` still works. ``/openai`` is Azure's, the last Gemini's."""
_DEPLOYMENT = "/openai/deployments/{deployment}"
"""Where Azure has what a model does; the model is the deployment."""


def application(settings: Settings) -> web.Application:
    """The provider's paths, with and without a slash at the end, its headers and error responses."""
    app = web.Application(middlewares=[serving.refusals(_envelope)])
    app[serving.SETTINGS] = settings
    app[response_routes.STORE] = ResponseStore()
    for endpoint in _ENDPOINTS:
        handler = _for_holders_of_a_key(endpoint.handler)
        prefixes = (*_PREFIXES, _DEPLOYMENT) if endpoint.of_deployment else _PREFIXES
        for path in (prefix + endpoint.path + slash for prefix in prefixes for slash in endpoint.slashes):
            app.router.add_route(endpoint.method, path, handler)
    app.on_response_prepare.append(headers.add)
    return app


def _envelope(request: web.Request, error: serving.Refused) -> JsonObject:
    return errors.envelope(error)


def _for_holders_of_a_key(handler: Handler) -> Handler:
    async def checked(request: web.Request) -> web.StreamResponse:
        access.check_key(request, request.app[serving.SETTINGS].api_keys)
        if "deployment" in request.match_info and not request.query.get("api-version"):
            raise ApiError(404, "A path of deployments needs the query 'api-version', such as 2024-10-21.", code="404")
        return await handler(request)

    return checked


async def _chat_completions(request: web.Request) -> web.StreamResponse:
    asked = read_chat_request(await read_body(request))
    ask(request, asked.conversation.model, asked.prompt_tokens, "messages")
    completion = chat.complete(asked, serving.trace_id(request))
    if not asked.stream:
        return serving.answer(chat.as_json(completion))
    return await serving.stream(request, chat_stream.events(completion, include_usage=asked.include_usage))


async def _completions(request: web.Request) -> web.StreamResponse:
    asked = completions.read_completion_request(await read_body(request))
    ask(request, asked.model, asked.longest_tokens, "prompt")
    completion = completions.complete(asked, serving.trace_id(request))
    if not asked.stream:
        return serving.answer(completions.as_json(completion))
    return await serving.stream(request, completions.events(completion, include_usage=asked.include_usage))


async def _embeddings(request: web.Request) -> web.Response:
    asked = embeddings.read_embedding_request(await read_body(request))
    ask(request, asked.model, asked.longest_tokens(), "input")
    vectors = []
    for place in range(len(asked.inputs)):
        vectors.append(embeddings.vector(asked, place))
        await asyncio.sleep(0)  # A large batch is computed for seconds; other answers go out meanwhile.
    return serving.answer(embeddings.as_json(asked, vectors))


async def _moderations(request: web.Request) -> web.Response:
    asked = moderations.read_moderation_request(await read_body(request))
    ask(request, asked.model, asked.longest_tokens(), "input")
    return serving.answer(moderations.moderate(asked, serving.trace_id(request)))


async def _list_models(request: web.Request) -> web.Response:
    return serving.answer(models.list_models(request.app[serving.SETTINGS].models))


async def _get_model(request: web.Request) -> web.Response:
    name = request.match_info["model"].removesuffix("/")
    return serving.answer(models.get_model(request.app[serving.SETTINGS].models, name))


@dataclass(frozen=True, slots=True)
class _Endpoint:
    method: str
    path: str
    handler: Handler
    of_deployment: bool = False
    slashes: tuple[str, ...] = ("", "/")


_ENDPOINTS = (
    _Endpoint("POST", "/chat/completions", _chat_completions, of_deployment=True),
    _Endpoint("POST", "/completions", _completions, of_deployment=True),
    _Endpoint("POST", "/embeddings", _embeddings, of_deployment=True),
    _Endpoint("POST", "/moderations", _moderations),
    _Endpoint("GET", "/models", _list_models),
    _Endpoint("GET", "/models/{model:.+}", _get_model, slashes=("",)),
    _Endpoint("POST", "/responses", response_routes.create),
    _Endpoint("POST", "/responses/input_tokens", response_routes.count_input),
    _Endpoint("GET", "/responses/{response}", response_routes.fetch),
    _Endpoint("DELETE", "/responses/{response}", response_routes.delete),
    _Endpoint("POST", "/responses/{response}/cancel", response_routes.cancel),
    _Endpoint("GET", "/responses/{response}/input_items", response_routes.list_input),
)
