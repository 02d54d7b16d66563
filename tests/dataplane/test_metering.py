"""Routes and endpoints have their meters in the worker, over reloads too, and what these count gets out."""

from harness import proxy

from tracer_proxy.dataplane import metering
from tracer_proxy.telemetry import catalogue

CONFIG = """
version: 1
proxy: {listen: 127.0.0.1:0}
routes:
  - {name: prefix, match: {path: /a}, lanes: [{name: only, pool: p}]}
  - {name: exact, match: {exact: /b/c}, lanes: [{name: only, pool: p}]}
  - {name: regex, match: {regex: "/d/[0-9]+"}, lanes: [{name: only, pool: p}]}
  - {name: same-path, match: {path: /a, method: POST}, lanes: [{name: only, pool: q}]}
  - {name: rest, lanes: [{name: only, pool: q}]}
pools:
  p: {endpoints: [http://127.0.0.1:7001, unix:/run/agent.sock]}
  q: {endpoints: [http://127.0.0.1:7001, "http://[::1]:7002"]}
"""
IDS = (b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331")


async def test_http_routes_and_servers() -> None:
    """A route is called by its path as the config has it; the same server in two pools is one."""
    async with proxy(CONFIG) as running:
        table = running.worker.table
        assert [route.http_route for route in table.routes] == ["/a", "/b/c", "/d/[0-9]+", "/a", "rest"]
        for route in table.routes:
            route.http_meter.done(b"GET", 200, "", False, True, 0.1, *IDS)
        for pool in table.pools.values():
            for endpoint in pool.endpoints:
                endpoint.http_meter.done(b"GET", 200, "", 0.1, *IDS)
        counted = metering.take(running.worker)["observed"]
    routes = {labels[1]: changes[0][1] for name, labels, changes, _ in counted if name == catalogue.SERVER_DURATION.name}
    servers = {labels[1:3]: changes[0][1] for name, labels, changes, _ in counted if name == catalogue.CLIENT_DURATION.name}
    assert routes == {"/a": 2, "/b/c": 1, "/d/[0-9]+": 1, "rest": 1}
    assert servers == {("127.0.0.1", "7001"): 2, ("/run/agent.sock", ""): 1, ("::1", "7002"): 1}


async def test_http_meters_of_a_reloaded_table() -> None:
    """They go on where they were; the route of an exchange under way still counts."""
    async with proxy(CONFIG) as running:
        before = running.worker.table
        running.reload(CONFIG.replace("/b/c", "/b/new"))
        after = running.worker.table
        assert after is not before
        assert after.routes[0].http_meter is before.routes[0].http_meter
        assert after.pools["p"].endpoints[0].http_meter is before.pools["p"].endpoints[0].http_meter
        assert after.routes[1].http_meter is not before.routes[1].http_meter
        before.routes[1].http_meter.done(b"GET", 200, "", False, True, 0.1, *IDS)
        counted = metering.take(running.worker)["observed"]
    assert [labels[1] for name, labels, _, _ in counted if name == catalogue.SERVER_DURATION.name] == ["/b/c"]
