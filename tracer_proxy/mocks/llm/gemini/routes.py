"""The provider's paths, headers and error responses."""

import asyncio
import re

from aiohttp import web
from aiohttp.typedefs import Handler

from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import access, serving
from tracer_proxy.mocks.llm.gemini import embeddings, generated, generated_stream, models
from tracer_proxy.mocks.llm.gemini.generate_request import count_tokens, read_generate_request
from tracer_proxy.mocks.llm.gemini.generated import Generated
from tracer_proxy.mocks.llm.serving import SETTINGS, Refused
from tracer_proxy.mocks.llm.settings import Settings

_VERSIONS = ("/v1beta", "/v1", "/v1alpha", "/v1beta1")
_OWN_PATH = re.compile(r"/v1(?:beta1?|alpha)(?:/(?!openai/).*)?")
"""Not the provider's paths for OpenAI's clients."""
_VERB_PATH = re.compile(r"(?:/v1)?/models/[^/:]+:[A-Za-z]+")
_SHARED_PATH = re.compile(r"(?:/v1)?/models(?:/.*)?")
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_BAD_KEY = "API_KEY_INVALID"


def is_addressed(request: web.Request) -> bool:
    """Whether a request is for this provider: by its path, or by where it has its key if others have the path too."""
    path = request.path
    if _OWN_PATH.fullmatch(path) or (request.method == "POST" and _VERB_PATH.fullmatch(path)):
        return True
    return bool(_SHARED_PATH.fullmatch(path)) and ("x-goog-api-key" in request.headers or "key" in request.query)


def application(settings: Settings) -> web.Application:
    """The provider's paths under each of its versions; one that a base URL has already may be doubled or missing."""
    app = web.Application(middlewares=[serving.refusals(_envelope)])
    app[SETTINGS] = settings
    for prefix in ("", *_VERSIONS, *(version * 2 for version in _VERSIONS)):
        for verb, handler in _VERBS.items():
            app.router.add_post(f"{prefix}/models/{{model:[^/:]+}}:{verb}", _for_holders_of_a_key(handler))
        app.router.add_get(f"{prefix}/models", _for_holders_of_a_key(_list_models))
        app.router.add_get(prefix + "/models/{model:[^/:]+}", _for_holders_of_a_key(_get_model))
    app.on_response_prepare.append(_add_headers)
    return app


def _for_holders_of_a_key(handler: Handler) -> Handler:
    async def checked(request: web.Request) -> web.StreamResponse:
        keys = request.app[SETTINGS].api_keys
        key = request.headers.get("x-goog-api-key") or request.query.get("key") or access.bearer(request)
        if access.is_allowed(key, keys):
            return await handler(request)
        if not key:
            raise Refused(403, "Method doesn't allow unregistered callers. Please use an API key.")
        raise Refused(400, "API key not valid. Please pass a valid API key.", code=_BAD_KEY)

    return checked


async def _generate(request: web.Request) -> web.StreamResponse:
    return serving.answer(generated.as_json(await _generated(request)))


async def _stream_generate(request: web.Request) -> web.StreamResponse:
    said = await _generated(request)
    if request.query.get("alt") == "sse":
        return await serving.stream(request, generated_stream.events(said), "text/event-stream")
    return await serving.stream(request, generated_stream.array(said), "application/json; charset=utf-8")


async def _generated(request: web.Request) -> Generated:
    model = _model(request, "generateContent")
    asked = read_generate_request(model, await serving.read_json(request))
    if asked.prompt_tokens > models.INPUT_TOKENS_MAX:
        raise Refused(
            400,
            f"The input token count ({asked.prompt_tokens}) exceeds the maximum number of tokens allowed "
            f"({models.INPUT_TOKENS_MAX}).",
        )
    return generated.generate(asked, serving.trace_id(request))


async def _count_tokens(request: web.Request) -> web.StreamResponse:
    _model(request, "countTokens")
    total = count_tokens(await serving.read_json(request))
    details = [{"modality": "TEXT", "tokenCount": total}]
    return serving.answer({"totalTokens": total, "promptTokensDetails": details})


async def _embed(request: web.Request) -> web.StreamResponse:
    _model(request, "embedContent")
    asked = embeddings.read_embed_request(await serving.read_json(request))
    return serving.answer({"embedding": asked.as_json(), "usageMetadata": {"promptTokenCount": asked.tokens}})


async def _embed_batch(request: web.Request) -> web.StreamResponse:
    _model(request, "batchEmbedContents")
    asked = embeddings.read_batch(await serving.read_json(request))
    made = []
    for one in asked:
        made.append(one.as_json())
        await asyncio.sleep(0)  # A large batch is computed for seconds; other answers go out meanwhile.
    usage = {"promptTokenCount": sum(one.tokens for one in asked)}
    return serving.answer({"embeddings": made, "usageMetadata": usage})


async def _list_models(request: web.Request) -> web.StreamResponse:
    return serving.answer(models.list_models(request.app[SETTINGS].gemini_models))


async def _get_model(request: web.Request) -> web.StreamResponse:
    return serving.answer(models.get_model(request.app[SETTINGS].gemini_models, request.match_info["model"]))


_VERBS: dict[str, Handler] = {
    "generateContent": _generate,
    "streamGenerateContent": _stream_generate,
    "countTokens": _count_tokens,
    "embedContent": _embed,
    "batchEmbedContents": _embed_batch,
}


def _model(request: web.Request, verb: str) -> str:
    settings, model = request.app[SETTINGS], request.match_info["model"]
    if settings.strict_models:
        models.check_exists(settings.gemini_models, model, verb)
    return model


def _envelope(request: web.Request, error: Refused) -> JsonObject:
    kind = _STATUSES.get(error.status, "INVALID_ARGUMENT" if error.status < 500 else "INTERNAL")
    said: JsonObject = {"code": error.status, "message": error.message, "status": kind}
    if error.code == _BAD_KEY:
        info = {"reason": _BAD_KEY, "domain": "googleapis.com"}
        said["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info}]
    return {"error": said}


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """They repeat with the request: the time it took is made up."""
    response.headers["server-timing"] = "gfet4t7; dur=1"
    response.headers["vary"] = "Origin, X-Origin, Referer"
