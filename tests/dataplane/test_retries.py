"""A request is sent again where that is safe and wanted, never twice where it is not, and the client gets one answer always."""

import asyncio
import json
import socket
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack

import pytest
from harness import (
    OK,
    WAIT_S,
    Proxy,
    Upstream,
    answering,
    body_of,
    connection,
    field,
    fields,
    one_route,
    proxy,
    read_chunked,
    request,
    say,
    status,
    upstream,
)
from leftovers import hangs, kind, nothing_left, refusing, resets, until

from tracer_proxy.dataplane import attempts
from tracer_proxy.errors import ProxyError
from tracer_proxy.limits import REPLAY_BYTES_MAX, RETRY_BUDGET_WINDOW_S, RETRY_RATE_MIN
from tracer_proxy.routing.balance import Dice
from tracer_proxy.routing.endpoint import Endpoint
from tracer_proxy.routing.pool import Pool

BUSY = b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy"
IN_TURN = "balance: round_robin"
"""So that the first request goes to the first endpoint."""


def both(first: str, second: str, retries: str) -> str:
    return one_route(first, second, pool=IN_TURN, route=f"retries: {{backoff: 1ms, {retries}}}")


def told_by(running: Proxy) -> list[tuple[ProxyError, Mapping[str, str]]]:
    """What the log will hear of."""
    told: list[tuple[ProxyError, Mapping[str, str]]] = []
    running.worker._tell = lambda error, details: told.append((error, details))
    return told


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_refused_connection_is_tried_at_another_endpoint_by_default(method: str) -> None:
    """Nothing was sent, so this is safe for a POST too."""
    body = b"x" * 200_000 if method == "POST" else b""
    with refusing() as refused:
        async with upstream(answering(OK)) as good:
            config = one_route(refused, good.url, pool=IN_TURN)
            async with proxy(config) as running:
                answer = await say(running.port, request(f"{method} / HTTP/1.1", body=body))
                await nothing_left(running)
    assert status(answer) == 200
    assert good.bodies == [body]


async def test_the_default_is_two_tries() -> None:
    with refusing() as one, refusing() as two, refusing() as three:
        async with proxy(one_route(one, two, three, pool=IN_TURN)) as running:
            told = told_by(running)
            answer = await say(running.port, request())
            await nothing_left(running)
    assert (status(answer), kind(answer)) == (502, "upstream_unreachable")
    ((_, details),) = told
    assert (details["endpoint"], details["attempts"]) in ((two, "2"), (three, "2"))


async def test_one_attempt_is_no_retry() -> None:
    with refusing() as refused:
        async with upstream(answering(OK)) as good, proxy(both(refused, good.url, "attempts: 1")) as running:
            assert status(await say(running.port, request())) == 502
    assert good.connections == 0


async def test_after_a_reset_a_get_goes_to_another_endpoint() -> None:
    async with (
        upstream(resets) as bad,
        upstream(answering(OK)) as good,
        proxy(both(bad.url, good.url, "on: [reset]")) as running,
    ):
        answer = await say(running.port, request("GET /path HTTP/1.1", "x-mine: 1"))
        await nothing_left(running)
    assert status(answer) == 200
    assert len(bad.heard) == 1
    assert field(good.heard[0], "x-mine") == b"1"
    assert good.heard[0].startswith(b"GET /path ")
    assert field(good.heard[0], "host") == good.url.removeprefix("http://").encode()


async def test_after_a_reset_nothing_is_sent_again_unless_the_route_says_so() -> None:
    async with upstream(resets) as bad, upstream(answering(OK)) as good, proxy(both(bad.url, good.url, "")) as running:
        assert kind(await say(running.port, request())) == "upstream_closed"
    assert (len(bad.heard), good.connections) == (1, 0)


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504, 599])
async def test_a_status_that_the_route_names_is_not_passed_on(code: int) -> None:
    outcome = "5xx" if code == 599 else code
    busy = b"HTTP/1.1 %d Busy\r\nContent-Length: 4\r\n\r\nbusy" % code
    async with (
        upstream(answering(busy)) as bad,
        upstream(answering(OK)) as good,
        proxy(both(bad.url, good.url, f"on: {outcome}")) as running,
    ):
        answer = await say(running.port, request())
        await nothing_left(running)
    assert status(answer) == 200
    assert b"busy" not in answer
    assert (len(bad.heard), len(good.heard)) == (1, 1)


async def test_the_last_answer_is_passed_on_whatever_its_status() -> None:
    async with (
        upstream(answering(BUSY)) as bad,
        upstream(answering(BUSY)) as worse,
        proxy(both(bad.url, worse.url, "attempts: 4, on: 503")) as running,
    ):
        answer = await say(running.port, request())
        await nothing_left(running)
    assert (status(answer), body_of(answer)) == (503, b"busy")
    assert b"x-tracer-proxy" not in answer
    assert len(bad.heard) + len(worse.heard) == 4


@pytest.mark.parametrize(("outcome", "bad"), [("reset", resets), ("503", answering(BUSY))])
async def test_a_post_that_was_sent_is_not_sent_again(outcome: str, bad: object) -> None:
    async with (
        upstream(bad) as first,  # type: ignore[arg-type]
        upstream(answering(OK)) as second,
        proxy(both(first.url, second.url, f"on: {outcome}")) as running,
    ):
        answer = await say(running.port, request("POST / HTTP/1.1", body=b"once"))
        await nothing_left(running)
    assert status(answer) in (502, 503)
    assert (first.bodies, second.bodies) == ([b"once"], [])


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_a_post_is_sent_again_with_its_body_where_the_route_says_so(framing: str) -> None:
    pieces = [b"one ", b"two ", b"three"]
    head = b"POST / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n"
    if framing == "chunked":
        head += b"Transfer-Encoding: chunked\r\n\r\n"
        sent = [b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces] + [b"0\r\n\r\n"]
    else:
        head, sent = head + b"Content-Length: 13\r\n\r\n", pieces
    async with (
        upstream(resets) as bad,
        upstream(answering(OK)) as good,
        proxy(both(bad.url, good.url, "on: reset, non_idempotent: true")) as running,
    ):
        answer = await say(running.port, head, *sent, pause_s=0.02)
        await nothing_left(running)
    assert status(answer) == 200
    assert (bad.bodies, good.bodies) == ([b"one two three"], [b"one two three"])


async def test_an_early_answer_is_passed_over_and_the_rest_of_the_body_goes_to_the_next() -> None:
    async def refuses_early(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(BUSY)
        await reader.read(-1)
        gone.set()

    gone = asyncio.Event()
    head = b"PUT / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nContent-Length: 8\r\n\r\n"
    async with (
        upstream(refuses_early) as bad,
        upstream(answering(OK)) as good,
        proxy(both(bad.url, good.url, "on: 503")) as running,
    ):
        answer = await say(running.port, head + b"ab", b"cd", b"ef", b"gh", pause_s=0.05)
        async with asyncio.timeout(WAIT_S):
            await gone.wait()
        await nothing_left(running)
    assert status(answer) == 200
    assert good.bodies == [b"abcdefgh"]


@pytest.mark.parametrize(("size", "sent_again"), [(REPLAY_BYTES_MAX, True), (REPLAY_BYTES_MAX + 1, False)])
async def test_a_body_that_is_too_large_is_not_kept_for_it(size: int, sent_again: bool) -> None:
    async with (
        upstream(resets) as bad,
        upstream(answering(OK)) as good,
        proxy(both(bad.url, good.url, "on: reset")) as running,
    ):
        answer = await say(running.port, request("PUT / HTTP/1.1", body=b"x" * size))
        await nothing_left(running)
    assert status(answer) == (200 if sent_again else 502)
    assert [len(body) for body in good.bodies] == ([size] if sent_again else [])


async def test_bodies_are_kept_only_as_far_as_the_worker_may(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them count, also that of another exchange."""
    monkeypatch.setattr(attempts, "HELD_BODIES_BYTES_MAX", 1500)

    async with (
        upstream(hangs) as slow,
        upstream(resets) as bad,
        upstream(answering(OK)) as good,
    ):
        pools = f"{{slow: {{endpoints: [{slow.url}]}}, two: {{endpoints: [{bad.url}, {good.url}], balance: round_robin}}}}"
        retries = "retries: {on: reset, backoff: 0}"
        routes = ", ".join(
            f"{{name: {name}, match: {{path: /{name}}}, {retries}, lanes: [{{name: x, pool: {name}}}]}}"
            for name in ("slow", "two")
        )
        async with proxy(f"version: 1\nproxy: {{listen: 127.0.0.1:0}}\nroutes: [{routes}]\npools: {pools}\n") as running:
            async with connection(running.port) as (_, writer):
                writer.write(request("PUT /slow HTTP/1.1", body=b"x" * 1000))
                await until(lambda: bool(slow.bodies))
                assert running.worker.held_bytes == 1000
                assert status(await say(running.port, request("PUT /two HTTP/1.1", body=b"x" * 1000))) == 502
            await nothing_left(running)
            await say(running.port, request("PUT /two HTTP/1.1", body=b"x"))
            assert status(await say(running.port, request("PUT /two HTTP/1.1", body=b"x" * 1000))) == 200
            await nothing_left(running)


async def test_the_budget_keeps_retries_from_multiplying_an_outage() -> None:
    route = "retries: {on: reset, backoff: 0, budget: 10}"
    async with upstream(resets) as bad, proxy(one_route(bad.url, route=route)) as running:
        for _ in range(100):
            assert status(await say(running.port, request())) == 502
        await nothing_left(running)
    assert 100 < bad.connections <= 100 + 10 + RETRY_RATE_MIN * RETRY_BUDGET_WINDOW_S


async def test_no_budget_is_no_retry() -> None:
    with refusing() as refused:
        async with upstream(answering(OK)) as good, proxy(both(refused, good.url, "budget: 0")) as running:
            assert status(await say(running.port, request())) == 502


async def test_an_endpoint_that_asks_to_be_left_alone_is() -> None:
    times: list[float] = []

    async def recovers(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await endpoint.request(reader)
            times.append(time.monotonic())
            writer.write(OK if len(times) > 1 else BUSY.replace(b"Content-Length", b"Retry-After: 1\r\nContent-Length"))

    async with upstream(recovers) as endpoint:
        config = one_route(endpoint.url, route="retries: {on: 503, backoff: 0}")
        async with proxy(config) as running:
            assert status(await say(running.port, request())) == 200
    assert times[1] - times[0] > 0.99, "timers count in milliseconds"
    assert endpoint.connections == 1, "the whole answer was there, so the connection is as good as before"


@pytest.mark.parametrize("asked", [b"60", b"Fri, 31 Dec 2100 23:59:59 GMT"])
async def test_one_that_asks_for_longer_than_the_longest_pause_has_its_answer_passed_on(asked: bytes) -> None:
    busy = BUSY.replace(b"Content-Length", b"Retry-After: %b\r\nContent-Length" % asked)
    async with (
        upstream(answering(busy)) as bad,
        upstream(answering(OK)) as good,
        proxy(both(bad.url, good.url, "on: 503")) as running,
    ):
        answer = await say(running.port, request())
    assert (status(answer), field(answer, "retry-after")) == (503, asked)
    assert good.connections == 0


async def test_a_try_that_takes_too_long_is_followed_by_another() -> None:
    async with (
        upstream(hangs) as bad,
        upstream(answering(OK)) as good,
        proxy(both(bad.url, good.url, "on: timeout, per_try: 200ms")) as running,
    ):
        answer = await say(running.port, request("PUT / HTTP/1.1", body=b"again"))
        await nothing_left(running)
    assert status(answer) == 200
    assert (bad.bodies, good.bodies) == ([b"again"], [b"again"])


@pytest.mark.parametrize("line", ["POST / HTTP/1.1", "GET / HTTP/1.1"])
async def test_a_try_that_nothing_can_follow_has_all_the_time_of_the_route(line: str) -> None:
    """A POST was sent; and of a GET this is the last try."""

    async def thinks(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        await asyncio.sleep(0.7)
        writer.write(OK)

    async with upstream(thinks) as endpoint:
        config = one_route(endpoint.url, route="retries: {on: timeout, per_try: 100ms, backoff: 0}")
        async with proxy(config) as running:
            assert status(await say(running.port, request(line))) == 200
            await nothing_left(running)
    assert len(endpoint.heard) == (1 if line.startswith("POST") else 2)


@pytest.mark.parametrize(
    "begun",
    [
        b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbu",
        b"HTTP/1.1 503 Busy\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nbu\r\n",
        b"HTTP/1.1 503 Busy\r\n\r\nbu",
    ],
)
async def test_a_passed_over_answer_that_is_not_whole_costs_its_connection(begun: bytes) -> None:
    """What would still come of it must not become the next answer."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(begun)
        assert await reader.read(-1) == b""
        gone.set()

    gone = asyncio.Event()
    async with (
        upstream(handle) as bad,
        upstream(answering(OK)) as good,
        proxy(both(bad.url, good.url, "on: 503")) as running,
    ):
        answer = await say(running.port, request())
        async with asyncio.timeout(WAIT_S):
            await gone.wait()
        await nothing_left(running)
    assert status(answer) == 200


@pytest.mark.parametrize(
    "begun",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"],
    ids=["half an answer", "interim answer"],
)
async def test_what_the_client_has_seen_something_of_is_not_tried_again(begun: bytes) -> None:
    async def breaks_off(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(begun)

    async with (
        upstream(breaks_off) as bad,
        upstream(answering(OK)) as good,
        proxy(both(bad.url, good.url, "on: [reset, 5xx]")) as running,
    ):
        answer = await say(running.port, request())
        await nothing_left(running)
    assert good.connections == 0
    assert b"200 OK\r\nContent-Length: 2" not in answer


async def test_garbage_instead_of_an_answer_counts_as_a_reset() -> None:
    async with (
        upstream(answering(b"SSH-2.0-OpenSSH\r\n\r\n")) as bad,
        upstream(answering(OK)) as good,
        proxy(both(bad.url, good.url, "on: reset")) as running,
    ):
        assert status(await say(running.port, request())) == 200
        await nothing_left(running)


async def test_each_request_of_a_connection_gets_one_answer() -> None:
    """Piped, some of them tried again, in their order."""

    async def every_other(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await endpoint.head(reader)
            path = head.split(b" ")[1]
            if endpoint.heard.count(head) == 1 and len(endpoint.heard) % 2:
                return
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(path), path))

    config_route = "retries: {on: reset, backoff: 1ms, attempts: 5, budget: 100}"
    async with upstream(every_other) as endpoint, proxy(one_route(endpoint.url, route=config_route)) as running:
        piped = b"".join(request(f"GET /{number} HTTP/1.1", close=number == 19) for number in range(20))
        answer = await say(running.port, piped)
        await nothing_left(running)
    assert [piece.partition(b"HTTP")[0] for piece in answer.split(b"\r\n\r\n")[1:]] == [b"/%d" % n for n in range(20)]


async def test_a_client_that_leaves_during_the_pause_ends_it() -> None:
    route = "retries: {on: reset, backoff: 1h, backoff_max: 1h}"
    async with upstream(resets) as bad, proxy(one_route(bad.url, route=route)) as running:
        running.worker.dice = lambda: 0.5
        async with connection(running.port) as (_, writer):
            writer.write(request("PUT / HTTP/1.1", body=b"kept"))
            await until(lambda: bool(bad.bodies) and not running.worker.upstreams)
            assert running.worker.exchanges_open == 1
            assert running.worker.held_bytes == 4
        await nothing_left(running)
        assert not running.worker.downstreams
    assert bad.connections == 1


async def test_a_drain_ends_a_pause() -> None:
    route = "retries: {on: reset, backoff: 1h, backoff_max: 1h}"
    async with upstream(resets) as bad, proxy(one_route(bad.url, route=route)) as running:
        running.worker.dice = lambda: 0.5
        async with connection(running.port) as (reader, writer):
            writer.write(request())
            await until(lambda: bool(bad.bodies))
            await running.worker.drain(0.1)
            answer = await reader.read(-1)
        assert (status(answer), kind(answer)) == (503, "draining")
        await nothing_left(running)


def failing_over(first: str, others: str, *, more: str = "", route: str = "") -> str:
    """``others`` are the pools that stand in, with their bodies; ``more`` is YAML of the first pool."""
    names = ", ".join(part.split(":")[0].strip() for part in others.split(";"))
    pools = "\n".join(f"  {part.strip()}" for part in others.split(";"))
    return one_route(first, pool=f"failover: [{names}]\n{more}", route=route) + pools + "\n"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_next_pool_takes_what_one_does_not_connect_to(method: str) -> None:
    with refusing() as one, refusing() as two:
        async with upstream(answering(OK)) as good:
            config = failing_over(one, f"b: {{endpoints: [{two}]}}; c: {{endpoints: [{good.url}]}}")
            async with proxy(config) as running:
                answer = await say(running.port, request(f"{method} / HTTP/1.1", body=b"x" if method == "POST" else b""))
                await nothing_left(running)
    assert status(answer) == 200
    assert good.connections == 1


async def test_failing_over_needs_no_retries_and_no_budget() -> None:
    with refusing() as refused:
        async with upstream(answering(OK)) as good:
            config = failing_over(refused, f"b: {{endpoints: [{good.url}]}}", route="retries: {attempts: 1, budget: 0}")
            async with proxy(config) as running:
                assert status(await say(running.port, request())) == 200


async def test_when_no_pool_is_left_the_log_names_the_last_endpoint() -> None:
    with refusing() as one, refusing() as two:
        config = failing_over(one, f"b: {{endpoints: [{two}]}}")
        async with proxy(config) as running:
            told = told_by(running)
            answer = await say(running.port, request())
            await nothing_left(running)
    assert (status(answer), kind(answer)) == (502, "upstream_unreachable")
    assert two.removeprefix("http://") in json.loads(body_of(answer))["error"]["message"]
    ((_, details),) = told
    assert (details["lane"], details["failover_pool"], details["endpoint"]) == ("only", "b", two)


async def test_the_next_pool_takes_what_a_full_one_cannot() -> None:
    async with upstream(hangs) as slow, upstream(answering(OK)) as good:
        config = failing_over(slow.url, f"b: {{endpoints: [{good.url}]}}", more="limits: {requests: 1}")
        async with proxy(config) as running:
            async with connection(running.port) as (_, writer):
                writer.write(request())
                await until(lambda: bool(slow.heard))
                assert status(await say(running.port, request())) == 200
            await nothing_left(running)


def nobody_is_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the pool that a lane names; those that stand in are well."""
    pick = Pool.pick

    def pick_none(pool: Pool, dice: Dice, key: bytes, tried: Sequence[Endpoint] = ()) -> Endpoint | None:
        return None if pool.name == "only" else pick(pool, dice, key, tried)

    monkeypatch.setattr(Pool, "pick", pick_none)


async def test_the_next_pool_takes_what_nobody_is_available_for(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_is_healthy(monkeypatch)
    async with (
        upstream(answering(OK)) as good,
        proxy(failing_over("http://127.0.0.1:1", f"b: {{endpoints: [{good.url}]}}")) as running,
    ):
        assert status(await say(running.port, request())) == 200


async def test_a_pool_without_anybody_is_a_503(monkeypatch: pytest.MonkeyPatch) -> None:
    nobody_is_healthy(monkeypatch)
    async with proxy(one_route("http://127.0.0.1:1")) as running:
        answer = await say(running.port, request())
        await nothing_left(running)
    assert (status(answer), kind(answer), field(answer, "retry-after")) == (503, "no_healthy_endpoint", b"1")


async def test_what_a_pool_adds_goes_to_no_other_pool() -> None:
    """Several times on one connection, whose plan remembers heads; and back at the first pool once that is there."""
    once = OK.replace(b"OK", b"OK\r\nConnection: close", 1)
    mine = request("GET / HTTP/1.1", "authorization: callers", "x-a: callers", close=False)
    with socket.socket() as first, refusing() as second:
        held = AsyncExitStack()
        first.bind(("127.0.0.1", 0))
        async with upstream(answering(OK)) as plain:
            async with upstream(answering(once)) as third:
                pools = (
                    f"b: {{endpoints: [{second}], headers: {{authorization: secret-b, x-b: '1'}}}};"
                    f"c: {{endpoints: [{third.url}], headers: {{authorization: secret-c}}, host: client}};"
                    f"d: {{endpoints: [{plain.url}]}}"
                )
                url = f"http://127.0.0.1:{first.getsockname()[1]}"
                config = failing_over(url, pools, more="headers: {authorization: secret-a, x-a: '1'}")
                running = await held.enter_async_context(proxy(config))
                reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
                for _ in range(3):
                    writer.write(mine)
                    await reader.readuntil(b"ok")
            # Nobody listens at the third any more.
            writer.write(mine)
            await reader.readuntil(b"ok")
            heard: list[bytes] = []

            async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                heard.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(once)
                writer.close()

            async with await asyncio.start_server(answers, sock=first):
                writer.write(mine)
                await reader.readuntil(b"ok")
            writer.close()
            await held.aclose()
    (by_a,), (by_d,) = heard, plain.heard
    assert [fields(head, "authorization") for head in third.heard] == [[b"secret-c"]] * 3
    assert [(fields(head, "x-a"), fields(head, "host")) for head in third.heard] == [([b"callers"], [b"test"])] * 3
    assert (fields(by_d, "authorization"), fields(by_d, "x-a")) == ([b"callers"], [b"callers"])
    assert (fields(by_a, "authorization"), fields(by_a, "x-a")) == ([b"secret-a"], [b"1"])
    assert all(b"x-b" not in head for head in (*third.heard, by_a, by_d))


async def test_a_stale_connection_is_replaced_without_a_pause_and_costs_no_retry() -> None:
    async def closes_idle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(OK)
        # The next request is read, and then the connection dies: as if it had been closed as we sent.
        await endpoint.head(reader)

    route = "retries: {attempts: 1, budget: 0}"
    async with upstream(closes_idle) as endpoint, proxy(one_route(endpoint.url, route=route)) as running:
        answer = await say(running.port, request(close=False) + request())
        await nothing_left(running)
    assert answer.count(b"200 OK") == 2
    assert endpoint.connections == 2


async def test_an_upgrade_is_tried_again_too() -> None:
    switching = b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n"

    async def echoes(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        writer.write(switching)
        writer.write(await reader.read(100))

    with refusing() as refused:
        async with upstream(echoes) as good, proxy(one_route(refused, good.url, pool=IN_TURN)) as running:
            async with connection(running.port) as (reader, writer):
                writer.write(request("GET / HTTP/1.1", "Connection: upgrade", "Upgrade: echo", close=False))
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
                circuit = running.worker.table.routes[0].split.lanes[0].pool.circuit
                assert (circuit.requests, circuit.connections) == (1, 1)
                writer.write(b"hello")
                assert await reader.readexactly(5) == b"hello"
            await nothing_left(running)
            await until(lambda: not circuit.connections)


async def test_chunks_that_come_during_a_pause_wait_for_the_next_try() -> None:
    """The client is not read meanwhile, so that what waits stays bounded."""

    async def breaks_at_the_head(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)

    async def takes(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.head(reader)
        endpoint.bodies.append(await read_chunked(reader))
        writer.write(OK)

    piece = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    async with (
        upstream(breaks_at_the_head) as bad,
        upstream(takes) as good,
        proxy(one_route(bad.url, good.url, pool=IN_TURN, route="retries: {on: reset, backoff: 1s}")) as running,
    ):
        running.worker.dice = lambda: 0.5
        async with connection(running.port) as (reader, writer):
            writer.write(b"PUT / HTTP/1.1\r\nHost: t\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
            await until(lambda: bool(bad.heard) and not running.worker.upstreams)
            writer.write(piece * 100 + b"0\r\n\r\n")
            await asyncio.sleep(0.2)
            assert running.worker.held_bytes < 600_000
            answer = await reader.read(-1)
        await nothing_left(running)
    assert status(answer) == 200
    assert [len(body) for body in good.bodies] == [0x8000 * 100]


async def stops_midway(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await endpoint.request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    await reader.read(-1)


@pytest.mark.parametrize(
    ("handler", "retries", "expected"),
    [
        (answering(OK), "attempts: 1", ["succeeded"]),
        (answering(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"), "attempts: 1", ["succeeded"]),
        (answering(BUSY), "attempts: 1", ["failed"]),
        (answering(BUSY, OK), "on: 503", ["failed", "succeeded"]),
        (answering(BUSY.replace(b"503", b"429"), OK), "on: 429", ["succeeded", "succeeded"]),
        (resets, "on: reset, attempts: 3", ["failed"] * 3),
        (answering(b"garbage\r\n\r\n"), "attempts: 1", ["failed"]),
        (hangs, "on: timeout, per_try: 100ms", ["failed"] * 2),
        (stops_midway, "on: [reset, timeout]", ["failed"]),
        (None, "attempts: 3", ["failed"] * 3),
    ],
    ids=["ok", "500", "503", "503 passed over", "429 passed over", "reset", "garbage", "silent", "midway", "refused"],
)
async def test_the_pool_is_told_once_of_each_attempt_how_it_went(
    handler: Callable[[Upstream, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None,
    retries: str,
    expected: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    heard: list[str] = []
    monkeypatch.setattr(Pool, "failed", lambda pool, endpoint, now: heard.append("failed"))
    monkeypatch.setattr(Pool, "succeeded", lambda pool, endpoint, seconds, now: heard.append("succeeded"))
    route = f"timeouts: {{first_byte: 200ms, idle: 200ms}}\nretries: {{backoff: 0, {retries}}}"
    async with upstream(handler or resets) as endpoint:
        with refusing() as refused:
            config = one_route(endpoint.url if handler else refused, route=route)
            async with proxy(config) as running:
                await say(running.port, request())
                await nothing_left(running)
    assert heard == expected


async def test_the_pool_is_not_told_of_what_is_the_clients_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    monkeypatch.setattr(Pool, "failed", lambda pool, endpoint, now: heard.append("failed"))
    monkeypatch.setattr(Pool, "succeeded", lambda pool, endpoint, seconds, now: heard.append("succeeded"))
    async with upstream(hangs) as endpoint, proxy(one_route(endpoint.url, route="timeouts: {idle: 200ms}")) as running:
        await say(running.port, b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nnonsense\r\n")
        await say(running.port, b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nhalf")
        async with connection(running.port) as (_, writer):
            writer.write(request())
            await until(lambda: bool(endpoint.bodies))
        await nothing_left(running)
    assert heard == []
