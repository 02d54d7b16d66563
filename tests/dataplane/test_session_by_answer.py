"""A session that has said its name once and then repeats ids of answers stays on its lane, whatever else it says."""

import itertools
import json
import secrets
from collections.abc import Mapping
from typing import Any

import pytest
from harness import answering, proxy, request, say, upstream

from tracer_proxy.context.session_name import session_name
from tracer_proxy.routing.bucket import bucket, seed

CONFIG = """
version: 1
proxy: {{listen: 127.0.0.1:0}}
routes:
  - name: model
    llm: {{api: openai}}
    lanes:
      - {{name: stable, pool: v1, weight: {weight}}}
      - {{name: canary, pool: v2, weight: 50, colors: [canary], color: canary}}
pools:
  v1: {{endpoints: ["{stable}"]}}
  v2: {{endpoints: ["{canary}"]}}
"""
PATH = "POST /v1/responses HTTP/1.1"


def lane_of(key: bytes) -> str:
    return "canary" if bucket(key, seed("model")) < 5000 else "stable"


def key(lane: str, form: str = "session-{}", encoding: str = "utf-8") -> str:
    """One whose name the split gives to a lane; and where that is not the key itself, it would give that to the other."""
    for key in (form.format(number) for number in itertools.count(1)):
        raw = key.encode(encoding)
        name = session_name(raw)
        if lane_of(name) == lane and (name == raw or lane_of(raw) != lane):
            return key
    raise AssertionError


def answer(response_id: str) -> bytes:
    call = {"type": "function_call", "id": "fc_1", "call_id": f"call_{response_id[5:29]}", "name": "look", "arguments": "{}"}
    document = {"id": response_id, "object": "response", "status": "completed", "model": "m", "output": [call]}
    body = json.dumps(document).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


def traced() -> str:
    return f"traceparent: 00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def asking(body: Mapping[str, Any], *headers: str, encoding: str = "utf-8") -> bytes:
    text = json.dumps({"model": "m", "input": "hi", **body}).encode()
    head = request(PATH, *headers, "content-type: application/json", body=text)
    return head.decode().encode(encoding)


def first_request(kind: str, lane: str) -> bytes:
    match kind:
        case "header":
            return asking({}, f"x-session-id: {key(lane)}")
        case "long":
            return asking({"session_id": key(lane, "x" * 80 + "{}")})
        case "utf-8":
            return asking({"metadata": {"session_id": key(lane, "séance-{}")}})
        case "latin-1":
            return asking({}, f"x-session-id: {key(lane, 'séance-{}', 'latin-1')}", encoding="latin-1")
        case "two names":
            other = key("canary" if lane == "stable" else "stable")
            return asking({}, f"x-session-id: {key(lane)}", f"x-claude-code-session-id: {other}")
        case "conversation":
            return asking({"conversation": {"id": key(lane)}})
        case "user":
            return asking({"user": key(lane)})
    return asking({}, f"traceparent: 00-{key(lane, '{:032x}')}-{secrets.token_hex(8)}-01")


@pytest.mark.parametrize("trace_headers", [0, 1])
@pytest.mark.parametrize("lane", ["stable", "canary"])
@pytest.mark.parametrize("first", ["header", "long", "utf-8", "latin-1", "two names", "conversation", "user", "trace"])
async def test_the_id_of_an_answer_finds_the_session_that_it_was_given_to(first: str, lane: str, trace_headers: int) -> None:
    """Also where every request begins a trace of its own, and says so."""
    ids = [f"resp_{secrets.token_hex(25)}" for _ in range(6)]
    async with (
        upstream(answering(*map(answer, ids))) as v1,
        upstream(answering(*map(answer, ids))) as v2,
        proxy(CONFIG.format(weight=50, stable=v1.url, canary=v2.url)) as running,
    ):
        await say(running.port, first_request(first, lane))
        for repeated in ids[:5]:
            await say(running.port, asking({"previous_response_id": repeated}, *[traced()] * trace_headers))
    assert len((v1 if lane == "stable" else v2).heard) == 6


@pytest.mark.parametrize("first", ["header", "conversation", "trace"])
async def test_a_share_that_shrinks_lets_sessions_go_that_are_found_by_ids(first: str) -> None:
    """The lane paints, and what it paints must not outlive the share."""
    ids = [f"resp_{secrets.token_hex(25)}" for _ in range(6)]
    async with upstream(answering(*map(answer, ids))) as v1, upstream(answering(*map(answer, ids))) as v2:
        config = CONFIG.format(weight=50, stable=v1.url, canary=v2.url)
        async with proxy(config) as running:
            await say(running.port, first_request(first, "canary"))
            await say(running.port, asking({"previous_response_id": ids[0]}))
            running.reload(config.replace("pool: v2, weight: 50", "pool: v2, weight: 0"))
            await say(running.port, asking({"previous_response_id": ids[1]}))
    assert (len(v2.heard), len(v1.heard)) == (2, 1)
