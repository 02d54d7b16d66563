"""Sick endpoints are left out and come back, with real sockets."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import OK, WAIT_S, Proxy, Upstream, answering, one_route, proxy, request, say, status, upstream
from tls_cases import Authority, server_context, tls_upstream

EJECT = "ejection: {failures: 2, cooldown: 300ms}"
BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_S):
        while not holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)


def states(running: Proxy) -> list[str]:
    return [endpoint.health.state.value for endpoint in running.worker.table.pools["only"].endpoints]


async def test_an_endpoint_that_refuses_is_ejected_and_comes_back() -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    events: list[dict[str, Any]] = []
    route = "retries: {attempts: 1}"
    async with upstream(answering(OK)) as good:
        config = one_route(f"http://127.0.0.1:{port}", good.url, route=route, pool=f"{EJECT}\nbalance: round_robin")
        async with proxy(config, write=events.append) as running:
            answers = [status(await say(running.port, request())) for _ in range(8)]
            assert answers.count(502) == 2
            assert answers[-3:] == [200] * 3
            assert states(running) == ["ejected", "healthy"]
            await until(lambda: states(running)[0] == "healthy")
            back = await asyncio.start_server(Upstream(answered)._serve, "127.0.0.1", port)
            async with back:
                assert {status(await say(running.port, request())) for _ in range(4)} == {200}
    told = [event["event"] for event in events if event["event"].startswith("endpoint_")]
    assert told == ["endpoint_ejected", "endpoint_recovering", "endpoint_healthy"]
    (ejected,) = (event for event in events if event["event"] == "endpoint_ejected")
    assert (
        ejected["message"]
        == f"The endpoint http://127.0.0.1:{port} of the pool 'only' is ejected: 2 exchanges in a row failed."
    )


async def answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.readuntil(b"\r\n\r\n"):
        writer.write(OK)


async def test_statuses_eject_and_the_last_endpoint_never_is() -> None:
    async with (
        upstream(answering(BUSY)) as one,
        upstream(answering(BUSY)) as other,
        proxy(one_route(one.url, other.url, pool=EJECT)) as running,
    ):
        for _ in range(12):
            assert status(await say(running.port, request())) == 503
        assert sorted(states(running)) == ["ejected", "healthy"]


async def test_probes_take_a_sick_endpoint_out_and_back() -> None:
    sick = asyncio.Event()

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await endpoint.head(reader)
        bad = sick.is_set() and head.startswith(b"GET /healthz ")
        # The answer in two pieces, and an interim one before it: it is read like any other.
        writer.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        writer.write(b"HTTP/1.1 500 Sick\r\n" if bad else b"HTTP/1.1 200 OK\r\n")
        await asyncio.sleep(0.01)
        writer.write(b"Content-Length: 2\r\nConnection: close\r\n\r\nok")

    health = "health: {path: /healthz, interval: 50ms, timeout: 1s, rise: 2, fall: 2}"
    async with (
        upstream(handle) as first,
        upstream(answering(OK)) as second,
        proxy(one_route(first.url, second.url, pool=health)) as running,
    ):
        await until(lambda: len(first.heard) > 2)
        sick.set()
        await until(lambda: states(running)[0] == "unhealthy")
        served = len([head for head in first.heard if b"healthz" not in head])
        assert {status(await say(running.port, request())) for _ in range(6)} == {200}
        assert len([head for head in first.heard if b"healthz" not in head]) == served
        sick.clear()
        await until(lambda: states(running)[0] in ("recovering", "healthy"))
        assert len(running.worker.upstreams) == running.worker.connections.idle_count
        running.reload(one_route(first.url, second.url))
        count = len(first.heard)
        await asyncio.sleep(0.3)
        assert len(first.heard) == count, "no health section, no probes"
    probe = next(head for head in first.heard if b"healthz" in head)
    assert b"traceparent" not in probe
    assert b"Host: 127.0.0.1" in probe


async def test_a_probe_without_path_only_connects_and_panic_keeps_traffic_flowing() -> None:
    async with upstream(answering(OK)) as good:
        pool = "health: {interval: 50ms, fall: 1, rise: 1}"
        config = one_route("http://127.0.0.1:1", good.url, "http://127.0.0.1:2", pool=pool)
        async with proxy(config) as running:
            await until(lambda: states(running) == ["unhealthy", "healthy", "unhealthy"])
            assert running.worker.table.pools["only"].panics
            await until(lambda: good.connections > 2)
            assert good.heard == []
            answers = {status(await say(running.port, request())) for _ in range(8)}
            assert 200 in answers


async def test_a_pool_that_may_be_empty_answers_503_and_health_survives_a_reload() -> None:
    pool = "health: {interval: 50ms, fall: 1}\npanic: 0"
    async with proxy(one_route("http://127.0.0.1:1", pool=pool)) as running:
        await until(lambda: states(running) == ["unhealthy"])
        running.reload(one_route("http://127.0.0.1:1", pool=pool, top="trust: [all]"))
        answer = await say(running.port, request())
    assert status(answer) == 503
    assert b'"kind": "no_healthy_endpoint"' in answer


async def test_a_new_interval_holds_at_once() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, pool="health: {interval: 1h}")) as running:
        await asyncio.sleep(0.05)
        running.reload(one_route(endpoint.url, pool="health: {interval: 50ms}"))
        await until(lambda: endpoint.connections > 2)


async def test_a_reload_while_draining_begins_no_probes() -> None:
    config = "health: {interval: 20ms}"
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url, pool=config)) as running:
        await until(lambda: endpoint.connections > 1)
        await running.worker.drain(0)
        running.reload(one_route(endpoint.url, pool=config))
        await asyncio.sleep(0.1)
        count = endpoint.connections
        await asyncio.sleep(0.3)
        assert endpoint.connections == count


async def test_probes_speak_tls_and_believe_no_other_ca(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    other = Authority(tmp_path, "other")

    def config(url: str, ca: Path) -> str:
        url = url.replace("http:", "https:")
        return one_route(url, pool=f"health: {{path: /healthz, interval: 50ms, rise: 1, fall: 1}}\ntls: {{ca: {ca}}}")

    async with tls_upstream(server_context(authority.issue("127.0.0.1")), answering(OK)) as endpoint:
        async with proxy(config(endpoint.url, authority.ca)) as running:
            await until(lambda: len(endpoint.heard) > 2)
            assert states(running) == ["healthy"]
            assert endpoint.heard[0].startswith(b"GET /healthz ")
        async with proxy(config(endpoint.url, other.ca)) as running:
            await until(lambda: states(running) == ["unhealthy"])


async def test_the_report_says_how_long_an_endpoint_is_left_out() -> None:
    async with (
        upstream(answering(BUSY)) as one,
        upstream(answering(BUSY)) as two,
        proxy(one_route(one.url, two.url, pool="ejection: {failures: 1, cooldown: 30s}")) as running,
    ):
        await say(running.port, request())
        shown = running.worker.report()["pools"]["only"]
    (ejected,) = (each for each in shown if each["state"] == "ejected")
    (healthy,) = (each for each in shown if each["state"] == "healthy")
    assert 0 < ejected["seconds_left"] <= 30
    assert healthy["seconds_left"] == 0
