"""What the proxy had to end itself is told, once a second for each kind, and never with a secret."""

from typing import Any

from harness import one_route, proxy, request, say

from tracer_proxy.dataplane.failures import FailureLog
from tracer_proxy.errors import Kind, ProxyError


async def test_a_failed_exchange_is_an_event_with_its_route_lane_and_trace() -> None:
    events: list[dict[str, Any]] = []
    async with proxy(one_route("http://127.0.0.1:1"), write=events.append) as running:
        await say(running.port, request("GET /x HTTP/1.1", "Authorization: Bearer very-secret", close=False) * 3 + request())
    (told,) = events
    assert (told["event"], told["kind"], told["status"]) == ("exchange_failed", "upstream_unreachable", 502)
    assert (told["route"], told["lane"], told["endpoint"]) == ("all", "only", "http://127.0.0.1:1")
    assert len(told["trace_id"]) == 32
    assert "very-secret" not in str(told)


def test_each_kind_has_its_own_second() -> None:
    events: list[dict[str, Any]] = []
    log = FailureLog(events.append, interval_s=0)
    quiet = FailureLog(events.append, interval_s=3600)
    for _ in range(3):
        quiet.tell(ProxyError(Kind.NO_ROUTE, "none"), {})
        quiet.tell(ProxyError(Kind.MALFORMED, "bad"), {})
    quiet.tell(ProxyError(Kind.CLIENT_GONE, "gone"), {})
    assert [event["kind"] for event in events] == ["no_route", "malformed"]
    for _ in range(2):
        log.tell(ProxyError(Kind.NO_ROUTE, "none"), {})
    assert len(events) == 4


async def test_without_a_log_failures_are_only_counted() -> None:
    async with proxy(one_route("http://127.0.0.1:1")) as running:
        await say(running.port, request())
        assert running.errors == {Kind.UNREACHABLE: 1}
