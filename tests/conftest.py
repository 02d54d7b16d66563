"""What all tests share: the proxy's own event loop, and no deadlines on a shared machine."""

import asyncio
from collections.abc import Callable, Mapping

import uvloop
from hypothesis import settings

pytest_plugins = ("mock_llm_fixtures",)

settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}
