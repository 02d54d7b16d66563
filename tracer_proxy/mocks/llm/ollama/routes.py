"""The paths and error responses."""

from aiohttp import web

from tracer_proxy import limits
from tracer_proxy.mocks.json_text import JsonObject
from tracer_proxy.mocks.llm import access, embedding, serving, tokens
from tracer_proxy.mocks.llm.ollama import models, said
from tracer_proxy.mocks.llm.ollama.chat_request import ChatRequest, read_chat, read_generate
from tracer_proxy.mocks.llm.ollama.fields import Fields
from tracer_proxy.mocks.llm.serving import SETTINGS, Refused
from tracer_proxy.mocks.llm.settings import Settings

_PREFIX = "/api/"
_LINES = "application/x-ndjson"
_VERSION = "0.13.0"
_DIMENSIONS = 768


def is_addressed(request: web.Request) -> bool:
    """Whether a request is for Ollama: by its path. One of these paths is Anthropic's."""
    return request.path.startswith(_PREFIX) and request.path != "/api/hello"


def application(settings: Settings) -> web.Application:
    """The paths."""
    app = web.Application(middlewares=[serving.refusals(_envelope)])
    app[SETTINGS] = settings
    app.router.add_post("/api/chat", _chat)
    app.router.add_post("/api/generate", _generate)
    app.router.add_post("/api/embed", _embed)
    app.router.add_get("/api/tags", _list_models)
    app.router.add_get("/api/version", _version)
    return app


async def _chat(request: web.Request) -> web.StreamResponse:
    return await _answer(request, read_chat(await _read(request)), in_message=True)


async def _generate(request: web.Request) -> web.StreamResponse:
    return await _answer(request, read_generate(await _read(request)), in_message=False)


async def _answer(request: web.Request, asked: ChatRequest, *, in_message: bool) -> web.StreamResponse:
    _check_model(request, asked.conversation.model)
    made = said.say(asked, serving.trace_id(request), in_message=in_message)
    if not asked.stream:
        return serving.answer(said.as_json(made))
    return await serving.stream(request, said.lines(made), _LINES)


async def _embed(request: web.Request) -> web.Response:
    fields = Fields(await _read(request))
    model = fields.text("model")
    _check_model(request, model)
    texts = [fields.text("input")] if isinstance(fields.get("input"), str) else fields.texts("input")
    if len(texts) > limits.MOCK_EMBEDDINGS_MAX:
        raise Refused(400, f"input may have at most {limits.MOCK_EMBEDDINGS_MAX} items")
    dimensions = fields.integer("dimensions", 1, _DIMENSIONS) or _DIMENSIONS
    counted = sum(tokens.count(text) for text in texts)
    made = [embedding.vector(text, dimensions) for text in texts]
    durations = {"total_duration": 1_000_000, "load_duration": 1_000_000}
    return serving.answer({"model": model, "embeddings": made, **durations, "prompt_eval_count": counted})


async def _list_models(request: web.Request) -> web.Response:
    return serving.answer(models.list_models(request.app[SETTINGS].ollama_models))


async def _version(request: web.Request) -> web.Response:
    return serving.answer({"version": _VERSION})


async def _read(request: web.Request) -> object:
    if not access.is_allowed(access.bearer(request), request.app[SETTINGS].api_keys):
        raise Refused(401, "unauthorized")
    return await serving.read_json(request)


def _check_model(request: web.Request, name: str) -> None:
    settings = request.app[SETTINGS]
    if settings.strict_models:
        models.check_exists(settings.ollama_models, name)


def _envelope(request: web.Request, error: Refused) -> JsonObject:
    return {"error": error.message}
