"""Sessions of 20 turns that show themselves in every way of the ladder: nobody sees two versions.

Over sockets, by two proxies of two workers each, with memory and with weights that change; and through the code of the hot path
alone, in two interpreters, from the bytes of a request to its lane. A few hundred and two thousand of them, unless
``LADDER_SESSIONS=10000`` asks for more of both: that takes ten minutes.
"""

import asyncio
import json
import os
import random
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import pytest
from harness import WAIT_S
from proxy_process import START_S, ProxyProcess, proxy_process
from session_ways import Session, sessions

from tracer_proxy.config.compile import compile_table
from tracer_proxy.config.load import load_text
from tracer_proxy.context.trace import extract, new_trace
from tracer_proxy.genai.json_body import JsonBody
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.decision import decide, needs_body
from tracer_proxy.routing.table import Table
from tracer_proxy.wire.request import read_request

ASKED_FOR = os.environ.get("LADDER_SESSIONS", "")
SESSIONS = int(ASKED_FOR or 2_000)
SESSIONS_OVER_SOCKETS = int(ASKED_FOR or 500)
TURNS = 20
SIGMAS = 4.5
"""Fails by chance once in 150 000 times."""
AT_ONCE = 8
BATCH = 50
"""Requests of one connection, which are sent without waiting for answers."""
_answers = re.compile(
    rb"HTTP/1\.1 (\d+) .*?x-trace-id-ext: (\w{32}).*?\r\n\r\n\{\"id\": \"(\w+)\", \"lane\": \"(\w+)\"",
    re.DOTALL | re.IGNORECASE,
).findall


def config(weight: int, stable: str = "http://127.0.0.1:7001", canary: str = "http://127.0.0.1:7002") -> str:
    lanes = f"""
    lanes:
      - {{name: stable, pool: v1, weight: {100 - weight}}}
      - {{name: canary, pool: v2, weight: {weight}, colors: [canary]}}
"""
    return f"""
version: 1
proxy: {{listen: 127.0.0.1:0, workers: 2}}
admin: {{listen: 127.0.0.1:0}}
routes:
  - name: model
    match: {{path: /openai}}
    llm: {{api: openai}}
    rewrite: {{prefix: /}}{lanes}
  - name: agent{lanes}
pools:
  v1: {{endpoints: ["{stable}"]}}
  v2: {{endpoints: ["{canary}"]}}
"""


@dataclass
class Agents:
    """Both versions, and which of them each session was heard by."""

    heard: dict[int, set[str]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    def url(self, version: str) -> str:
        return f"http://127.0.0.1:{self.ports[version]}"


class Agent(asyncio.Protocol):
    def __init__(self, version: str, heard: dict[int, set[str]]) -> None:
        self._version = version
        self._heard = heard
        self._unread = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._unread += data
        while (end := self._unread.find(b"\r\n\r\n")) >= 0:
            head = self._unread[:end].lower()
            size = end + 4 + int(head.split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
            if len(self._unread) < size:
                return
            self._unread = self._unread[size:]
            self._heard.setdefault(int(head.split(b"\r\nx-of: ")[1].split(b"\r\n")[0]), set()).add(self._version)
            self._answer()

    def _answer(self) -> None:
        response = {"id": f"resp_{secrets.token_hex(25)}", "lane": self._version, "object": "response", "status": "completed"}
        body = json.dumps(response | {"output": []}).encode()
        assert self._transport is not None
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
        )


@asynccontextmanager
async def agents() -> AsyncIterator[Agents]:
    made = Agents()
    loop = asyncio.get_running_loop()
    servers = []
    for version in ("stable", "canary"):
        server = await loop.create_server(lambda version=version: Agent(version, made.heard), "127.0.0.1", 0)  # type: ignore[misc]
        made.ports[version] = server.sockets[0].getsockname()[1]
        servers.append(server)
    try:
        yield made
    finally:
        for server in servers:
            server.close()


async def take_turn(proxies: Sequence[ProxyProcess], everybody: Iterable[Session], turn: int) -> dict[int, str]:
    """One request of each session, in any order: the lane that answered."""
    taken: dict[int, str] = {}
    free = asyncio.Semaphore(AT_ONCE)

    async def batch(port: int, some: Sequence[Session]) -> None:
        async with free:
            answers = await exchange(port, [session.request(turn) for session in some])
        assert len(answers) == len(some)
        for session, (status, trace_id, response_id, lane) in zip(some, answers, strict=True):
            assert status == b"200"
            taken[session.number] = lane.decode()
            if session.kind in ("answer", "known"):
                session.response_id = response_id.decode()
            if not session.key:
                session.key = trace_id.decode()

    async with asyncio.TaskGroup() as group:
        for number, proxy in enumerate(proxies):
            its = [session for session in everybody if session.proxy(turn) == number]
            for start in range(0, len(its), BATCH):
                group.create_task(batch(proxy.port, its[start : start + BATCH]))
    return taken


async def exchange(port: int, requests: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes, bytes, bytes]]:
    """Over one new connection, for the kernel to give to one worker or the other."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        pieces = [b"%b\r\n\r\n%b" % request for request in requests]
        head, body = requests[-1]
        pieces[-1] = b"%b\r\nConnection: close\r\n\r\n%b" % (head, body)
        writer.write(b"".join(pieces))
        async with asyncio.timeout(6 * WAIT_S):
            return _answers(await reader.read(-1))
    finally:
        writer.close()


def assert_share(lanes: Iterable[str], weight: int) -> None:
    found = list(lanes)
    share, expected = found.count("canary"), len(found) * weight / 100
    assert abs(share - expected) <= SIGMAS * (expected * (1 - weight / 100)) ** 0.5, (share, expected)


@pytest.mark.timeout(1800)
async def test_no_session_sees_two_versions_over_sockets(tmp_path: Path) -> None:
    """The turns of a session alternate between the proxies, and fall to either of their workers."""
    everybody = sessions(SESSIONS_OVER_SOCKETS)
    dice = random.Random(20)
    async with agents() as behind:
        text = config(5, behind.url("stable"), behind.url("canary"))
        async with proxy_process(text, tmp_path) as one, proxy_process(text, tmp_path) as two:
            lanes: dict[int, str] = {}
            for turn in range(TURNS):
                dice.shuffle(everybody)
                lanes = await take_turn((one, two), everybody, turn)
            assert [session for session in everybody if len(behind.heard[session.number]) > 1] == []
            assert_share(lanes.values(), 5)
            before = 5
            for turn, weight in enumerate((20, 60, 10), TURNS):
                await set_weight((one, two), weight)
                dice.shuffle(everybody)
                after = await take_turn((one, two), everybody, turn)
                assert_share(after.values(), weight)
                for session in everybody:
                    moved = lanes[session.number], after[session.number]
                    assert moved == (session.lane(before), session.lane(weight)), session
                before, lanes = weight, after


async def set_weight(proxies: Iterable[ProxyProcess], weight: int) -> None:
    for proxy in proxies:
        for route in ("agent", "model"):
            status, _ = await proxy.ask(f"/api/routes/{route}/weights", "PUT", {"stable": 100 - weight, "canary": weight})
            assert status == 200


def lanes_of_the_hot_path() -> str:
    """The first letter of each session's lane at 5 %, or ``!`` if it saw two.

    Nothing is remembered here, so that ids of answers have no part in it.
    """
    table = compile_table(load_text(config(5), "test.yaml", {}), "127.0.0.1:8082")
    everybody = [session for session in sessions(SESSIONS) if session.kind not in ("answer", "known")]
    seen: dict[int, set[str]] = {session.number: set() for session in everybody}
    for turn in range(TURNS):
        random.shuffle(everybody)
        for session in everybody:
            seen[session.number].add(lane_of(table, *session.request(turn)))
    return "".join(lanes.pop()[0] if len(lanes) == 1 else "!" for lanes in seen.values())


def lane_of(table: Table, raw: bytes, body: bytes) -> str:
    head = read_request(raw, table.request_fields)
    values = head.fields.values
    asking = Asking(head, baggage=values.get(b"baggage", b""))
    route = table.find(asking)
    assert route is not None
    if needs_body(table, route, asking, b""):
        asking.body = JsonBody(body)
    context = extract(values) or new_trace(secrets.token_hex(16).encode())
    return decide(table, route, asking, context, b"").lane.name


REPLICA = """
import sys
from test_session_ladder import lanes_of_the_hot_path
print(lanes_of_the_hot_path())
"""


@pytest.mark.timeout(700)
def test_two_interpreters_agree() -> None:
    """Started with different seeds for Python's own hashes, which must not play a part."""
    here = Path(__file__).parent
    path = f"{here}:{here.parent}:{here.parent.parent}"
    replicas = [
        subprocess.Popen(
            [sys.executable, "-c", REPLICA],
            env={"PYTHONHASHSEED": number, "PYTHONPATH": path, "PATH": "", "LADDER_SESSIONS": ASKED_FOR},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in ("1", "2")
    ]
    one, two = (replica.communicate(timeout=10 * START_S)[0].strip() for replica in replicas)
    assert one == two
    assert "!" not in one
    assert len(one) > SESSIONS * 3 / 4
    assert_share(["canary" if lane == "c" else "stable" for lane in one], 5)
