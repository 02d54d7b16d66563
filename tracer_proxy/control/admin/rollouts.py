"""What the admin API says of rollouts, and does with them."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tracer_proxy.config.choices import hint
from tracer_proxy.control.admin.guard import refused
from tracer_proxy.control.rollouts import ACTIONS, Rollouts
from tracer_proxy.rollout.course import Unfit

_KEYS = ("by", "reason")
_EXPECTED = 'Expected no body, or an object such as {"by": "li", "reason": "the model was changed"}.'


class RolloutsApi:
    """``apply`` puts into force what an action has changed, and returns when it holds."""

    def __init__(self, rollouts: Rollouts, apply: Callable[[], Awaitable[None]]) -> None:
        self._rollouts = rollouts
        self._apply = apply

    async def all(self, request: web.Request) -> web.Response:
        return web.json_response([self._rollouts.shown(name) for name in self._rollouts])

    async def one(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        return web.json_response(self._rollouts.shown(name)) if name in self._rollouts else self._unknown(name)

    async def act(self, request: web.Request) -> web.Response:
        name, action = request.match_info["name"], request.match_info["action"]
        if action not in ACTIONS:
            raise web.HTTPNotFound
        if name not in self._rollouts:
            return self._unknown(name)
        said = _said(await request.read())
        if said is None:
            return refused("wrong_question", _EXPECTED, 400)
        try:
            self._rollouts.act(name, action, said.get("by") or "api", said.get("reason") or "")
        except Unfit as error:
            return refused("unfit", str(error), 409)
        await self._apply()
        return web.json_response(self._rollouts.shown(name))

    def _unknown(self, name: str) -> web.Response:
        return refused("no_such_rollout", f"There is no rollout {name!r}{hint(name, self._rollouts, 'rollouts')}", 404)


def _said(body: bytes) -> dict[str, str] | None:
    """Who and why; ``None`` for something else."""
    if not body:
        return {}
    try:
        document: Any = json.loads(body)
    except (ValueError, RecursionError):
        return None
    fits = isinstance(document, dict) and all(key in _KEYS and isinstance(text, str) for key, text in document.items())
    return document if fits else None
