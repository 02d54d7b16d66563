"""The mock LLM as an aiohttp application, and as a server in the running loop."""

from aiohttp import web

from tracer_proxy import limits
from tracer_proxy.mocks import recording, server
from tracer_proxy.mocks.llm.openai import routes as openai
from tracer_proxy.mocks.llm.settings import DEFAULTS, Settings


def create_app(settings: Settings = DEFAULTS) -> web.Application:
    """The application with every provider's routes, the journal and ``/healthz``."""
    app = web.Application(client_max_size=limits.MOCK_REQUEST_BYTES_MAX, middlewares=[openai.error_envelopes])
    recording.install(app)
    openai.install(app, settings)
    return app


async def serve(listen: str, settings: Settings = DEFAULTS) -> server.RunningMock:
    """Start the mock at ``host:port`` or ``unix:/path``; see ``server.start`` for addresses and errors."""
    return await server.start(create_app(settings), listen)
