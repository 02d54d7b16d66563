"""What another config would do, asked of a proxy that has served: by ``diff``, and by a reload that is only tried."""

import asyncio
import json
import os
from pathlib import Path

from harness import OK, WAIT_S, answering, request, say, upstream
from proxy_process import ProxyProcess, command, running_file

from tracer_proxy.routing.bucket import bucket, seed

NAMES = [f"s-{number}" for number in range(15)]
ROLLOUT = "rollouts: {up: {route: planner, lane: canary, start: auto, judge: {max_error_rate: {absolute: 0.1}}}}\n"


def config(port: int, canary: int, more: str = "") -> str:
    return f"""
version: 1
proxy: {{listen: 127.0.0.1:0}}
admin: {{listen: 127.0.0.1:0}}
coloring: [{{color: canary, when: {{header: {{x-canary: "1"}}}}}}]
routes:
  - name: planner
    lanes:
      - {{name: stable, pool: v1, weight: {100 - canary}}}
      - {{name: canary, pool: v2, weight: {canary}, colors: [canary]}}
pools:
  v1: {{endpoints: [http://127.0.0.1:{port}]}}
  v2: {{endpoints: [http://127.0.0.1:{port}]}}
{more}"""


async def served(running: ProxyProcess) -> None:
    """A request of each session, one that a rule colours, and one that hangs on its trace; all of them remembered."""
    for name in NAMES:
        await say(running.port, request("GET / HTTP/1.1", f"x-session-id: {name}"))
    await say(running.port, request("GET / HTTP/1.1", "x-session-id: ruled", "x-canary: 1"))
    await say(running.port, request("GET / HTTP/1.1"))
    async with asyncio.timeout(WAIT_S):
        while (await running.ask("/api/exchanges"))[1]["remembered"] < len(NAMES) + 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def moving(low: int, high: int) -> set[str]:
    return {name for name in NAMES if 100 * low <= bucket(name.encode(), seed("planner")) < 100 * high}


async def test_a_running_proxy_tells_who_would_move_and_nobody_does(tmp_path: Path) -> None:
    path, new = tmp_path / "proxy.yaml", tmp_path / "new.yaml"
    async with upstream(answering(OK)) as endpoint:
        path.write_text(config(endpoint.port, 10))
        new.write_text(config(endpoint.port, 70))
        async with running_file(path) as running:
            await served(running)
            admin = ("--sessions", "recorded", "--admin", f"127.0.0.1:{running.admin_port}", "--json")
            same = await asyncio.to_thread(command, "diff", str(path), str(path), *admin)
            done = await asyncio.to_thread(command, "diff", str(path), str(new), *admin)
            code, tried = await running.ask("/api/reload?dry_run=1&file=new.yaml", "POST")
            _, unchanged = await running.ask("/api/reload?dry_run=1", "POST")
            _, status = await running.ask("/api/status")
            (route,) = (await running.ask("/api/routes"))[1]
    assert (same.returncode, same.stderr) == (0, "")
    found = json.loads(same.stdout)["sessions"]
    assert (found["sessions"], found["same"], found["elsewhere"]) == (len(NAMES) + 2, len(NAMES) + 2, 0)
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)["sessions"]
    named = {each["session"] for each in found["who"]} & {*NAMES, "ruled"}
    assert named == moving(10, 70)
    assert moving(10, 70)
    assert (code, tried["would_change"], tried["restart_needed"]) == (200, True, False)
    assert tried["moves"] == [{"route": "planner", "from": "stable", "to": "canary", "percent": 60.0}]
    assert tried["sessions"] == found
    assert (unchanged["would_change"], unchanged["moves"]) == (False, [])
    # Nothing of it is in force.
    assert status["config"] == unchanged["config"] != tried["config"]
    assert status["reloads"] == {"succeeded": 0, "failed": 0}
    assert [lane["weight"] for lane in route["lanes"]] == [90, 10]


async def test_problems_are_told_and_change_nothing(tmp_path: Path) -> None:
    path, new = tmp_path / "proxy.yaml", tmp_path / "new.yaml"
    path.write_text(config(1, 10))
    async with running_file(path) as running:
        new.write_text(config(1, 10).replace("pool: v2", "pool: v3"))
        code, wrong = await running.ask("/api/reload?dry_run=1&file=new.yaml", "POST")
        new.write_text(config(1, 10).replace("listen: 127.0.0.1:0", "listen: 127.0.0.1:2", 1))
        restart_code, restart = await running.ask("/api/reload?dry_run=1&file=new.yaml", "POST")
        refused = [
            await running.ask(f"/api/reload?{query}", "POST")
            for query in ("dry_run=2", "dryrun=1", "file=new.yaml", "dry_run=1&file=../x", "dry_run=1&file=..")
        ]
        _, status = await running.ask("/api/status")
    assert (code, wrong["restart_needed"], wrong["would_change"]) == (422, False, False)
    (problem,) = wrong["error"]["problems"]
    assert problem.startswith(f"{new}:")
    assert "found 'v3'" in problem
    assert (restart_code, restart["restart_needed"]) == (422, True)
    assert {code for code, _ in refused} == {400}
    assert status["last_reload"] is None


async def test_only_an_ordinary_config_file_in_the_folder_is_tried(tmp_path: Path) -> None:
    folder = tmp_path / "configs"
    folder.mkdir()
    path = folder / "proxy.yaml"
    path.write_text(config(1, 10))
    os.mkfifo(folder / "pipe.yaml")
    (folder / "folder.json").mkdir()
    for outside in (folder / "notes.txt", tmp_path / "out.yaml"):
        outside.write_text(config(1, 70))
    (folder / "out.yaml").symlink_to(tmp_path / "out.yaml")
    (folder / "linked.yml").symlink_to("proxy.yaml")
    async with running_file(path) as running, asyncio.timeout(WAIT_S):
        tried = {
            name: await running.ask(f"/api/reload?dry_run=1&file={name}", "POST")
            for name in ("pipe.yaml", "folder.json", "notes.txt", "out.yaml", "gone.yaml", "linked.yml", "proxy.yaml")
        }
    assert [code for code, _ in tried.values()] == [422] * 5 + [200] * 2
    problems = [answer["error"]["problems"][0] for code, answer in tried.values() if code == 422]
    told = ("no ordinary file", "no ordinary file", "only a config file in", "only a config file in", "cannot read the file")
    assert [part in problem for part, problem in zip(told, problems, strict=True)] == [True] * 5


async def test_what_would_become_of_rollouts_and_whose_weights_these_are(tmp_path: Path) -> None:
    path, new = tmp_path / "proxy.yaml", tmp_path / "new.yaml"
    path.write_text(config(1, 0, ROLLOUT))
    async with running_file(path) as running:
        fates = {}
        for name, more in (
            ("same", ROLLOUT),
            ("other", ROLLOUT.replace("0.1", "0.2")),
            ("renamed", ROLLOUT.replace("{up:", "{again:").replace("start: auto", "start: manual")),
            ("gone", ""),
        ):
            new.write_text(config(1, 0, more))
            _, answer = await running.ask("/api/reload?dry_run=1&file=new.yaml", "POST")
            fates[name] = answer["rollouts"]
        _, before = await running.ask("/api/rollouts/up")
        _, explained = await running.ask("/api/explain", "POST", {"url": "/"})
        await running.ask("/api/rollouts/up/abort", "POST")
        _, closed = await running.ask("/api/explain", "POST", {"url": "/", "headers": {"x-canary": "1"}})
        await running.ask("/api/routes/planner/weights", "PUT", {"canary": 50})
    assert fates == {
        "same": {"up": "goes_on"},
        "other": {"up": "begins"},
        "renamed": {"up": "ends", "again": "waits"},
        "gone": {"up": "ends"},
    }
    assert [change["kind"] for change in before["history"]] == ["started"]
    notes = {step["step"]: step["notes"] for step in explained["steps"]}["lane"]
    assert notes[-1] == "weights are those of the rollout up: stable 99, canary 1"
    notes = {step["step"]: step["notes"] for step in closed["steps"]}["lane"]
    assert notes[-1] == "canary is closed by the rollout up: it gets nothing, and the baseline serves its colours"
    assert closed["lane"] == "stable"


async def test_weights_set_by_hand_are_told_by_explain(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    path.write_text(config(1, 10))
    async with running_file(path) as running:
        await running.ask("/api/routes/planner/weights", "PUT", {"canary": 50})
        _, explained = await running.ask("/api/explain", "POST", {"url": "/"})
    notes = {step["step"]: step["notes"] for step in explained["steps"]}["lane"]
    assert notes[-1] == "weights were set over the admin API: stable 90, canary 50"
