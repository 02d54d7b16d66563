"""The real admin port on a real socket, with a control that has no workers: what they would send is put in by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

from harness import one_route

from tracer_proxy.config.load import load_text
from tracer_proxy.control.admin import Admin
from tracer_proxy.control.events import Events
from tracer_proxy.control.live import Live
from tracer_proxy.control.main import Control
from tracer_proxy.control.sockets import bind, close


class LiveAdmin:
    """``wanted`` is what the workers were told, in order: whether every record is wanted."""

    def __init__(self) -> None:
        self.wanted: list[bool] = []
        self.live = Live(self)
        self.port = 0
        self._wanted_changed = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def want_all(self, wanted: bool) -> None:
        self.wanted.append(wanted)
        self._wanted_changed.set()

    async def watched(self, times: int = 1) -> None:
        """Until somebody has begun to watch so often."""
        while self.wanted.count(True) < times:
            self._wanted_changed.clear()
            await self._wanted_changed.wait()


@asynccontextmanager
async def live_admin(address: str = "127.0.0.1:0", token: str = "") -> AsyncIterator[LiveAdmin]:
    top = f"admin: {{listen: {address}, token: '{token}'}}" if token else f"admin: {{listen: {address}}}"
    config = load_text(one_route("http://127.0.0.1:1", top=top), "test.yaml", {})
    made = LiveAdmin()
    control: Any = SimpleNamespace(
        in_force=SimpleNamespace(config=config),
        records=SimpleNamespace(live=made.live),
        events=Events(),
        rollouts={},
        apply_rollouts=None,
    )
    listeners = bind(address)
    if not address.startswith("unix:"):
        made.port = listeners[0].getsockname()[1]
    admin = Admin(cast(Control, control))
    await admin.start(listeners)
    try:
        yield made
    finally:
        made.live.end()
        await admin.stop()
        close(listeners)
