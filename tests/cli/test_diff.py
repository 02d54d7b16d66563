"""``tracer-proxy diff``: what it prints, for people and programs, and how it ends."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from record_cases import record

from tracer_proxy.cli import main
from tracer_proxy.routing.bucket import bucket, seed
from tracer_proxy.telemetry.exchange_log import line_of

OLD = """\
version: 1
routes:
  - name: planner
    match: {path: /agents/planner}
    lanes:
      - {name: stable, pool: v1, weight: 95}
      - {name: canary, pool: v2, weight: 5}
pools:
  v1: {endpoints: [http://h:1]}
  v2: {endpoints: [http://h:2]}
"""
RAISED = OLD.replace("95", "80").replace("weight: 5}", "weight: 20}")
NAMES = [f"s-{number}" for number in range(100)]
DRAWN = {name: bucket(name.encode(), seed("planner")) for name in NAMES}
MOVING = [name for name in NAMES if 500 <= DRAWN[name] < 2000]


def logged(name: str, **changes: str) -> str:
    lane = "canary" if DRAWN[name] < 500 else "stable"
    told = {"session": name, "lane": lane, "lane_intended": lane, "color": "", "color_source": "none"} | changes
    return json.dumps(line_of(record(**told)))


LOG = "\n".join(map(logged, NAMES)) + "\n"


def run(folder: Path, old: str, new: str, *arguments: str, given: str | None = None) -> Result:
    """``old`` and ``new`` are written to files; ``given`` stands on stdin."""
    for name, text in (("old.yaml", old), ("new.yaml", new)):
        (folder / name).write_text(text)
    files = [str(folder / "old.yaml"), str(folder / "new.yaml")]
    return CliRunner().invoke(main, ["diff", *files, *arguments], input=given, env={"TRACER_PROXY_PROFILE": ""})


def test_without_records_the_shares_are_exact(tmp_path: Path) -> None:
    result = run(tmp_path, OLD, RAISED)
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout == "planner: stable → canary: 15.00 % of all sessions without colour\n"


def test_nothing_changes(tmp_path: Path) -> None:
    new = OLD.replace("pools:", "log: {exchanges: stderr}\npools:")
    result = run(tmp_path, OLD, new)
    assert (result.exit_code, result.stdout) == (0, "Nobody changes lane, pool or colour.\n")
    result = run(tmp_path, OLD, new, "--sessions", "-", given=LOG)
    assert (result.exit_code, result.stdout) == (0, "100 sessions in 100 exchanges: 100 stay as they are\n")


def test_a_log_names_who_moves(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"event": "ready"}\n' + LOG)
    result = run(tmp_path, OLD, RAISED, "--sessions", str(tmp_path / "log.jsonl"), "--limit", "2")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    count = len(MOVING)
    # The program's own line came first and is none of an exchange.
    assert lines == [
        f"100 sessions in 100 exchanges: {100 - count} stay as they are",
        f"planner: lane stable → canary: {count} sessions, {count:.2f} %",
        *(f"  {name}  planner  stable → canary" for name in MOVING[:2]),
        f"  and {count - 2} more; --limit names them",
    ]


def test_a_list_of_keys_does_as_well(tmp_path: Path) -> None:
    result = run(tmp_path, OLD, RAISED, "--sessions", "-", "--json", "--limit", "1000", given="\n".join(NAMES))
    found = json.loads(result.stdout)["sessions"]
    assert [each["session"] for each in found["who"]] == MOVING
    assert found["changes"] == [
        {
            "change": "lane",
            "route": "planner",
            "from": "stable",
            "to": "canary",
            "sessions": len(MOVING),
            "percent": len(MOVING),
        }
    ]
    assert (found["more"], found["untold"], found["unusable"], found["elsewhere"]) == (0, [], [], 0)


def test_what_cannot_be_told_is_no_sameness(tmp_path: Path) -> None:
    new = OLD.replace("routes:", 'coloring: [{color: blue, when: {header: {x-new: "1"}}}]\nroutes:')
    result = run(tmp_path, OLD, new, "--sessions", "-", given=LOG + "no json\n")
    assert result.exit_code == 2
    assert result.stdout.splitlines()[1:] == [
        "cannot be told of 100 sessions: the header x-new is not recorded: rule 1 (blue when header x-new = '1')",
        "left out, 1 exchange: its line is no JSON",
    ]


def test_a_session_that_is_told_by_a_digest_cannot_be_decided_again(tmp_path: Path) -> None:
    secret = json.dumps(line_of(record(session="~0123456789abcdef", session_source="cookie:sid")))
    result = run(tmp_path, OLD, RAISED, "--sessions", "-", given=secret)
    assert result.stdout.splitlines()[1:] == [
        "cannot be told of 1 session: its session key may be a credential: only a digest of it is recorded"
    ]
    assert result.exit_code == 2


def test_colours_and_pools_that_change(tmp_path: Path) -> None:
    new = OLD.replace("http://h:1", "http://h:9").replace("pool: v2,", "color: green, pool: v2,")
    name = next(name for name in NAMES if DRAWN[name] < 500)
    result = run(tmp_path, OLD, new, "--sessions", "-", given=f"{logged(name)}\n{logged(MOVING[0])}\n")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1:] == [
        "planner: pool v1 (http://h:1) → v1 (http://h:9): 1 session, 50.00 %",
        "planner: colour none → green: 1 session, 50.00 %",
        f"  {MOVING[0]}  planner  v1 (http://h:1) → v1 (http://h:9)",
        f"  {name}  planner  none → green  colour none → green (lane)",
    ]


def test_a_rollout_s_weights_are_not_known_to_the_file(tmp_path: Path) -> None:
    rollout = "rollouts: {up: {route: planner, lane: canary, judge: {max_error_rate: {absolute: 0.1}}}}\n"
    result = run(tmp_path, OLD, OLD + rollout)
    assert result.stdout.endswith("note: a rollout sets the weights of planner; here those of the file count\n")


def test_a_lane_that_drains_keeps_sessions_that_no_share_knows_of(tmp_path: Path) -> None:
    old = OLD.replace("weight: 5}", "weight: 5, drain: sessions, drain_limit: 2h}")
    new = old.replace("weight: 5,", "weight: 0,")
    note = (
        "canary of planner drains: sessions that it has served stay for up to 7200 s; "
        "shares and lists of keys tell where they go after that"
    )
    assert run(tmp_path, old, new).stdout.splitlines()[-1] == f"note: {note}"
    assert json.loads(run(tmp_path, old, new, "--json").stdout)["notes"] == [note]
    served = next(name for name in NAMES if DRAWN[name] < 500)
    found = json.loads(run(tmp_path, old, new, "--json", "--sessions", "-", given=logged(served)).stdout)
    assert (found["sessions"]["same"], found["notes"]) == (1, [note])
    assert [json.loads(run(tmp_path, *pair, "--json").stdout)["notes"] for pair in ((old, RAISED), (new, new))] == [[], []]


def test_what_is_wrong_with_both_files_is_told_at_its_place(tmp_path: Path) -> None:
    result = run(tmp_path, OLD.replace("pool: v2", "pool: v3"), OLD.replace("weight: 5", "weight: x"))
    assert (result.exit_code, result.stdout) == (2, "")
    first, second = result.stderr.splitlines()
    assert first.startswith(f"{tmp_path}/old.yaml:7:30: routes[0].lanes[1].pool: found 'v3'")
    assert second.startswith(f"{tmp_path}/new.yaml:7:42: routes[0].lanes[1].weight:")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--sessions", "/no/such/file"], "Cannot read /no/such/file: No such file or directory."),
        (["--sessions", "recorded", "--admin", "127.0.0.1:1"], "No answer from http://127.0.0.1:1"),
        (["--sessions", "recorded", "--admin", "ftp://h"], "is no address of an admin port"),
        (["--limit", "-1"], "Invalid value for '--limit'"),
    ],
)
def test_trouble_is_no_difference(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    result = run(tmp_path, OLD, OLD, *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert complaint in result.stderr


def test_nothing_at_all_is_given(tmp_path: Path) -> None:
    result = run(tmp_path, OLD, RAISED, "--sessions", "-", given="")
    assert (result.exit_code, result.stdout) == (0, "0 sessions in 0 exchanges: 0 stay as they are\n")
