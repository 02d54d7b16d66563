"""What workers gather of the lanes that a rollout judges: which exchanges count, as what, and what is read of their answers."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from textwrap import dedent, indent
from typing import Any

import pytest
from harness import OK, WAIT_S, Proxy, Upstream, answering, connection, proxy, request, say, status, upstream

from tracer_proxy.dataplane import metering
from tracer_proxy.limits import TURN_CLOSE_S, TURN_QUIET_S
from tracer_proxy.telemetry.deltas import Delta
from tracer_proxy.telemetry.evidence import Evidence, Spread, from_plain, middle_of
from tracer_proxy.telemetry.gathered import Gathered

Handler = Callable[[Upstream, asyncio.StreamReader, asyncio.StreamWriter], Any]

ROLLOUT = "judge: {max_error_rate: {absolute: 0.05}}"
SSE = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
CHAT = "match: {path: /v1}\nllm: {api: openai, mode: remote}"
ASK = request("POST /v1/chat/completions HTTP/1.1", body=json.dumps({"model": "gpt-4o", "messages": []}).encode())


def config(stable: Upstream, canary: Upstream, judge: str = ROLLOUT, route: str = "", pools: str = "") -> str:
    """A route with two lanes, of which one is by colour, and a rollout about it."""
    return (
        "version: 1\n"
        "proxy: {listen: 127.0.0.1:0}\n"
        "coloring: [{color: canary, when: {header: {x-canary: '1'}}}, {color: lost, when: {header: {x-canary: lost}}}]\n"
        "routes:\n"
        "  - name: agent\n"
        "    lanes:\n"
        "      - {name: stable, pool: stable, weight: 100}\n"
        "      - {name: canary, pool: canary, weight: 0, colors: [canary], unhealthy: fail}\n"
        f"{indent(dedent(route), '    ')}\n"
        "pools:\n"
        f"  stable: {{endpoints: [{stable.url}]}}\n"
        f"  canary: {{endpoints: [{canary.url}]{pools}}}\n"
        "rollouts:\n"
        "  agent-v2:\n"
        "    route: agent\n"
        "    lane: canary\n"
        f"{indent(dedent(judge), '    ')}\n"
    )


@asynccontextmanager
async def judged(canary: Handler, judge: str = ROLLOUT, route: str = "", pools: str = "") -> AsyncIterator[Proxy]:
    async with (
        upstream(answering(OK)) as stable,
        upstream(canary) as new,
        proxy(config(stable, new, judge, route, pools)) as running,
    ):
        yield running


def to_canary(whole: bytes = request()) -> bytes:
    return whole.replace(b"\r\nHost:", b"\r\nx-canary: 1\r\nHost:", 1)


def delta(running: Proxy) -> Delta:
    """What control gets, as it gets it, and confirms."""
    taken: Delta = json.loads(json.dumps(metering.take(running.worker)))
    running.worker.meters.confirm(taken["run"], taken["number"])
    return taken


async def shown(running: Proxy, exchanges: int = 1) -> dict[str, Evidence]:
    """By lane, once so many exchanges have been counted."""
    found: dict[str, Evidence] = {}
    async with asyncio.timeout(WAIT_S):
        while sum(each.exchanges for each in found.values()) < exchanges:
            await asyncio.sleep(0.005)
            for route, lane, plain in delta(running)["evidence"]:
                assert route == "agent"
                found.setdefault(lane, Evidence()).add(from_plain(plain))
    return found


async def nothing_shown(running: Proxy) -> None:
    """The exchange before said nothing of any lane: the next one is all there is."""
    await say(running.port, request())
    found = await shown(running)
    assert {lane: (each.exchanges, each.errors) for lane, each in found.items()} == {"stable": (1, 0)}


def count(spread: Spread) -> int:
    return sum(spread.values())


def seconds(spread: Spread) -> float:
    """Of the only value."""
    ((bucket, number),) = spread.items()
    assert number == 1
    return middle_of(bucket)


def answer(body: bytes, *headers: str, status_line: str = "200 OK") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status_line}", f"Content-Length: {len(body)}", *headers, "", "")).encode() + body


def sending(*pieces: bytes, pause_s: float = 0.0, ends: bool = True) -> Handler:
    """Answers with pieces of a chunked body, each in a segment of its own; without its end the stream is cut."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        for piece in pieces:
            writer.write(piece if piece.startswith(b"HTTP/") else b"%x\r\n%b\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(pause_s)
        if ends:
            writer.write(b"0\r\n\r\n")

    return handle


async def test_statuses_that_the_judge_names_are_errors() -> None:
    """5xx is one whatever is named."""
    lines = ("200 OK", "401 No", "404 Not Found", "429 Wait", "500 Oops")
    canary = answering(*(answer(b"", status_line=line) for line in lines))
    judge = "judge: {max_error_rate: {absolute: 0.05, count: [401, 410-499]}}"
    async with judged(canary, judge) as running:
        for _ in lines:
            await say(running.port, to_canary())
        found = (await shown(running, len(lines)))["canary"]
    assert (found.exchanges, found.errors, len(found.failed), len(found.sample)) == (5, 3, 3, 2)
    assert count(found.latency) == 1


async def test_each_lane_shows_what_it_served() -> None:
    canary = answering(OK, answer(b"no", status_line="500 Oops"), answer(b"what?", status_line="404 Not Found"))
    async with judged(canary) as running:
        await say(running.port, request())
        answers = [await say(running.port, to_canary()) for _ in range(3)]
        found = await shown(running, 4)
    assert [status(each) for each in answers] == [200, 500, 404]
    stable, canary_shown = found["stable"], found["canary"]
    assert (stable.exchanges, stable.errors, count(stable.latency), len(stable.sample)) == (1, 0, 1, 1)
    assert (canary_shown.exchanges, canary_shown.errors) == (3, 1)
    assert count(canary_shown.latency) == 1, "an error, and what was refused, say nothing of how long answers take"
    assert (len(canary_shown.failed), len(canary_shown.sample)) == (1, 2)
    assert bytes(canary_shown.failed[0], "ascii") in answers[1]
    assert not canary_shown.first_token
    assert canary_shown.confidences == 0


async def test_a_route_that_no_rollout_is_about_shows_nothing() -> None:
    async with upstream(answering(OK)) as stable, upstream(answering(OK)) as canary:
        other = config(stable, canary).replace(
            "  - name: agent", "  - {name: other, match: {path: /other}, lanes: [{name: only, pool: stable}]}\n  - name: agent"
        )
        async with proxy(other) as running:
            assert status(await say(running.port, request("GET /other HTTP/1.1"))) == 200
            await nothing_shown(running)


@pytest.mark.parametrize("cut", [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", SSE + b"3\r\nabc\r\n", b""])
async def test_an_answer_that_breaks_off_is_an_error(cut: bytes) -> None:
    """Also one that began with 200, and one that never began."""

    async def handle(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(cut)
        await writer.drain()

    async with judged(handle) as running:
        await say(running.port, to_canary())
        canary = (await shown(running))["canary"]
    assert (canary.exchanges, canary.errors, canary.latency, len(canary.failed)) == (1, 1, {}, 1)


async def test_a_lane_without_a_backend_fails() -> None:
    async with upstream(answering(OK)) as gone:
        pass
    async with upstream(answering(OK)) as stable, proxy(config(stable, gone)) as running:
        assert status(await say(running.port, to_canary())) == 502
        canary = (await shown(running))["canary"]
    assert (canary.exchanges, canary.errors) == (1, 1)


async def test_first_token_counts_from_the_body_not_from_the_head() -> None:
    """Agents send the head of a stream at once."""
    pause_s = 0.2
    async with judged(sending(SSE, b"data: 1\n\n", pause_s=pause_s)) as running:
        await say(running.port, to_canary())
        canary = (await shown(running))["canary"]
    assert seconds(canary.first_token) > 0.9 * pause_s
    assert seconds(canary.latency) >= seconds(canary.first_token)


async def test_what_another_lane_served_in_its_place_is_left_out() -> None:
    """A colour that no lane serves says nothing of the baseline, and a pool that stands in nothing of the lane."""
    async with judged(answering(OK)) as running:
        await say(running.port, request("GET / HTTP/1.1", "x-canary: lost"))
        await nothing_shown(running)
    async with upstream(answering(OK)) as gone:
        pass
    async with upstream(answering(OK)) as stable, proxy(config(stable, gone, pools=", failover: [stable]")) as running:
        assert status(await say(running.port, to_canary())) == 200
        await nothing_shown(running)


async def both_are_gone(running: Proxy) -> None:
    async with asyncio.timeout(WAIT_S):
        while running.errors.get("client_gone", 0) < 2:  # noqa: ASYNC110 - the worker tells nobody
            await asyncio.sleep(0.005)


async def test_what_callers_do_is_left_out() -> None:
    """One leaves before the answer, one in its midst, one sends what is none."""

    async def slow(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, _ = await endpoint.request(reader)
        if b"/midst" in head:
            writer.write(SSE + b"3\r\nabc\r\n")
        await reader.read()

    async with judged(slow) as running:
        for path in (b"/before", b"/midst"):
            async with connection(running.port) as (reader, writer):
                writer.write(to_canary(request(f"GET {path.decode()} HTTP/1.1")))
                if path == b"/midst":
                    await asyncio.wait_for(reader.readuntil(b"abc"), WAIT_S)
                else:
                    await asyncio.sleep(0.05)
        bad = request("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"no chunk\r\n"
        assert status(await say(running.port, to_canary(bad))) == 400
        await both_are_gone(running)
        await nothing_shown(running)


async def test_what_the_proxy_refuses_is_left_out() -> None:
    async with judged(answering(OK), pools=", limits: {requests: 1}") as running:
        pool = running.worker.table.pools["canary"]
        pool.circuit.requests = 1
        assert status(await say(running.port, to_canary())) == 503
        pool.circuit.requests = 0
        await nothing_shown(running)


async def test_a_reload_keeps_what_was_counted() -> None:
    """Also where the rollout has gone meanwhile: then nothing new comes to it."""
    async with upstream(answering(OK)) as stable, upstream(answering(OK)) as canary:
        text = config(stable, canary)
        async with proxy(text) as running:
            await say(running.port, to_canary())
            running.reload(text.replace("0.05", "0.06"))
            await say(running.port, to_canary())
            running.reload(text[: text.index("rollouts:")])
            await say(running.port, to_canary())
            found = delta(running)["evidence"]
            assert [(route, lane, from_plain(plain).exchanges) for route, lane, plain in found] == [("agent", "canary", 2)]
            assert delta(running)["evidence"] == []


async def test_a_worker_sends_what_is_new() -> None:
    """What control has not confirmed comes again as it was, and what is counted meanwhile comes after it."""
    async with judged(answering(OK)) as running:
        await say(running.port, to_canary())
        first = metering.take(running.worker)
        await say(running.port, to_canary())
        again = metering.take(running.worker)
        running.worker.meters.confirm(first["run"], first["number"])
        then = metering.take(running.worker)
    assert again is first
    assert [from_plain(plain).exchanges for taken in (first, then) for _, _, plain in taken["evidence"]] == [1, 1]


# Confidence.

HEADER = "judge: {min_confidence: {mean: 0.65, header: X-Confidence}}"
POINTER = "judge: {min_confidence: {mean: 0.65, pointer: /result/scores/1}}"
SURE = json.dumps({"result": {"name": "ü" * 40, "scores": [0.1, 0.75]}}, ensure_ascii=False).encode()
JSON = "Content-Type: application/json"


async def confidence(running: Proxy, whole: bytes = request()) -> float | None:
    await say(running.port, to_canary(whole))
    canary = (await shown(running))["canary"]
    assert canary.confidences in (0, 1)
    assert canary.confidence_squares == pytest.approx(canary.confidence_sum**2)
    return canary.confidence_sum if canary.confidences else None


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("0.75", 0.75), ("-3", -3.0), ("1", 1.0), ("", None), ("high", None), ("nan", None), ("inf", None), ("1e400", None),
        ("0x1", None), ("1_0", None), (".5", None), ("0.5, 0.6", None), ("٣", None), ("9" * 400, None), ("2000000", None),
    ],
)  # fmt: skip
async def test_confidence_in_a_header(said: str, meant: float | None) -> None:
    async with judged(answering(answer(b"", f"x-confidence: {said}")), HEADER) as running:
        assert await confidence(running) == meant


async def test_confidence_of_what_failed_does_not_count() -> None:
    canary = answering(
        answer(b"", "x-confidence: 0.9", status_line="500 Oops"), answer(b"", "x-confidence: 0.9", status_line="400 Bad")
    )
    async with judged(canary, HEADER) as running:
        assert await confidence(running) is None
        assert await confidence(running) is None


@pytest.mark.parametrize("encode", [bytes, gzip.compress])
@pytest.mark.parametrize("size", [1, 7, 4096])
async def test_confidence_in_a_body(encode: Callable[[bytes], bytes], size: int) -> None:
    """In whatever pieces it comes."""
    body = encode(SURE)
    coding = b"" if encode is bytes else b"Content-Encoding: gzip\r\n"
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\n" + coding + b"Transfer-Encoding: chunked\r\n\r\n"
    )
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    async with judged(sending(head, *pieces), POINTER) as running:
        assert await confidence(running) == 0.75


async def test_confidence_in_a_body_of_one_piece() -> None:
    """After a request with a long body, which nobody looks at, and of an answer in the midst of others that say nothing."""
    canary = answering(answer(SURE, JSON), answer(SURE, "Content-Type: text/plain"), answer(SURE[:-2], JSON), OK)
    async with judged(canary, POINTER) as running:
        assert await confidence(running, request("POST / HTTP/1.1", body=b"x" * (3 << 20))) == 0.75
        assert [await confidence(running) for _ in range(3)] == [None, None, None]
        assert not any(running.worker.meters.worker.observations_abandoned.values())


async def test_confidence_in_a_stream() -> None:
    """The last event that has a number there."""
    events = [
        b'data: {"result": {"scores": [0, 0.2]}}\n\n',
        b"data: " + SURE + b"\n\n",
        b'data: {"result": {}}\n\ndata: bye\n\n',
    ]
    stream = b"".join(events)
    pieces = [stream[start : start + 11] for start in range(0, len(stream), 11)]
    async with judged(sending(SSE, *pieces), POINTER) as running:
        assert await confidence(running) == 0.75


async def test_confidence_of_a_model() -> None:
    """On routes to models, whose answers are read anyway."""
    body = json.dumps({"id": "c", "model": "m", "choices": [{"finish_reason": "stop", "message": {}}], "sure": 0.8}).encode()
    async with judged(answering(answer(body, JSON)), POINTER.replace("/result/scores/1", "/sure"), CHAT) as running:
        assert await confidence(running, ASK) == 0.8


# Models.


def chunk(content: str, reason: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": content}, "finish_reason": reason}
    document = {"id": "c", "object": "chat.completion.chunk", "model": "m", "choices": [choice], **more}
    return f"data: {json.dumps(document)}\n\n".encode()


USAGE = {"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}
DONE = b"data: [DONE]\n\n"
STREAM = (chunk("It "), chunk("rains.", "stop", usage=USAGE), DONE)


async def model(pieces: Sequence[bytes], head: bytes = SSE) -> Evidence:
    async with judged(sending(head, *pieces), route=CHAT) as running:
        assert status(await say(running.port, to_canary(ASK))) == 200
        return (await shown(running))["canary"]


async def test_a_whole_stream_of_a_model() -> None:
    canary = await model((b": ping\n\n", *STREAM))
    assert (canary.exchanges, canary.errors, count(canary.latency), count(canary.first_token)) == (1, 0, 1, 1)


async def test_first_token_of_a_model_is_the_first_that_says_something() -> None:
    """A sign of life does not count."""
    pause_s = 0.2
    async with judged(sending(SSE, b": ping\n\n", *STREAM, pause_s=pause_s), route=CHAT) as running:
        await say(running.port, to_canary(ASK))
        canary = (await shown(running))["canary"]
    assert seconds(canary.first_token) > 1.9 * pause_s


@pytest.mark.parametrize(
    "pieces",
    [
        (chunk("It "), b'data: {"error": {"message": "overloaded", "type": "server_error", "code": "overloaded"}}\n\n'),
        (chunk("It "),),
        (b": ping\n\n",),
    ],
    ids=["error event", "no end of its own", "nothing said"],
)
async def test_a_stream_that_fails_by_its_own_protocol_is_an_error(pieces: Sequence[bytes]) -> None:
    """Though to HTTP it is a 200 that came to its end."""
    canary = await model(pieces)
    assert (canary.exchanges, canary.errors, canary.latency, len(canary.failed)) == (1, 1, {}, 1)


async def test_an_answer_that_cannot_be_read_is_no_error() -> None:
    unknown = SSE.replace(b"Transfer", b"Content-Encoding: mystery\r\nTransfer")
    for head, pieces in (
        (unknown, STREAM[:1]),
        (SSE, (b"data: {no json\n\n",)),
        (SSE.replace(b"event-stream", b"html"), (b"x",)),
    ):
        canary = await model(pieces, head)
        assert (canary.exchanges, canary.errors, count(canary.latency)) == (1, 0, 1)


async def test_a_model_that_refuses_a_request_is_no_error() -> None:
    body = b'{"error": {"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"}}'
    async with judged(answering(answer(body, JSON, status_line="404 Not Found")), route=CHAT) as running:
        await say(running.port, to_canary(ASK))
        canary = (await shown(running))["canary"]
    assert (canary.exchanges, canary.errors) == (1, 0)


# Turns.

TURNS = "judge: {max_tokens_per_turn: {worse_than_baseline: 1.5}}"
TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACED = f"traceparent: 00-{TRACE}-b7ad6b7169203331-01"
WHOLE = answer(
    json.dumps({"id": "c", "model": "m", "choices": [{"finish_reason": "stop", "message": {}}], "usage": USAGE}).encode(), JSON
)


async def told(running: Proxy, gathered: Gathered, legs: int, now: float) -> list[tuple[str, str, Evidence]]:
    """What control makes of the worker's deltas, once so many legs have come."""
    found: list[tuple[str, str, Evidence]] = []
    async with asyncio.timeout(WAIT_S):
        while legs > 0:
            await asyncio.sleep(0.005)
            taken = delta(running)
            legs -= len(taken["turns"])
            found += gathered.add(taken, now)
    assert legs == 0
    return [each for each in found if each[2].tokens]


async def test_tokens_of_a_turn_over_two_routes_and_two_workers() -> None:
    """The agent's exchange passes one worker, its calls of the model, within it, another."""
    gathered = Gathered()
    openai = "  - {name: openai, match: {path: /v1}, llm: {api: openai, mode: remote}, lanes: [{name: only, pool: stable}]}\n"
    async with upstream(answering(WHOLE)) as llm:
        model_worker: list[Proxy] = []

        async def agent(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await endpoint.request(reader)
            for _ in range(2):
                await say(model_worker[0].port, ASK.replace(b"\r\nHost:", b"\r\n" + TRACED.encode() + b"\r\nHost:", 1))
            writer.write(OK)

        async with upstream(agent) as canary:
            text = config(llm, canary, TURNS).replace("  - name: agent", openai + "  - name: agent")
            async with proxy(text) as one, proxy(text) as other:
                model_worker.append(other)
                assert status(await say(one.port, to_canary(request("POST /ask HTTP/1.1", TRACED)))) == 200
                # The judged exchange has ended, and what it cost is known only later.
                assert await told(one, gathered, 1, now=10.0) == []
                assert await told(other, gathered, 2, now=10.0 + TURN_CLOSE_S / 2) == []
                assert list(gathered.add(delta(one), 10.0 + TURN_CLOSE_S)) == []
                ((route, lane, evidence),) = gathered.add(delta(one), 10.0 + 2 * TURN_CLOSE_S)
                assert list(gathered.add(delta(one), 1000.0)) == []
    assert (route, lane, evidence.exchanges) == ("agent", "canary", 0)
    assert seconds(evidence.tokens) == pytest.approx(84, rel=0.01)


async def test_tokens_of_a_turn_where_the_route_to_the_model_is_judged() -> None:
    """Between two calls of a turn the agent runs its tools."""
    gathered = Gathered()
    async with judged(answering(WHOLE), TURNS, CHAT) as running:
        traced = ASK.replace(b"\r\nHost:", b"\r\n" + TRACED.encode() + b"\r\nHost:", 1)
        for now in (0.0, TURN_QUIET_S - 1):
            await say(running.port, to_canary(traced))
            assert await told(running, gathered, 2, now) == []
        ((route, lane, evidence),) = gathered.add(delta(running), 2 * TURN_QUIET_S)
    assert (route, lane) == ("agent", "canary")
    assert seconds(evidence.tokens) == pytest.approx(84, rel=0.01)


async def test_no_turns_are_told_of_where_no_rollout_asks_for_them() -> None:
    async with judged(answering(WHOLE), route=CHAT) as running:
        await say(running.port, to_canary(ASK))
        await shown(running)
        assert not running.worker.meters.turns
        assert delta(running)["turns"] == []


async def test_what_a_mirrored_copy_costs_is_not_the_turns() -> None:
    """The agent behind a shadow lane marks its calls of models, which are in the trace of the original."""
    marked = ASK.replace(b"\r\nHost:", b"\r\n" + TRACED.encode() + b"\r\nx-tracer-proxy-shadow: 1\r\nHost:", 1)
    plain = ASK.replace(b"\r\nHost:", b"\r\n" + TRACED.encode() + b"\r\nHost:", 1)
    gathered = Gathered()
    async with judged(answering(WHOLE), TURNS, CHAT) as running:
        await say(running.port, to_canary(marked))
        await say(running.port, to_canary(plain))
        assert await told(running, gathered, 2, 0.0) == []
        ((_, _, evidence),) = gathered.add(delta(running), 2 * TURN_QUIET_S)
    assert seconds(evidence.tokens) == pytest.approx(42, rel=0.01)
