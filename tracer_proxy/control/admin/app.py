"""The admin API as an aiohttp application; see docs/admin.md."""

import json
import time
from collections.abc import Mapping
from socket import socket
from typing import TYPE_CHECKING, Any

from aiohttp import web

from tracer_proxy import __version__
from tracer_proxy.config.choices import hint
from tracer_proxy.config.shown import shown
from tracer_proxy.control.admin import views
from tracer_proxy.control.admin.exchanges import Exchanges
from tracer_proxy.control.admin.guard import Handler, refused, why_not
from tracer_proxy.control.admin.rollouts import RolloutsApi
from tracer_proxy.control.question import Question, WrongQuestion
from tracer_proxy.control.trial import refusal
from tracer_proxy.control.weights import WrongWeights, checked
from tracer_proxy.errors import ProxyError
from tracer_proxy.limits import ADMIN_BODY_BYTES_MAX
from tracer_proxy.telemetry.exposition import exposition

if TYPE_CHECKING:
    from tracer_proxy.control.main import Control, Outcome


_QUESTION_KEYS = ("url", "method", "headers", "body", "from")


class Admin:
    def __init__(self, control: "Control") -> None:
        self._control = control
        app = web.Application(middlewares=[self._guarded], client_max_size=ADMIN_BODY_BYTES_MAX)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/api/status", self._status)
        app.router.add_get("/api/routes", self._routes)
        app.router.add_get("/api/pools", self._pools)
        app.router.add_get("/api/config", self._config)
        exchanges = Exchanges(control.records.live, lambda: control.in_force.config.tracing.profile)
        app.router.add_get("/api/exchanges", exchanges.recent)
        app.router.add_get("/api/exchanges/stream", exchanges.stream, allow_head=False)
        app.router.add_post("/api/explain", self._explain)
        app.router.add_post("/api/reload", self._reload)
        app.router.add_post("/api/drain", self._drain)
        app.router.add_put("/api/routes/{route}/weights", self._set_weights)
        rollouts = RolloutsApi(control.rollouts, control.apply_rollouts)
        app.router.add_get("/api/rollouts", rollouts.all)
        app.router.add_get("/api/rollouts/{name}", rollouts.one)
        app.router.add_post("/api/rollouts/{name}/{action}", rollouts.act)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)

    async def start(self, listeners: list[socket]) -> None:
        await self._runner.setup()
        for listener in listeners:
            await web.SockSite(self._runner, listener).start()

    async def stop(self) -> None:
        await self._runner.cleanup()

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        admin = self._control.in_force.config.admin
        try:
            return why_not(request, admin.token if admin else None) or await handler(request)
        except web.HTTPException as error:
            kind = error.reason.lower().replace(" ", "_")
            return refused(kind, f"{request.method} {request.path}: {error.reason.lower()}.", error.status, **_allow(error))
        except Exception as bug:
            self._control.events.write_bug({"message": f"{request.method} {request.path} failed", "exception": bug})
            return refused("internal", "The admin port failed to answer; the log says why.", 500)

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _readyz(self, request: web.Request) -> web.Response:
        readiness = self._control.readiness()
        return web.json_response(readiness.shown(), status=200 if readiness.is_ready else 503)

    async def _metrics(self, request: web.Request) -> web.Response:
        await self._control.workers.reports()
        self._control.set_gauges()
        body, content_type = exposition(self._control.totals, request.headers.get("accept", ""))
        return web.Response(body=body, headers={"content-type": content_type})

    async def _status(self, request: web.Request) -> web.Response:
        control = self._control
        reload = control.state.reload
        return web.json_response(
            {
                "version": __version__,
                "config": control.in_force.version,
                "uptime_s": round(time.monotonic() - control.state.started, 3),
                "draining": control.draining,
                "listening": control.addresses,
                "processes": control.processes,
                "last_reload": {"at": reload.at, "error": reload.error or None} if reload.at else None,
                "reloads": {"succeeded": reload.succeeded, "failed": reload.failed},
                **views.sums(await control.workers.reports()),
                **views.counts(control.totals),
            }
        )

    async def _routes(self, request: web.Request) -> web.Response:
        in_force = self._control.in_force
        overridden = {**in_force.overrides, **in_force.rollouts}
        return web.json_response(views.routes(in_force.table(), overridden, await self._control.workers.reports()))

    async def _pools(self, request: web.Request) -> web.Response:
        return web.json_response(views.pools(self._control.in_force.table(), await self._control.workers.reports()))

    async def _config(self, request: web.Request) -> web.Response:
        return web.json_response(shown(self._control.in_force.config))

    async def _explain(self, request: web.Request) -> web.Response:
        in_force = self._control.in_force
        table = in_force.table()
        try:
            question = _question(await _document(request))
            return web.json_response(question.explained(table, question.head(table), in_force.whose_weights).as_json())
        except WrongQuestion as error:
            return refused("wrong_question", str(error), 400)
        except ProxyError as error:
            return refused(error.kind, f"The proxy would answer {error.status}: {error.message}", 422)

    async def _reload(self, request: web.Request) -> web.Response:
        if request.query:
            return await self._try_reload(request.query)
        outcome = await self._control.reload()
        return web.json_response(_told(outcome), status=422 if outcome.problems else 200)

    async def _try_reload(self, query: Mapping[str, str]) -> web.Response:
        file = query.get("file", "")
        if (
            query.keys() - {"dry_run", "file"}
            or query.get("dry_run") != "1"
            or "/" in file
            or "\0" in file
            or file in (".", "..")
        ):
            message = (
                "Expected dry_run=1, and maybe file with the name of a file beside the config's; without both, it reloads."
            )
            return refused("wrong_question", message, 400)
        trial = await self._control.try_reload(file)
        return web.json_response(trial.shown(), status=422 if trial.problems else 200)

    async def _drain(self, request: web.Request) -> web.Response:
        self._control.drain()
        return web.json_response({"status": "draining"}, status=202)

    async def _set_weights(self, request: web.Request) -> web.Response:
        name = request.match_info["route"]
        routes = {route.name: route for route in self._control.in_force.config.routes}
        if name not in routes:
            return refused("no_such_route", f"There is no route {name!r}{hint(name, routes, 'routes')}", 404)
        try:
            weights = checked(routes[name], await _document(request))
        except (WrongWeights, WrongQuestion) as error:
            return refused("wrong_weights", str(error), 422)
        await self._control.set_weights(name, weights)
        return web.json_response({"route": name, "weights": weights, "config": self._control.in_force.version})


def _allow(error: web.HTTPException) -> dict[str, str]:
    return {"allow": error.headers["allow"]} if "allow" in error.headers else {}


async def _document(request: web.Request) -> Any:
    """Raises ``WrongQuestion`` for what is no JSON."""
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError) as error:
        raise WrongQuestion(f"The body is no JSON: {error}.") from None


def _question(document: Any) -> Question:
    """From ``{"url": …, "method": …, "headers": {…}, "body": …, "from": …}``, of which only the URL must be there."""
    if not isinstance(document, dict) or not isinstance(document.get("url"), str):
        raise WrongQuestion('Expected an object with a url, such as {"url": "/agents/planner", "headers": {"x-a": "1"}}.')
    for key in document:
        if key not in _QUESTION_KEYS:
            raise WrongQuestion(f"unknown key {key!r}{hint(key, _QUESTION_KEYS, 'keys')}")
    headers = document.get("headers", {})
    texts = (document.get("method"), document.get("body"), document.get("from"))
    if not isinstance(headers, dict) or any(text is not None and not isinstance(text, str) for text in texts):
        raise WrongQuestion("Expected headers as an object of names and values, and method, body and from as text.")
    lines = [f"{name}: {value}" for name, value in headers.items()]
    return Question(document["url"], document.get("method"), lines, document.get("body"), document.get("from", "127.0.0.1"))


def _told(outcome: "Outcome") -> dict[str, Any]:
    told = {"changed": outcome.changed, "config": outcome.version}
    return told | refusal(outcome.problems) if outcome.problems else told
