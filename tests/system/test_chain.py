"""A → B → C, each behind a route of its own, and B passes no header on: a canary session is served by canaries to the end.

Every agent is two servers, one for each version, and answers with who has served the turn from here on. A passes on all that
it is told; what B does is what differs. C is an agent that speaks OpenAI's Responses.
"""

import asyncio
import itertools
import json
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from harness import Upstream, body_of, fields, request, say, status, upstream
from proxy_process import ProxyProcess, proxy_process

from tracer_proxy.routing.bucket import bucket, seed

TURNS = 4
PASSED_ON = ("traceparent", "tracestate", "baggage", "x-traffic-color", "x-session-id")
Call = tuple[str, list[str], dict[str, Any]]
"""Path, headers and body of a request."""
Handler = Callable[[Upstream, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Drops = Callable[[bytes, Mapping[str, Any]], Call]
"""What B makes of the head and the body that it got."""


def repeats_ids(head: bytes, body: Mapping[str, Any]) -> Call:
    """A has asked C before, and has let B have the conversation."""
    return "/c/v1/responses", [], {"previous_response_id": body["conversation_so_far"]}


def repeats_session_in_body(head: bytes, body: Mapping[str, Any]) -> Call:
    return "/c/v1/responses", [], {"metadata": {"session_id": body["session"]}}


def repeats_session_in_a_header(head: bytes, body: Mapping[str, Any]) -> Call:
    return "/c/v1/responses", [f"x-claude-code-session-id: {body['session']}"], {}


def names_its_run(head: bytes, body: Mapping[str, Any]) -> Call:
    return f"/~/{body['run']}/c/v1/responses", [], {}


def passes_the_trace_on(head: bytes, body: Mapping[str, Any]) -> Call:
    return "/c/v1/responses", [f"traceparent: {fields(head, 'traceparent')[0].decode()}"], {}


def says_nothing(head: bytes, body: Mapping[str, Any]) -> Call:
    return "/c/v1/responses", [], {}


WAYS: list[Drops] = [
    repeats_ids,
    repeats_session_in_body,
    repeats_session_in_a_header,
    names_its_run,
    passes_the_trace_on,
]
HEAD = """
version: 1
proxy: {{listen: 127.0.0.1:0, workers: {workers}}}
admin: {{listen: 127.0.0.1:0}}
coloring: [{{color: canary, when: {{header: {{x-canary: "1"}}}}}}]
routes:
"""
LANES = """
  - name: {name}
    match: {{path: /{name}}}
    {model}
    lanes:
      - {{name: stable, pool: {name}-stable, weight: {stable}}}
      - {{name: canary, pool: {name}-canary, weight: {canary}, colors: [canary]{paints}}}
"""
NEXT = """
  - {{name: {name}, match: {{path: /{name}}}, lanes: [{{name: next, pool: {name}}}]}}
"""


def lanes(name: str) -> str:
    """A's canary has half of the sessions, those of B and C have what comes with its colour."""
    stable, canary, paints = (50, 50, ", color: canary") if name == "a" else (100, 0, "")
    model = "llm: {api: openai}\n    rewrite: {prefix: /}" if name == "c" else ""
    return LANES.format(name=name, stable=stable, canary=canary, paints=paints, model=model)


@dataclass
class Chain:
    """``ports`` are where the caller and each agent send what they have to say; ``proxy`` is the one by which A is called."""

    drops: Drops
    servers: dict[str, Upstream] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)
    proxy: ProxyProcess | None = None

    def pools(self, *names: str, **urls: str) -> str:
        found = {f"{name}-{lane}": self.servers[f"{name}-{lane}"].url for name in names for lane in ("stable", "canary")} | urls
        return "pools:\n" + "".join(f"  {name}: {{endpoints: [{url}]}}\n" for name, url in found.items())

    async def ask(self, agent: str, path: str, headers: Sequence[str], body: Mapping[str, Any]) -> Any:
        """As that agent, on a new connection."""
        sent = json.dumps({"model": "m", "input": "hi", **body}).encode()
        answer = await say(
            self.ports[agent], request(f"POST {path} HTTP/1.1", "content-type: application/json", *headers, body=sent)
        )
        assert status(answer) == 200, answer
        return json.loads(body_of(answer))

    async def turn(self, session: str, *headers: str) -> str:
        """Who served it, such as ``a-canary b-canary c-canary``."""
        run = f"run-{secrets.token_hex(8)}"
        path = f"/~/{run}/a" if self.drops is names_its_run else "/a"
        answer = await self.ask("caller", path, [f"x-session-id: {session}", *headers], {"session": session, "run": run})
        return str(answer["served"])

    async def a(self, head: bytes, body: Mapping[str, Any]) -> Any:
        passed = [f"{name}: {value.decode()}" for name in PASSED_ON for value in fields(head, name)]
        handed = {name: body[name] for name in ("session", "run")}
        if self.drops is repeats_ids:
            handed["conversation_so_far"] = (await self.ask("a", "/c/v1/responses", passed, {}))["id"]
        return await self.ask("a", "/b", passed, handed)

    async def b(self, head: bytes, body: Mapping[str, Any]) -> Any:
        return await self.ask("b", *self.drops(head, body))

    async def c(self, head: bytes, body: Mapping[str, Any]) -> Any:
        return {"id": f"resp_{secrets.token_hex(25)}", "object": "response", "status": "completed", "output": []}


@asynccontextmanager
async def chain(drops: Drops) -> AsyncIterator[Chain]:
    """The agents, without anything between them."""
    made = Chain(drops)
    async with AsyncExitStack() as stack:
        for name, answers in (("a", made.a), ("b", made.b), ("c", made.c)):
            for lane in ("stable", "canary"):
                server = await stack.enter_async_context(upstream(serving(f"{name}-{lane}", answers)))
                made.servers[f"{name}-{lane}"] = server
        yield made


def serving(name: str, answers: Callable[[bytes, Mapping[str, Any]], Awaitable[Any]]) -> Handler:
    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head, sent = await endpoint.request(reader)
            answer = await answers(head, json.loads(sent))
            answer["served"] = " ".join(filter(None, (name, answer.get("served"))))
            body = json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    return handle


@asynccontextmanager
async def one_proxy(drops: Drops, folder: Path, *, without: str = "") -> AsyncIterator[Chain]:
    """One proxy of two workers for all; ``without`` is a server that nobody can reach."""
    async with chain(drops) as made:
        text = HEAD.format(workers=2) + lanes("a") + lanes("b") + lanes("c") + made.pools("a", "b", "c")
        if without:
            text = text.replace(made.servers[without].url, "http://127.0.0.1:1")
        async with proxy_process(text, folder) as proxy:
            made.proxy = proxy
            made.ports = dict.fromkeys(("caller", "a", "b"), proxy.port)
            yield made


@asynccontextmanager
async def a_proxy_each(drops: Drops, folder: Path) -> AsyncIterator[Chain]:
    """A sidecar for each agent: what comes to it and what it sends goes through its own."""
    head = HEAD.format(workers=1)
    async with chain(drops) as made, AsyncExitStack() as stack:
        c = await stack.enter_async_context(proxy_process(head + lanes("c") + made.pools("c"), folder))
        text = head + lanes("b") + NEXT.format(name="c") + made.pools("b", c=c.url)
        b = await stack.enter_async_context(proxy_process(text, folder))
        text = head + lanes("a") + NEXT.format(name="b") + NEXT.format(name="c") + made.pools("a", b=b.url, c=c.url)
        a = await stack.enter_async_context(proxy_process(text, folder))
        made.proxy = a
        made.ports = {"caller": a.port, "a": a.port, "b": b.port}
        yield made


def sessions(lane: str, count: int) -> list[str]:
    """Those that A's weights give to a lane."""
    named = (f"{lane}-{number}" for number in itertools.count())
    return list(islice((name for name in named if (bucket(name.encode(), seed("a")) < 5000) == (lane == "canary")), count))


async def assert_whole_sessions(through: Chain) -> None:
    """Those that A's weights made canaries, those that the caller's header did, and those that are none, side by side."""
    painted, said, plain = sessions("canary", 4), sessions("stable", 8)[:4], sessions("stable", 8)[4:]
    canary, stable = "a-canary b-canary c-canary", "a-stable b-stable c-stable"
    for turn in range(TURNS):
        headers = ["x-canary: 1"] if turn == 0 else []
        for session in painted:
            assert await through.turn(session) == canary
        for session in said:
            assert await through.turn(session, *headers) == canary
        for session in plain:
            assert await through.turn(session) == stable


@pytest.mark.parametrize("drops", WAYS)
async def test_a_canary_session_stays_canary_to_the_end(drops: Drops, tmp_path: Path) -> None:
    async with one_proxy(drops, tmp_path) as through:
        await assert_whole_sessions(through)


@pytest.mark.parametrize("drops", [way for way in WAYS if way is not names_its_run])
async def test_so_it_does_with_a_proxy_for_each_agent(drops: Drops, tmp_path: Path) -> None:
    """A run in the path is known to the proxy that it was asked of, and not to the next one."""
    async with a_proxy_each(drops, tmp_path) as through:
        await assert_whole_sessions(through)


@pytest.mark.parametrize("drops", WAYS)
async def test_what_falls_back_in_the_middle_goes_on_as_a_canary(drops: Drops, tmp_path: Path) -> None:
    async with one_proxy(drops, tmp_path, without="b-canary") as through:
        for session in sessions("canary", 2):
            for _ in range(TURNS):
                assert await through.turn(session) == "a-canary b-stable c-canary"


@pytest.mark.parametrize("drops", WAYS)
async def test_a_share_that_is_taken_back_lets_its_sessions_go_at_every_hop(drops: Drops, tmp_path: Path) -> None:
    async with one_proxy(drops, tmp_path) as through:
        assert through.proxy is not None
        painted = sessions("canary", 6)
        for session in painted:
            assert await through.turn(session) == "a-canary b-canary c-canary"
        status_of_change, _ = await through.proxy.ask("/api/routes/a/weights", "PUT", {"stable": 100, "canary": 0})
        assert status_of_change == 200
        for session in painted:
            assert await through.turn(session) == "a-stable b-stable c-stable"


async def test_an_agent_that_says_nothing_at_all_ends_the_colour(tmp_path: Path) -> None:
    """Nothing is guessed: C goes by its own weights."""
    async with one_proxy(says_nothing, tmp_path) as through:
        for session in sessions("canary", 3):
            assert await through.turn(session, "x-canary: 1") == "a-canary b-canary c-stable"
