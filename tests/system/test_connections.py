"""Connections on both sides: how many, of what kind, and who closes them when."""

import asyncio
import json
import signal
import socket
from pathlib import Path

import pytest
from harness import (
    OK,
    WAIT_S,
    Upstream,
    answering,
    body_of,
    connection,
    field,
    one_route,
    proxy,
    request,
    say,
    status,
    upstream,
)
from proxy_process import proxy_process

SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chatter\r\n\r\n"


async def test_nagle_is_off_on_both_sides() -> None:
    """A small write must not wait for the other side's acknowledgement."""
    asked, seen = asyncio.Event(), asyncio.Event()

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        asked.set()
        await seen.wait()
        writer.write(OK)

    async with upstream(handle) as endpoint, proxy(one_route(endpoint.url)) as running:
        worker = running.worker
        answer = asyncio.ensure_future(say(running.port, request()))
        async with asyncio.timeout(WAIT_S):
            await asked.wait()
        transports = [side.transport for side in worker.downstreams] + [side.transport for side in worker.upstreams]
        sockets = [transport.get_extra_info("socket") for transport in transports if transport is not None]
        delays = [raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0 for raw in sockets]
        seen.set()
        assert status(await answer) == 200
    assert delays == [False, False]


async def test_kept_connections_are_used_again_last_in_first_out() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(endpoint.url)) as running:
        await asyncio.gather(*(say(running.port, request()) for _ in range(5)))
        opened = endpoint.connections
        for _ in range(20):
            await say(running.port, request())
        assert endpoint.connections == opened
        assert running.worker.connections.idle_count == opened


@pytest.mark.parametrize("ended", [b"Connection: close", b"Connection: Close, x"])
async def test_an_upstream_that_wants_to_close_is_not_used_again(ended: bytes) -> None:
    answer = b"HTTP/1.1 200 OK\r\n" + ended + b"\r\nContent-Length: 2\r\n\r\nok"
    async with upstream(answering(answer)) as endpoint, proxy(one_route(endpoint.url)) as running:
        heard = await say(running.port, request(close=False) + request())
    assert heard.count(b"HTTP/1.1 200 OK") == 2, "the client's connection is not the upstream's"
    assert endpoint.connections == 2


def at_most_two(endpoint: Upstream) -> str:
    return one_route(endpoint.url, listener="limits: {connections: 2}")


async def test_one_connection_too_many_is_told_so_and_a_place_that_is_free_again_is_given_away() -> None:
    async with (
        upstream(answering(OK)) as endpoint,
        proxy(at_most_two(endpoint)) as running,
        connection(running.port) as leaving,
        connection(running.port) as staying,
    ):
        worker = running.worker
        for reader, writer in (leaving, staying):
            writer.write(request(close=False))
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 ")
        refused = await say(running.port, request())
        assert status(refused) == 503
        assert field(refused, "retry-after") == b"1"
        assert json.loads(body_of(refused))["error"]["kind"] == "overloaded"
        leaving[1].close()
        async with asyncio.timeout(WAIT_S):
            while len(worker.downstreams) > 1:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert status(await say(running.port, request())) == 200


async def test_tunnels_take_their_place_among_the_connections() -> None:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(SWITCH)
        await reader.read(-1)

    async with (
        upstream(handle) as endpoint,
        proxy(at_most_two(endpoint)) as running,
        connection(running.port) as one,
        connection(running.port) as two,
    ):
        for reader, writer in (one, two):
            writer.write(request("GET / HTTP/1.1", "Connection: upgrade", "Upgrade: chatter", close=False))
            assert status(await reader.readuntil(b"\r\n\r\n")) == 101
        assert status(await say(running.port, request())) == 503


@pytest.mark.parametrize("phase", ["before the answer", "in its body", "in the request"])
async def test_a_client_that_leaves_is_left_by_the_proxy_too(phase: str) -> None:
    """At once, not when the next byte is to be written."""
    reached, closed = asyncio.Event(), asyncio.Event()

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        if phase == "in its body":
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
        reached.set()
        await reader.read(-1)
        closed.set()

    async with (
        upstream(handle) as endpoint,
        proxy(one_route(endpoint.url)) as running,
        connection(running.port) as (_, writer),
    ):
        worker = running.worker
        left_out = b"Content-Length: 10\r\n" if phase == "in the request" else b""
        writer.write(b"POST / HTTP/1.1\r\nHost: t\r\n" + left_out + b"\r\n")
        async with asyncio.timeout(WAIT_S):
            await reached.wait()
            writer.transport.abort()
            await closed.wait()
        assert running.errors == {"client_gone": 1}
        assert (worker.under_way, len(worker.upstreams)) == (0, 0)
        assert [endpoint.pending for endpoint in worker.table.routes[0].split.baseline.pool.endpoints] == [0]


async def test_unix_sockets_on_both_sides(tmp_path: Path) -> None:
    """A caller on a socket file is trusted, and has no address to forward."""
    agent, front = tmp_path / "agent.sock", tmp_path / "front.sock"

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(OK)(endpoint, reader, writer)

    endpoint = Upstream(handle)
    server = await asyncio.start_unix_server(endpoint._serve, agent)
    config = one_route(f"unix:{agent}", top="trust: [10.9.0.0/16]").replace("127.0.0.1:0", f"'unix:{front}'")
    async with proxy_process(config, tmp_path) as running:
        reader, writer = await asyncio.open_unix_connection(front)
        writer.write(request("GET / HTTP/1.1", "x-traffic-color: canary", "x-forwarded-for: 10.1.1.1"))
        async with asyncio.timeout(WAIT_S):
            assert (await reader.read(-1)).endswith(b"\r\n\r\nok")
        writer.close()
        running.send(signal.SIGTERM)
        assert await running.exit_code() == 0
    server.close()
    head = endpoint.heard[0]
    assert field(head, "host") == b"localhost"
    assert field(head, "x-traffic-color") == b"canary"
    assert field(head, "x-forwarded-for") == b"10.1.1.1"
    assert not front.exists(), "the proxy takes its socket file away"


async def test_a_missing_socket_file_is_a_502(tmp_path: Path) -> None:
    async with proxy(one_route(f"unix:{tmp_path}/none.sock")) as running:
        answer = await say(running.port, request())
    error = json.loads(body_of(answer))["error"]
    assert (status(answer), error["kind"]) == (502, "upstream_unreachable")
    assert error["message"] == f"unix:{tmp_path}/none.sock cannot be reached: no such socket file."


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("http://127.0.0.1:1", "connection refused"),
        ("http://a..b:80", "its host is no valid name"),
        (f"http://{'a' * 64}.test:80", "its host is no valid name"),
    ],
)
async def test_an_endpoint_that_cannot_be_reached_is_a_502_that_says_why(endpoint: str, reason: str) -> None:
    async with proxy(one_route(endpoint)) as running:
        answer = await say(running.port, request("POST / HTTP/1.1", body=b"x" * 200_000))
    error = json.loads(body_of(answer))["error"]
    assert (status(answer), error["kind"]) == (502, "upstream_unreachable")
    assert error["message"] == f"{endpoint} cannot be reached: {reason}."
