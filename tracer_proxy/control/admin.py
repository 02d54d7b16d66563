"""The admin port, first cut: is it alive, is it ready, what does it route."""

from typing import Any

from aiohttp import web

from tracer_proxy import __version__
from tracer_proxy.config.addresses import split_listen
from tracer_proxy.dataplane.worker import Worker
from tracer_proxy.routing.route import Route


class Admin:
    """Serves ``/healthz``, ``/readyz``, ``/api/status`` and ``/api/routes`` of a worker in the same process."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/api/status", self._status)
        app.router.add_get("/api/routes", self._routes)
        self._runner = web.AppRunner(app, access_log=None)

    async def start(self, listen: str) -> str:
        """Returns the address, with the port that was chosen for port 0."""
        await self._runner.setup()
        address = split_listen(listen)
        if address.path:
            await web.UnixSite(self._runner, address.path).start()
            return listen
        site = web.TCPSite(self._runner, address.host, address.port)
        await site.start()
        port = self._runner.addresses[0][1]
        return f"[{address.host}]:{port}" if ":" in address.host else f"{address.host}:{port}"

    async def stop(self) -> None:
        await self._runner.cleanup()

    async def _healthz(self, request: web.Request) -> web.Response:
        return web.json_response({"status": "alive"})

    async def _readyz(self, request: web.Request) -> web.Response:
        if self._worker.draining:
            return web.json_response({"status": "draining"}, status=503)
        return web.json_response({"status": "ready"})

    async def _status(self, request: web.Request) -> web.Response:
        worker = self._worker
        return web.json_response(
            {
                "version": __version__,
                "exchanges": worker.exchanges,
                "under_way": worker.under_way,
                "client_connections": len(worker.downstreams),
                "upstream_connections": {"all": len(worker.upstreams), "idle": worker.connections.idle_count},
                "errors": dict(worker.errors),
            }
        )

    async def _routes(self, request: web.Request) -> web.Response:
        return web.json_response([_shown(route) for route in self._worker.table.routes])


def _shown(route: Route) -> dict[str, Any]:
    split = route.split
    lanes = [
        {
            "name": lane.name,
            "pool": lane.pool.name,
            "weight": lane.weight,
            "colors": [color.decode() for color in lane.colors],
            "baseline": lane is split.baseline,
            "endpoints": [{"address": str(endpoint), "pending": endpoint.pending} for endpoint in lane.pool.endpoints],
        }
        for lane in split.lanes
    ]
    return {"name": route.name, "egress": route.egress, "llm": route.llm_api or None, "lanes": lanes}
