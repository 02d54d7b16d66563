"""How calls get into the journal of a mock's aiohttp application, and how they are read back.

A call is recorded when its answer's head is about to leave, not when the answer is complete: official clients hang up as
soon as they have seen the last event of a stream.
"""

import hashlib
from typing import Any

from aiohttp import web

from tracer_proxy.mocks import json_text
from tracer_proxy.mocks.journal import Journal

JOURNAL = web.AppKey("journal", Journal)
BODY_DIGEST = web.RequestKey("body_digest", bytes)
REQUEST_JSON = web.RequestKey("request_json", object)
_CONTROL_PREFIX = "/__mock__/"
HEALTH_PATH = "/healthz"


def install(app: web.Application) -> None:
    """Add the journal, its two control routes and the health check to an application."""
    app[JOURNAL] = Journal()
    app.router.add_get("/__mock__/calls", _show_calls)
    app.router.add_delete("/__mock__/calls", _forget_calls)
    app.router.add_get(HEALTH_PATH, _health)
    app.on_response_prepare.append(_record)


async def read_json(request: web.Request) -> Any:
    """Read the body once and note it for the journal. Raises ``json_text.BadJson``, and what aiohttp raises for a body that
    is too large or breaks off.
    """
    body = await request.read()
    request[BODY_DIGEST] = hashlib.sha256(body).digest()
    value = json_text.read(body)
    request[REQUEST_JSON] = value
    return value


def is_own_path(path: str) -> bool:
    """Whether a path is the mock's own and not part of what it stands in for."""
    return path == HEALTH_PATH or path.startswith(_CONTROL_PREFIX)


async def _record(request: web.Request, response: web.StreamResponse) -> None:
    if is_own_path(request.path):
        return
    request.config_dict[JOURNAL].add(
        method=request.method,
        path=request.path,
        headers=request.headers,
        request=request.get(REQUEST_JSON),
        status=response.status,
        stream=not isinstance(response, web.Response),
    )


async def _show_calls(request: web.Request) -> web.Response:
    return web.Response(body=request.app[JOURNAL].as_json(), content_type="application/json")


async def _forget_calls(request: web.Request) -> web.Response:
    return web.json_response({"forgotten": request.app[JOURNAL].clear()})


async def _health(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})
