"""Names of endpoints: cached, looked up anew, kept when the resolver fails; and what connections make of several addresses."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager

import pytest
from harness import OK, WAIT_S, Proxy, answering, body_of, one_route, proxy, request, say, status, upstream
from harness import Upstream as Endpoint
from tls_cases import no_bugs, until

from tracer_proxy.dataplane import connections as connections_module
from tracer_proxy.dataplane import resolver as resolver_module
from tracer_proxy.dataplane.race import first_of
from tracer_proxy.dataplane.resolver import Resolver, Unresolved, system_lookup
from tracer_proxy.dataplane.upstream import Upstream
from tracer_proxy.limits import DNS_LOOKUPS_MAX, DNS_NAMES_MAX


class Names:
    """A resolver of the system's that does what a test tells it; ``asked`` holds the names in order."""

    def __init__(self, **known: Sequence[str] | Exception) -> None:
        self.known: dict[str, Sequence[str] | Exception] = dict(known)
        self.asked: list[str] = []
        self.hanging: set[str] = set()
        self.go_on = threading.Event()

    def __call__(self, name: str) -> Sequence[str]:
        self.asked.append(name)
        if name in self.hanging:
            self.go_on.wait(WAIT_S)
        found = self.known.get(name, socket.gaierror(-2, "Name or service not known"))
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture
async def names() -> AsyncIterator[Names]:
    """At the end nothing hangs any more, and nobody has raised where no one listens."""
    made = Names()
    async with no_bugs():
        yield made
        made.go_on.set()


TTL_S = 1000.0


async def become(resolver: Resolver, address: str) -> None:
    """The answer for ``a.test`` arrives in the background."""
    async with asyncio.timeout(WAIT_S):
        while await resolver.addresses("a.test", TTL_S) != (address,):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_an_answer_is_kept_and_its_addresses_take_turns(names: Names) -> None:
    names.known["a.test"] = ["10.0.0.1", "10.0.0.2", "10.0.0.1", "fd00::1"]
    resolver = Resolver(asyncio.get_running_loop(), names)
    answers = [await resolver.addresses("a.test", TTL_S) for _ in range(3)]
    assert answers == [
        ("10.0.0.1", "10.0.0.2", "fd00::1"),
        ("10.0.0.2", "10.0.0.1", "fd00::1"),
        ("10.0.0.1", "10.0.0.2", "fd00::1"),
    ]
    assert names.asked == ["a.test"]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "fe80::1"])
async def test_addresses_are_not_looked_up(names: Names, address: str) -> None:
    assert await Resolver(asyncio.get_running_loop(), names).addresses(address, TTL_S) == (address,)
    assert names.asked == []


async def test_one_lookup_at_a_time_for_a_name(names: Names) -> None:
    names.known["a.test"] = ["10.0.0.1"]
    names.hanging = {"a.test"}
    resolver = Resolver(asyncio.get_running_loop(), names)
    asking = [asyncio.ensure_future(resolver.addresses("a.test", TTL_S)) for _ in range(100)]
    await until(lambda: names.asked == ["a.test"])
    names.go_on.set()
    assert {await answer for answer in asking} == {("10.0.0.1",)}
    assert names.asked == ["a.test"]


async def test_a_new_answer_comes_with_the_time_to_live(names: Names) -> None:
    names.known["a.test"] = ["10.0.0.1"]
    resolver = Resolver(asyncio.get_running_loop(), names)
    assert await resolver.addresses("a.test", 0.05) == ("10.0.0.1",)
    names.known["a.test"] = ["10.0.0.2"]
    await asyncio.sleep(0.06)
    assert await resolver.addresses("a.test", 0.05) == ("10.0.0.2",)


async def test_before_that_it_is_looked_up_in_the_background(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver_module, "DNS_REFRESH_SHARE", 0.0)
    names.known["a.test"] = ["10.0.0.1"]
    resolver = Resolver(asyncio.get_running_loop(), names)
    await resolver.addresses("a.test", TTL_S)
    names.known["a.test"] = ["10.0.0.2"]
    names.hanging = {"a.test"}
    assert await resolver.addresses("a.test", TTL_S) == ("10.0.0.1",), "nobody waits for it"
    names.go_on.set()
    await become(resolver, "10.0.0.2")


async def test_a_failing_resolver_leaves_the_last_good_answer(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it fails; said once, and once more when it is over."""
    monkeypatch.setattr(resolver_module, "DNS_RETRY_S", 0.0)
    told: list[tuple[str, str]] = []
    names.known["a.test"] = ["10.0.0.1"]
    resolver = Resolver(asyncio.get_running_loop(), names, lambda *words: told.append(words))
    await resolver.addresses("a.test", 0.001)
    names.known["a.test"] = socket.gaierror(-3, "Temporary failure in name resolution")
    for _ in range(5):
        await asyncio.sleep(0.002)
        assert await resolver.addresses("a.test", 0.001) == ("10.0.0.1",)
    assert resolver.failures == len(names.asked) - 1 >= 5
    names.known["a.test"] = ["10.0.0.2"]
    assert await resolver.addresses("a.test", 0.001) == ("10.0.0.2",)
    assert told == [("a.test", "its name cannot be resolved: temporary failure in name resolution"), ("a.test", "")]


async def test_a_hanging_resolver_too(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first waits for a moment; the others know that the lookup is late. Its answer is taken when it comes."""
    monkeypatch.setattr(resolver_module, "DNS_STALE_WAIT_S", 0.05)
    names.known["a.test"] = ["10.0.0.1"]
    resolver = Resolver(asyncio.get_running_loop(), names)
    await resolver.addresses("a.test", 0.01)
    names.known["a.test"] = ["10.0.0.2"]
    names.hanging = {"a.test"}
    await asyncio.sleep(0.02)
    for _ in range(20):
        assert await resolver.addresses("a.test", 0.01) == ("10.0.0.1",)
    assert names.asked == ["a.test"] * 2
    names.go_on.set()
    await become(resolver, "10.0.0.2")


async def test_a_failure_is_not_kept_for_long(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver_module, "DNS_RETRY_S", 0.2)
    resolver = Resolver(asyncio.get_running_loop(), names)
    for _ in range(3):
        with pytest.raises(Unresolved, match=r"^its name cannot be resolved: name or service not known$"):
            await resolver.addresses("a.test", TTL_S)
    assert names.asked == ["a.test"]
    names.known["a.test"] = ["10.0.0.1"]
    await asyncio.sleep(0.25)
    assert await resolver.addresses("a.test", TTL_S) == ("10.0.0.1",)


async def test_a_lookup_without_an_end(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver_module, "DNS_LOOKUP_S", 0.05)
    names.hanging = {"a.test"}
    resolver = Resolver(asyncio.get_running_loop(), names)
    for _ in range(3):
        with pytest.raises(Unresolved, match="the resolver did not answer within"):
            await resolver.addresses("a.test", TTL_S)
    assert names.asked == ["a.test"]
    assert resolver.failures == 1


async def test_hanging_names_do_not_take_all_threads(names: Names) -> None:
    """Fewer than there are threads: the next name is not kept waiting. More: it waits in line, and gets its turn."""
    hanging = [f"hangs-{number}.test" for number in range(DNS_LOOKUPS_MAX - 1)]
    names.hanging = set(hanging)
    names.known |= {"a.test": ["10.0.0.1"], "b.test": ["10.0.0.2"]}
    resolver = Resolver(asyncio.get_running_loop(), names)
    asking = [asyncio.ensure_future(resolver.addresses(name, TTL_S)) for name in hanging]
    await until(lambda: len(names.asked) == len(hanging))
    assert await resolver.addresses("a.test", TTL_S) == ("10.0.0.1",)
    names.hanging.add("one-more.test")
    asking.append(asyncio.ensure_future(resolver.addresses("one-more.test", TTL_S)))
    await until(lambda: "one-more.test" in names.asked)
    in_line = asyncio.ensure_future(resolver.addresses("b.test", TTL_S))
    await asyncio.sleep(0.05)
    assert "b.test" not in names.asked
    assert await resolver.addresses("a.test", TTL_S) == ("10.0.0.1",)
    names.go_on.set()
    assert await in_line == ("10.0.0.2",)
    await asyncio.gather(*asking, return_exceptions=True)


@pytest.mark.parametrize("failure", [ValueError("a bug"), UnicodeError("label too long"), OSError(), socket.gaierror(-2)])
async def test_whatever_a_lookup_raises(names: Names, failure: Exception) -> None:
    names.known["a.test"] = failure
    with pytest.raises(Unresolved, match=r"^its (name cannot be resolved|host is no valid name)"):
        await Resolver(asyncio.get_running_loop(), names).addresses("a.test", TTL_S)


async def test_a_name_without_an_address(names: Names) -> None:
    names.known["a.test"] = []
    with pytest.raises(Unresolved, match="it has no address"):
        await Resolver(asyncio.get_running_loop(), names).addresses("a.test", TTL_S)


async def test_names_are_forgotten(names: Names) -> None:
    names.known |= {"a.test": ["10.0.0.1"], "b.test": ["10.0.0.2"]}
    resolver = Resolver(asyncio.get_running_loop(), names)
    for name in ("a.test", "b.test"):
        await resolver.addresses(name, TTL_S)
    resolver.retain({"a.test"})
    for name in ("a.test", "b.test"):
        await resolver.addresses(name, TTL_S)
    assert names.asked == ["a.test", "b.test", "b.test"]
    for number in range(DNS_NAMES_MAX + 10):
        resolver._add(f"{number}.test")
    assert len(resolver._names) == DNS_NAMES_MAX


async def test_whoever_gives_up_waiting_leaves_the_others_alone(names: Names) -> None:
    names.known["a.test"] = ["10.0.0.1"]
    names.hanging = {"a.test"}
    resolver = Resolver(asyncio.get_running_loop(), names)
    patient = asyncio.ensure_future(resolver.addresses("a.test", TTL_S))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await resolver.addresses("a.test", TTL_S)
    names.go_on.set()
    assert await patient == ("10.0.0.1",)


async def test_the_systems_own_lookup() -> None:
    assert set(system_lookup("localhost")) & {"127.0.0.1", "::1"}
    assert all(isinstance(address, str) for address in system_lookup("localhost"))


# Connections.


@asynccontextmanager
async def proxy_with(names: Names, host: str, port: int, **more: str) -> AsyncIterator[Proxy]:
    async with proxy(one_route(f"http://{host}:{port}", **more)) as running:
        worker = running.worker
        worker.connections.resolver = Resolver(worker.loop, names)
        yield running


@contextmanager
def swallowing_address() -> Iterator[int]:
    """A port where 127.0.0.2 takes no further connection, and never says so: its queue is full."""
    with socket.create_server(("127.0.0.2", 0), backlog=0) as listener, ExitStack() as waiting:
        for _ in range(4):
            client = waiting.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


async def test_localhost() -> None:
    async with upstream(answering(OK)) as endpoint, proxy(one_route(f"http://localhost:{endpoint.port}")) as running:
        assert [status(await say(running.port, request())) for _ in range(3)] == [200] * 3


async def test_the_next_address_when_one_refuses(names: Names) -> None:
    names.known["agent.test"] = ["127.0.0.3", "127.0.0.2", "127.0.0.1"]
    close = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    async with upstream(answering(close)) as endpoint, proxy_with(names, "agent.test", endpoint.port) as running:
        answers = [status(await say(running.port, request())) for _ in range(6)]
        assert answers == [200] * 6
        assert b"\r\nHost: agent.test:" in endpoint.heard[0]
        await until(lambda: not running.worker.upstreams)
    assert names.asked == ["agent.test"]


async def test_all_addresses_refuse(names: Names) -> None:
    names.known["agent.test"] = ["127.0.0.3", "127.0.0.2"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with proxy_with(names, "agent.test", taken.getsockname()[1]) as running:
            answer = await say(running.port, request())
            assert not running.worker.upstreams
    assert status(answer) == 502
    assert json.loads(body_of(answer))["error"]["message"].endswith("cannot be reached: connection refused.")


async def test_an_address_that_swallows_everything(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one is tried beside it, long before the time to connect is over."""
    monkeypatch.setattr(connections_module, "DIAL_STAGGER_S", 0.05)
    names.known["agent.test"] = ["127.0.0.2", "127.0.0.1"]
    with swallowing_address() as port:
        endpoint = Endpoint(lambda reader, writer: answering(OK)(endpoint, reader, writer))
        server = await asyncio.start_server(endpoint._serve, "127.0.0.1", port)
        async with proxy_with(names, "agent.test", port) as running:
            assert status(await say(running.port, request())) == 200
            assert len(running.worker.upstreams) == 1
            assert endpoint.connections == 1
        server.close()


async def test_a_name_that_cannot_be_resolved(names: Names) -> None:
    async with proxy_with(names, "agent.test", 7001) as running:
        answer = await say(running.port, request())
        assert not running.worker.upstreams
    error = json.loads(body_of(answer))["error"]
    assert (status(answer), error["kind"], error["side"]) == (502, "upstream_unreachable", "upstream")
    told = "http://agent.test:7001 cannot be reached: its name cannot be resolved: name or service not known."
    assert error["message"] == told


async def test_dials_go_on_while_the_resolver_is_down(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    names.known["agent.test"] = ["127.0.0.1"]
    close = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
    async with (
        upstream(answering(close)) as endpoint,
        proxy_with(names, "agent.test", endpoint.port, listener="dns_ttl: 1ms") as running,
    ):
        assert status(await say(running.port, request())) == 200
        names.known["agent.test"] = socket.gaierror(-3, "Temporary failure in name resolution")
        assert [status(await say(running.port, request())) for _ in range(5)] == [200] * 5
        assert running.worker.connections.resolver.failures >= 1


async def test_idle_connections_to_endpoints_that_are_gone_are_closed(names: Names) -> None:
    names.known["agent.test"] = ["127.0.0.1"]
    async with upstream(answering(OK)) as endpoint, proxy_with(names, "agent.test", endpoint.port) as running:
        worker = running.worker
        await say(running.port, request())
        used = worker.table.routes[0].split.lanes[0].pool.endpoints
        worker.connections.retain(used)
        assert worker.connections.idle_count == 1
        worker.connections.retain([])
        assert worker.connections.idle_count == 0
        await until(lambda: not worker.upstreams)
        assert status(await say(running.port, request())) == 200
    assert names.asked == ["agent.test"] * 2


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["127.0.0.1", "127.0.0.2"]])
async def test_a_dial_that_is_given_up_as_it_succeeds(
    names: Names, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loop closes such a connection without telling its protocol."""
    names.known["agent.test"] = addresses
    made = Upstream.connection_made

    def made_too_late(self: Upstream, transport: asyncio.BaseTransport) -> None:
        made(self, transport)
        dialling.cancel()

    monkeypatch.setattr(Upstream, "connection_made", made_too_late)
    async with upstream(answering(OK)) as endpoint, proxy_with(names, "agent.test", endpoint.port) as running:
        worker = running.worker
        used = worker.table.routes[0].split.lanes[0].pool.endpoints[0]
        dialling = asyncio.ensure_future(worker.connections.dial(used, WAIT_S))
        with pytest.raises(asyncio.CancelledError):
            await dialling
        await until(lambda: endpoint.connections == 1)
        await until(lambda: not worker.upstreams)


# The race.


class Won:
    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


async def test_only_the_first_of_two_that_succeed_together_is_kept() -> None:
    together, made = asyncio.Event(), [Won(), Won()]

    async def attempt(number: int) -> Won:
        if number:
            together.set()
        await together.wait()
        return made[number]

    kept = await first_of([lambda: attempt(0), lambda: attempt(1)], 0.01)
    assert [won.closed for won in made] == [won is not kept for won in made]
    assert sum(won.closed for won in made) == 1


async def test_whoever_loses_is_cancelled_or_closed() -> None:
    stubborn, cancelled = Won(), asyncio.Event()

    async def refuses_to_stop() -> Won:
        try:
            await asyncio.sleep(WAIT_S)
        except asyncio.CancelledError:
            cancelled.set()
        return stubborn

    async def wins() -> Won:
        return Won()

    won = await first_of([refuses_to_stop, wins], 0.01)
    await cancelled.wait()
    await until(lambda: stubborn.closed)
    assert not won.closed
