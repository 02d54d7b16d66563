"""``tracer-proxy explain``: for people, for programs, and for what it cannot explain."""

import json
from pathlib import Path

import pytest
from proxy_process import command

CONFIG = """
version: 1
trust: [loopback]
coloring:
  - {color: canary, when: {header: {x-canary: "1"}}}
routes:
  - name: planner
    match: {path: /agents/planner, method: [GET, POST]}
    rewrite: {prefix: /}
    lanes:
      - {name: stable, pool: v1, weight: 95}
      - {name: canary, pool: v2, weight: 5, colors: [canary]}
pools:
  v1: {endpoints: [http://127.0.0.1:7001]}
  v2: {endpoints: [http://127.0.0.1:7002]}
"""
TRACEPARENT = "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "proxy.yaml"
    path.write_text(CONFIG)
    return str(path)


def test_text_goes_step_by_step(config: str) -> None:
    asked = ("-H", "X-Canary: 1", "-H", TRACEPARENT, "-H", "x-session-id: alice", "http://agents.test/agents/planner/run?x=1")
    done = command("explain", "--config", config, *asked)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "trace    0af7651916cd43dd8448eb211c80319c",
        "         from traceparent",
        "route    planner",
        "         planner: matches",
        "session  alice",
        "         header:x-session-id: found",
        "color    canary",
        "         inbound: none",
        "         rule 1 (canary when header x-canary = '1'): holds: header x-canary is '1'",
        "lane     canary",
        "         serves colour canary",
        "         if nobody of it can be had: the baseline, stable",
        "endpoint http://127.0.0.1:7002",
        "         pool v2: http://127.0.0.1:7002",
        "request  GET /run?x=1",
    ]


def test_json_for_programs(config: str) -> None:
    done = command("explain", "--config", config, "--json", "-H", "x-session-id: alice", "-d", '{"a": 1}', "/agents/planner")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout)
    steps = answer.pop("steps")
    assert [step["step"] for step in steps] == ["trace", "route", "session", "color", "lane", "endpoint"]
    assert len(answer.pop("trace_id")) == 32
    assert answer == {
        "route": "planner",
        "session": {"key": "alice", "source": "header:x-session-id"},
        "color": None,
        "color_source": "none",
        "bucket": 9485,
        "lane": "stable",
        "fell_back": False,
        "pool": "v1",
        "endpoint": "http://127.0.0.1:7001",
        "target": "/",
        "egress": "full",
    }


def test_no_route_exits_with_1_and_still_explains(config: str) -> None:
    """A body makes it a POST, and ``-X`` decides otherwise."""
    done = command("explain", "--config", config, "-X", "DELETE", "-d", "x", "/agents/planner")
    assert done.returncode == 1
    assert "route    none: 404" in done.stdout
    assert "planner: method differs" in done.stdout


def test_an_untrusted_caller(config: str) -> None:
    done = command("explain", "--config", config, "--json", "--from", "10.1.1.1", "-H", TRACEPARENT, "/agents/planner")
    answer = json.loads(done.stdout)
    assert answer["trace_id"] not in TRACEPARENT
    assert "not trusted" in str(answer["steps"][0]["notes"])


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        (["-H", "bad name: x", "/"], 1, "The proxy would answer 400: A header name"),
        (["-H", "no colon", "/"], 1, "The proxy would answer 400: A header line has no colon."),
        (["/two words"], 1, "The proxy would answer 400: "),
        (["--from", "localhost", "/"], 2, "'localhost' is not an IP address."),
        ([], 2, "Missing argument 'URL'"),
    ],
)
def test_what_cannot_be_asked(config: str, arguments: list[str], code: int, complaint: str) -> None:
    done = command("explain", "--config", config, *arguments)
    assert done.returncode == code
    assert complaint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_file_is_told_as_by_check(tmp_path: Path) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(CONFIG.replace("pool: v2", "pool: v3"))
    done = command("explain", "--config", str(path), "/")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{path}:12:30: routes[0].lanes[1].pool: found 'v3'")
