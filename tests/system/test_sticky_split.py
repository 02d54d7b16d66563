"""20 000 sessions at 95 to 5: each stays on its version, on every replica, and a growing canary only adds."""

import json
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from harness import Upstream, answering, say, upstream
from proxy_process import START_S, command, config_file, proxy_process

from tracer_proxy.config.compile import compile_table
from tracer_proxy.config.load import load_text
from tracer_proxy.context.trace import new_trace
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.decision import decide
from tracer_proxy.routing.table import Table
from tracer_proxy.wire.request import read_request

SESSIONS = 20_000


def config(weight: int, stable: str = "http://127.0.0.1:7001", canary: str = "http://127.0.0.1:7002") -> str:
    return f"""
version: 1
proxy: {{listen: 127.0.0.1:0}}
routes:
  - name: planner
    sticky: [header:x-session-id, trace]
    lanes:
      - {{name: stable, pool: v1, weight: {100 - weight}}}
      - {{name: canary, pool: v2, weight: {weight}, colors: [canary]}}
pools:
  v1: {{endpoints: [{stable}]}}
  v2: {{endpoints: [{canary}]}}
"""


def lane(table: Table, session: int, trace_id: bytes, turn: int = 0) -> str:
    """The whole way of the hot path, from the bytes of a head to a lane."""
    raw = b"POST /turn/%d HTTP/1.1\r\nHost: t\r\nX-Noise: %d\r\nX-Session-Id: user-%d" % (turn, turn, session)
    head = read_request(raw, table.request_fields)
    asking = Asking(head)
    route = table.find(asking)
    assert route is not None
    return decide(table, route, asking, new_trace(trace_id), b"").lane.name


def lanes(weight: int) -> list[str]:
    table = compile_table(load_text(config(weight), "test.yaml", {}), "127.0.0.1:8082")
    return [lane(table, session, b"a" * 32) for session in range(SESSIONS)]


def test_the_share_is_met_and_no_session_sees_two_versions() -> None:
    """Five turns each, with other paths, headers and traces, and in a new order each time."""
    table = compile_table(load_text(config(5), "test.yaml", {}), "127.0.0.1:8082")
    dice = random.Random(5)
    seen: list[set[str]] = [set() for _ in range(SESSIONS)]
    order = list(range(SESSIONS))
    for turn in range(5):
        dice.shuffle(order)
        for session in order:
            seen[session].add(lane(table, session, b"%032x" % dice.getrandbits(128), turn))
    assert sum(len(versions) > 1 for versions in seen) == 0
    share = sum(versions == {"canary"} for versions in seen) * 100 / SESSIONS
    assert share == pytest.approx(5, abs=0.5)


def test_raising_the_canary_moves_sessions_only_towards_it() -> None:
    steps = {weight: lanes(weight) for weight in (0, 5, 20, 60, 100)}
    before = steps[0]
    for weight, after in steps.items():
        moves = Counter((old, new) for old, new in zip(before, after, strict=True) if old != new)
        assert set(moves) <= {("stable", "canary")}
        assert after.count("canary") * 100 / SESSIONS == pytest.approx(weight, abs=0.75)
        before = after


REPLICA = """
import sys
from test_sticky_split import lanes
print("".join(name[0] for name in lanes(5)))
"""


def test_two_interpreters_agree_on_every_session() -> None:
    """Started with different seeds for Python's own hashes, which must not play a part."""
    here = Path(__file__).parent
    answers = []
    for seed in ("1", "2"):
        path = f"{here}:{here.parent}:{here.parent.parent}"
        done = subprocess.run(
            [sys.executable, "-c", REPLICA],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": path, "PATH": ""},
            capture_output=True,
            text=True,
            timeout=START_S,
            check=True,
        )
        answers.append(done.stdout.strip())
    assert answers[0] == answers[1] == "".join(name[0] for name in lanes(5))


async def test_two_proxies_agree_over_sockets(tmp_path: Path) -> None:
    """300 sessions; one of the proxies has seen other traffic before."""
    async with upstream(answering(answer(b"s"))) as stable, upstream(answering(answer(b"c"))) as canary:
        text = config(50, stable.url, canary.url)
        async with proxy_process(text, tmp_path) as one, proxy_process(text, tmp_path) as two:
            await ask(two.port, range(1000, 1100))
            answers = [await ask(port, range(300)) for port in (one.port, two.port)]
    assert answers[0] == answers[1] == "".join(name[0] for name in lanes(50)[:300])
    assert heard(stable) & heard(canary) == set()


def answer(lane: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + lane


async def ask(port: int, sessions: range) -> str:
    """One pipelined request for each session; the lanes that answered, by their first letter."""
    lines = [f"GET / HTTP/1.1\r\nHost: t\r\nX-Session-Id: user-{session}\r\n" for session in sessions]
    lines[-1] += "Connection: close\r\n"
    answers = await say(port, "".join(f"{line}\r\n" for line in lines).encode())
    return b"".join(piece[:1] for piece in answers.split(b"\r\n\r\n")[1:]).decode()


def heard(endpoint: Upstream) -> set[bytes]:
    return {head.lower().split(b"x-session-id: ")[1].split(b"\r\n")[0] for head in endpoint.heard}


def test_explain_agrees_in_another_process(tmp_path: Path) -> None:
    path = str(config_file(config(50), tmp_path))
    expected = lanes(50)
    for session in (0, 1):
        done = command("explain", "--config", path, "-H", f"x-session-id: user-{session}", "--json", "/")
        assert json.loads(done.stdout)["lane"] == expected[session]
