"""What the proxy had to end itself is told, once a second for each kind, and never with a secret."""

import io
import json

from harness import one_route, proxy, request, say

from tracer_proxy.config.load import load_text
from tracer_proxy.control.events import Events
from tracer_proxy.control.failures import FailureLog
from tracer_proxy.control.run import start
from tracer_proxy.errors import Kind, ProxyError


async def test_a_failed_exchange_is_a_line_with_its_route_lane_and_trace() -> None:
    stream = io.StringIO()
    config = load_text(one_route("http://127.0.0.1:1"), "test.yaml", {})
    running = await start(config, Events(stream))
    try:
        port = int(running.proxy[0].rpartition(":")[2])
        await say(port, request("GET /x HTTP/1.1", "Authorization: Bearer very-secret", close=False) * 3 + request())
    finally:
        await running.stop(0)
    (line,) = stream.getvalue().splitlines()
    told = json.loads(line)
    assert (told["event"], told["kind"], told["status"]) == ("exchange_failed", "upstream_unreachable", 502)
    assert (told["route"], told["lane"], told["endpoint"]) == ("all", "only", "http://127.0.0.1:1")
    assert len(told["trace_id"]) == 32
    assert "very-secret" not in line


def test_each_kind_has_its_own_second() -> None:
    stream = io.StringIO()
    log = FailureLog(Events(stream), interval_s=0)
    quiet = FailureLog(Events(stream), interval_s=3600)
    for _ in range(3):
        quiet.tell(ProxyError(Kind.NO_ROUTE, "none"), {})
        quiet.tell(ProxyError(Kind.MALFORMED, "bad"), {})
    quiet.tell(ProxyError(Kind.CLIENT_GONE, "gone"), {})
    assert [json.loads(line)["kind"] for line in stream.getvalue().splitlines()] == ["no_route", "malformed"]
    for _ in range(2):
        log.tell(ProxyError(Kind.NO_ROUTE, "none"), {})
    assert len(stream.getvalue().splitlines()) == 4


async def test_without_a_log_failures_are_only_counted() -> None:
    async with proxy(one_route("http://127.0.0.1:1")) as running:
        await say(running.port, request())
        assert dict(running.running.worker.errors) == {Kind.UNREACHABLE: 1}
