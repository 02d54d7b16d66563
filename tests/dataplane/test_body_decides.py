"""Where a request goes by what stands in its body: sessions and colours, however the bytes come."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from harness import OK, WAIT_S, Proxy, Upstream, answering, connection, field, proxy, request, say, upstream

from tracer_proxy.limits import LOOK_AHEAD_BYTES_MAX
from tracer_proxy.routing.bucket import bucket, seed

JSON = "content-type: application/json"
CONFIG = """
version: 1
proxy: {{listen: 127.0.0.1:0}}
coloring: [{coloring}]
routes:
  - name: planner
    {route}
    lanes:
      - {{name: stable, pool: v1, weight: {stable}}}
      - {{name: canary, pool: v2, weight: {canary}, colors: [canary]}}
pools:
  v1: {{endpoints: [{v1}]}}
  v2: {{endpoints: [{v2}]}}
"""


@dataclass
class Running:
    proxy: Proxy
    stable: Upstream
    canary: Upstream

    @property
    def port(self) -> int:
        return self.proxy.port

    async def head_has_gone_on(self) -> None:
        """To either lane, while its body is not whole."""
        async with asyncio.timeout(WAIT_S):
            while not self.stable.heard and not self.canary.heard:  # noqa: ASYNC110 — an upstream has no event for it
                await asyncio.sleep(0.005)

    async def lane_of(self, *pieces: bytes, pause_s: float = 0.0) -> str:
        """Where one request went."""
        before = len(self.stable.heard), len(self.canary.heard)
        answer = await say(self.port, *pieces, pause_s=pause_s)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        after = len(self.stable.heard), len(self.canary.heard)
        assert sum(after) == sum(before) + 1
        return "stable" if after[0] > before[0] else "canary"


@asynccontextmanager
async def running(*, coloring: str = "", route: str = "", stable: int = 50, answer: bytes = OK) -> AsyncIterator[Running]:
    async with upstream(answering(answer)) as v1, upstream(answering(answer)) as v2:
        config = CONFIG.format(coloring=coloring, route=route, stable=stable, canary=100 - stable, v1=v1.url, v2=v2.url)
        async with proxy(config) as started:
            yield Running(started, v1, v2)


def of_lane(wanted: str, name: str = "s") -> str:
    """A session that the split gives to a lane."""
    return next(
        session
        for session in (f"{name}-{number}" for number in range(1000))
        if ("canary" if bucket(session.encode(), seed("planner")) < 5000 else "stable") == wanted
    )


def post(document: object, *headers: str, close: bool = True) -> bytes:
    return request("POST /run HTTP/1.1", JSON, *headers, body=json.dumps(document).encode(), close=close)


@pytest.mark.parametrize("lane", ["stable", "canary"])
async def test_a_session_in_the_body_stays_on_its_lane_however_it_is_cut(lane: str) -> None:
    raw = post({"metadata": {"session_id": of_lane(lane)}, "input": "hello"})
    async with running() as by:
        for cut in range(1, len(raw), 7):
            assert await by.lane_of(raw[:cut], raw[cut:], pause_s=0.002) == lane
    bodies = by.stable.bodies + by.canary.bodies
    assert {json.loads(body)["input"] for body in bodies} == {"hello"}


async def test_a_chunked_body_is_read_as_well() -> None:
    body = json.dumps({"conversation": {"id": of_lane("canary")}}).encode()
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    head = request("POST /run HTTP/1.1", JSON, "transfer-encoding: chunked")
    async with running() as by:
        for _ in range(3):
            assert await by.lane_of(head, chunks[:50], chunks[50:], pause_s=0.01) == "canary"
    assert by.canary.bodies == [body] * 3


async def test_the_same_head_with_another_session_in_the_body_goes_elsewhere() -> None:
    """On one connection, where a head that comes again is not read again."""
    lanes = ["stable", "canary", "canary", "stable", "stable", "canary"]
    async with running() as by:
        await say(by.port, *(post({"session_id": of_lane(lane)}, close=False) for lane in lanes), post({"session_id": "x"}))
    heard = [json.loads(body)["session_id"] for body in by.stable.bodies]
    assert heard[:3] == [of_lane("stable")] * 3
    assert [json.loads(body)["session_id"] for body in by.canary.bodies][:3] == [of_lane("canary")] * 3


async def test_a_header_goes_before_the_body_and_nothing_is_waited_for() -> None:
    """The head goes on while the body is not there yet."""
    raw = post({"session_id": of_lane("canary")}, f"x-session-id: {of_lane('stable')}")
    async with running() as by, connection(by.port) as (_, writer):
        writer.write(raw[:-5])
        await by.head_has_gone_on()
        assert not by.canary.heard


@pytest.mark.parametrize(
    "headers",
    [
        ["content-type: text/plain"],
        ["content-type: application/json", "content-encoding: gzip"],
        ["content-type: application/json", "expect: 100-continue"],
        [],
    ],
)
async def test_what_is_not_read_is_not_waited_for(headers: list[str]) -> None:
    raw = request("POST /run HTTP/1.1", *headers, body=json.dumps({"session_id": "s"}).encode())
    async with running() as by, connection(by.port) as (_, writer):
        writer.write(raw[:-5])
        await by.head_has_gone_on()


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_beyond_the_bound_is_not_waited_for(chunked: bool) -> None:
    size = LOOK_AHEAD_BYTES_MAX + 100_000
    start = json.dumps({"session_id": "s", "padding": "x"}).encode()[:-2]
    framing = "transfer-encoding: chunked" if chunked else f"content-length: {size}"
    head = request("POST /run HTTP/1.1", JSON, framing)
    sent = start + b"x" * (LOOK_AHEAD_BYTES_MAX - len(start) + 1000 if chunked else 1000)
    async with running() as by, connection(by.port) as (_, writer):
        writer.write(head + (b"%x\r\n%b\r\n" % (len(sent), sent) if chunked else sent))
        await by.head_has_gone_on()


async def test_a_session_of_an_a2a_call_and_of_an_mcp_client() -> None:
    lane = "canary"
    call = {"jsonrpc": "2.0", "id": 1, "method": "message/send", "params": {"message": {"contextId": of_lane(lane)}}}
    async with running() as by:
        assert await by.lane_of(post(call)) == lane
        assert await by.lane_of(post({"jsonrpc": "2.0"}, f"mcp-session-id: {of_lane(lane)}")) == lane


@pytest.mark.parametrize(
    ("when", "colored", "plain"),
    [
        ("{model: gpt-5-mini}", {"model": "gpt-5-mini"}, {"model": "gpt-5"}),
        ("{model: {prefix: gpt-}}", {"model": "gpt-5"}, {"model": "claude"}),
        ("{body: {/tenant/id: acme}}", {"tenant": {"id": "acme"}}, {"tenant": {"id": "other"}}),
        ("{body: {/beta: 'true'}}", {"beta": True}, {"beta": "maybe"}),
        ("{not: {body: {/plan: {present: true}}}}", {}, {"plan": "free"}),
    ],
)
async def test_a_rule_may_ask_for_what_the_body_says(when: str, colored: object, plain: object) -> None:
    async with running(coloring=f"{{color: canary, when: {when}}}", stable=100) as by:
        assert await by.lane_of(post(colored)) == "canary"
        assert await by.lane_of(post(plain)) == "stable"
        # On one connection, with one head: what was decided for one body is not for another.
        size = max(len(json.dumps(document)) for document in (colored, plain))
        same = [json.dumps(document).ljust(size).encode() for document in (colored, plain, colored, plain, colored)]
        await say(by.port, *(request("POST /run HTTP/1.1", JSON, body=body, close=body is same[-1]) for body in same))
        assert (len(by.canary.heard), len(by.stable.heard)) == (1 + 3, 1 + 2)


async def test_geminis_model_stands_in_the_path() -> None:
    line = "POST /v1beta/models/gemini-3:generateContent HTTP/1.1"
    async with running(coloring="{color: canary, when: {model: gemini-3}}", stable=100) as by:
        assert await by.lane_of(request(line, JSON, body=b"{}")) == "canary"


async def test_browsers_get_a_cookie_that_keeps_their_lane() -> None:
    async with running(route="session_cookie: {max_age: 1h}") as by:
        answer = await say(by.port, request("GET /page HTTP/1.1"))
        cookie = field(answer, "set-cookie")
        assert cookie is not None
        name_and_value, *attributes = cookie.decode().split("; ")
        assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax", "Max-Age=3600"]
        assert name_and_value == f"tracer-proxy-session={(field(answer, 'x-trace-id-ext') or b'').decode()}"
        lane = "stable" if by.stable.heard else "canary"
        for _ in range(10):
            before = len(by.stable.heard), len(by.canary.heard)
            again = await say(by.port, request("GET /page HTTP/1.1", f"cookie: a=b; {name_and_value}"))
            assert field(again, "set-cookie") is None
            assert (len(by.stable.heard) > before[0]) is (lane == "stable")


@pytest.mark.parametrize(
    ("cache_control", "gets_one"),
    [("max-age=60, Public", False), ('private="x", s-maxage=60', False), ("private, max-age=60", True), ("x-public", True)],
)
async def test_no_cookie_on_an_answer_that_a_cache_may_give_to_everybody(cache_control: str, gets_one: bool) -> None:
    answer = OK.replace(b"\r\n\r\n", f"\r\nCache-Control: {cache_control}\r\n\r\n".encode())
    async with running(route="session_cookie: {}", answer=answer) as by:
        answered = await say(by.port, request("GET / HTTP/1.1"))
    assert (field(answered, "set-cookie") is not None) is gets_one
    assert field(answered, "cache-control") == cache_control.encode()


async def test_whoever_has_a_session_gets_no_cookie() -> None:
    async with running(route="session_cookie: {}") as by:
        assert field(await say(by.port, request("GET / HTTP/1.1", "x-session-id: s")), "set-cookie") is None
        assert field(await say(by.port, post({"session_id": "s"})), "set-cookie") is None
