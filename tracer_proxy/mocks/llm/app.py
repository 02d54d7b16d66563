"""The mock LLM as an aiohttp application, and as a server in the running loop.

Each provider is an application of its own, with its paths, headers and error responses. Some paths are several providers'
(``/v1/models``), so which of them a request is for is told by its headers too.
"""

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler
from aiohttp.web_urldispatcher import AbstractRuleMatching, MatchedSubAppResource

from tracer_proxy import limits
from tracer_proxy.mocks import recording, server
from tracer_proxy.mocks.llm.anthropic import routes as anthropic
from tracer_proxy.mocks.llm.gemini import routes as gemini
from tracer_proxy.mocks.llm.ollama import routes as ollama
from tracer_proxy.mocks.llm.openai import routes as openai
from tracer_proxy.mocks.llm.settings import DEFAULTS, Settings


class _Addressed(AbstractRuleMatching):
    """Lets those requests through that are for one provider."""

    def __init__(self, name: str, is_addressed: Callable[[web.Request], bool]) -> None:
        self._name = name
        self._is_addressed = is_addressed

    async def match(self, request: web.Request) -> bool:
        """Whether this provider is to answer. The mock's own paths are no provider's."""
        return not recording.is_own_path(request.path) and self._is_addressed(request)

    def get_info(self) -> dict[str, str]:  # type: ignore[override]
        """For who looks at the routes."""
        return {"provider": self._name}

    @property
    def canonical(self) -> str:
        """The rule's name."""
        return self._name


_PROVIDERS: tuple[tuple[str, Callable[[web.Request], bool], Callable[[Settings], web.Application]], ...] = (
    ("gemini", gemini.is_addressed, gemini.application),
    ("ollama", ollama.is_addressed, ollama.application),
    ("anthropic", anthropic.is_addressed, anthropic.application),
    ("openai", lambda _: True, openai.application),
)
"""In the order they are asked; the last one answers what nobody else does."""


def create_app(settings: Settings = DEFAULTS) -> web.Application:
    """The application with every provider's routes, the journal and ``/healthz``."""
    app = web.Application(client_max_size=limits.MOCK_REQUEST_BYTES_MAX, middlewares=[_pass_on])
    recording.install(app)
    for name, is_addressed, application in _PROVIDERS:
        provider = application(settings)
        provider.pre_freeze()
        app.router.register_resource(MatchedSubAppResource(_Addressed(name, is_addressed), provider))
    return app


@web.middleware
async def _pass_on(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nothing: aiohttp runs the middlewares of an inner application only if the outer one has a middleware too."""
    return await handler(request)


async def serve(listen: str, settings: Settings = DEFAULTS) -> server.RunningMock:
    """Start the mock at ``host:port`` or ``unix:/path``; see ``server.start`` for addresses and errors."""
    return await server.start(create_app(settings), listen)
