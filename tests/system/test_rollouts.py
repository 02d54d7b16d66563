"""Rollouts of a running proxy: what people can do with them, what outlives what, and what becomes of good and bad lanes."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from harness import WAIT_S, answering, upstream
from proxy_process import ProxyProcess, command, proxy_process, running_file

from tracer_proxy.control.rollout_file import decode
from tracer_proxy.dataplane.tasks import begin
from tracer_proxy.rollout.course import Course

ERRORS = "judge: {min_exchanges: 20, max_error_rate: {absolute: 0.3, worse_than_baseline: 0.05}}"
LONG = f"hold: 1h, {ERRORS}"
NOBODY = "http://127.0.0.1:1"


def config(
    rollout: str,
    *urls: str,
    state: Path | None = None,
    start: str = "auto",
    lane: str = "canary",
    rest: str = "",
    weight: int = 0,
) -> str:
    stable, canary, rules = (*urls, NOBODY, NOBODY, NOBODY)[:3]
    return f"""
version: 1
proxy: {{listen: 127.0.0.1:0}}
admin: {{listen: 127.0.0.1:0}}
{f"state: {{folder: {state}}}" if state else ""}
routes:
  - name: planner
    lanes:
      - {{name: stable, pool: v1}}
      - {{name: canary, pool: v2, colors: [canary]}}
      - {{name: rules, pool: v3, weight: 0}}
pools:
  v1: {{endpoints: [{stable}]}}
  v2: {{endpoints: [{canary}]}}
  v3: {{endpoints: [{rules}]}}
rollouts:
  v2: {{route: planner, lane: {lane}, start: {start}, {rollout}}}
"""


def says(name: str, status: int = 200, *fields: str) -> Callable[..., Any]:
    lines = "".join(f"{field}\r\n" for field in fields)
    return answering(f"HTTP/1.1 {status} X\r\nContent-Length: {len(name)}\r\n{lines}\r\n{name}".encode())


async def weights(running: ProxyProcess) -> dict[str, float]:
    _, (route,) = await running.ask("/api/routes")
    return {lane["name"]: lane["weight"] for lane in route["lanes"]}


async def act(running: ProxyProcess, action: str, document: object = None) -> tuple[int, Any]:
    return await running.ask(f"/api/rollouts/v2/{action}", "POST", document)


async def shown(running: ProxyProcess) -> Any:
    code, found = await running.ask("/api/rollouts/v2")
    assert code == 200
    return found


async def served_by(running: ProxyProcess, session: str = "", color: str = "") -> str:
    headers = {"x-session-id": session} | ({"x-traffic-color": color} if color else {})
    async with ClientSession() as client, client.get(f"{running.url}/", headers=headers) as answer:
        return await answer.text()


@asynccontextmanager
async def traffic(running: ProxyProcess) -> AsyncIterator[None]:
    """New sessions without colour, one after the other."""

    async def send() -> None:
        async with ClientSession() as client:
            for number in count():
                async with client.get(f"{running.url}/", headers={"x-session-id": f"s{number}"}) as answer:
                    await answer.read()

    sending = begin(send(), "traffic")
    try:
        yield
    finally:
        sending.cancel()


# What people can do.


async def test_people_steer_it_by_api(tmp_path: Path) -> None:
    async with proxy_process(config(LONG, start="manual"), tmp_path) as running:
        before = await shown(running)
        assert (before["status"], before["next_step_earliest"], before["steps"]) == ("waiting", None, [1, 5, 25, 50, 100])
        assert await weights(running) == {"stable": 1, "canary": 0, "rules": 0}
        assert (await act(running, "start", {"by": "li", "reason": "it is Monday"}))[1]["status"] == "running"
        assert await weights(running) == {"stable": 99, "canary": 1, "rules": 0}
        assert (await act(running, "pause"))[1]["status"] == "paused"
        assert (await act(running, "resume"))[1]["status"] == "running"
        assert (await act(running, "promote"))[1]["percent"] == 100
        assert await weights(running) == {"stable": 0, "canary": 100, "rules": 0}
        code, after = await act(running, "abort", {"by": "wu"})
        assert (code, after["status"]) == (200, "aborted")
        assert await weights(running) == {"stable": 100, "canary": 0, "rules": 0}
        history = [(change["kind"], change["from"], change["to"], change["by"]) for change in after["history"]]
    assert history == [
        ("started", "waiting", "running", "li"),
        ("paused", "running", "paused", "api"),
        ("resumed", "paused", "running", "api"),
        ("promoted", "running", "promoted", "api"),
        ("aborted", "promoted", "aborted", "wu"),
    ]
    assert after["history"][0]["reason"] == "it is Monday"
    assert after["history"][0]["at"] <= after["history"][-1]["at"] == after["since"]


async def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    async with proxy_process(config(LONG, start="manual"), tmp_path) as running:
        code, told = await act(running, "resume")
        assert (code, told["error"]["kind"]) == (409, "unfit")
        assert told["error"]["message"] == "The rollout 'v2' is waiting; only one that is paused can be resumed."
        code, told = await running.ask("/api/rollouts/v3/start", "POST")
        assert (code, told["error"]["message"]) == (404, "There is no rollout 'v3'; rollouts: v2")
        assert (await running.ask("/api/rollouts/v3"))[0] == 404
        assert (await act(running, "delete"))[0] == 404
        for wrong in (["li"], {"who": "li"}, {"by": 1}):
            assert (await act(running, "start", wrong))[0] == 400
        assert (await running.ask("/api/rollouts/v2/start", "POST", Origin="https://evil.example"))[0] == 403
        assert (await shown(running))["history"] == []


async def test_people_steer_it_by_command(tmp_path: Path) -> None:
    async with proxy_process(config(LONG, start="manual"), tmp_path) as running:

        async def rollout(*arguments: str) -> tuple[int, str]:
            admin = ("--admin", f"127.0.0.1:{running.admin_port}")
            ended = await asyncio.to_thread(command, "rollout", *arguments, *admin)
            return ended.returncode, ended.stdout + ended.stderr

        code, said = await rollout("start", "v2", "--by", "li", "--reason", "it is \x1b[31mMonday")
        assert code == 0
        assert said.startswith("v2  running  step 1 of 5, 1 % for canary\n")
        assert "weights   stable 99, canary 1, rules 0" in said
        code, said = await rollout("status", "v2")
        assert "canary 0 exchanges, 0 errors; stable 0 exchanges, 0 errors" in said
        assert "by li: it is \N{REPLACEMENT CHARACTER}[31mMonday" in said
        assert "\x1b" not in said
        code, said = await rollout("resume", "v2")
        assert (code, said) == (1, "Error: The rollout 'v2' is running; only one that is paused can be resumed.\n")
        code, said = await rollout("abort", "v2", "--json")
        assert (code, json.loads(said)["status"]) == (0, "aborted")
        assert (await shown(running))["history"][-1]["by"] not in ("", "api")
        code, said = await rollout("status", "--json")
        assert [each["name"] for each in json.loads(said)] == ["v2"]
        assert (await rollout("pause", "v3"))[0] == 1


async def test_weights_that_are_set_by_hand_pause_it(tmp_path: Path) -> None:
    async with proxy_process(config(LONG), tmp_path) as running:
        assert (await running.ask("/api/routes/planner/weights", "PUT", {"stable": 60, "canary": 40}))[0] == 200
        paused = await running.event("rollout_paused")
        assert paused["reason"] == "weights were set by hand"
        os.kill(await running.pid_of("control"), signal.SIGKILL)
        await running.event("control_restarted")
        found = await shown(running)
        assert (found["status"], found["by_hand"]) == ("paused", True)
        assert await weights(running) == {"stable": 60, "canary": 40, "rules": 0}
        await act(running, "resume")
        assert await weights(running) == {"stable": 99, "canary": 1, "rules": 0}
        # Of one that has ended they are just weights.
        await act(running, "abort")
        assert (await running.ask("/api/routes/planner/weights", "PUT", {"stable": 70, "canary": 30}))[0] == 200
        assert (await shown(running))["status"] == "aborted"
        assert await weights(running) == {"stable": 70, "canary": 30, "rules": 0}


# What outlives what.


async def test_it_outlives_control(tmp_path: Path) -> None:
    """Without a folder, too."""
    async with upstream(says("v1")) as v1, proxy_process(config(LONG, v1.url, v1.url), tmp_path) as running:
        await running.ask("/api/status")
        async with traffic(running):
            await until(running, lambda found: found["evidence"]["baseline"]["exchanges"] > 50)
        before = await shown(running)
        os.kill(await running.pid_of("control"), signal.SIGKILL)
        await running.event("control_restarted")
        after = await shown(running)
        assert await weights(running) == {"stable": 99, "canary": 1, "rules": 0}
    assert after["status"] == "running"
    assert after["history"] == before["history"]
    assert after["evidence"]["baseline"]["exchanges"] >= before["evidence"]["baseline"]["exchanges"] - 50


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
async def test_it_outlives_the_proxy(number: signal.Signals, tmp_path: Path) -> None:
    """At the step where it was, with what it had seen."""
    path, state = tmp_path / "proxy.yaml", tmp_path / "state"
    async with upstream(says("v1")) as v1, upstream(says("v2")) as v2:
        rollout = f"steps: [50, 60], hold: 30s, {ERRORS}"
        path.write_text(config(rollout, v1.url, v2.url, state=state))
        async with running_file(path) as running:
            async with traffic(running):
                await until(running, lambda found: found["evidence"]["lane"]["exchanges"] > 50)
                await until_written(state / "rollouts.json")
            before = await shown(running)
            running.send(number)
            await running.exit_code()
        left = kept(state / "rollouts.json")
        async with running_file(path) as running:
            after = await shown(running)
            assert await weights(running) == {"stable": 50, "canary": 50, "rules": 0}
    assert (after["status"], after["step"], after["since"]) == ("running", 1, before["since"])
    assert after["history"] == before["history"]
    assert 0 < left.held_s <= after["held_s"] < 30
    assert after["evidence"]["lane"]["exchanges"] > 0


async def until_written(path: Path) -> None:
    """Until it tells of exchanges."""
    async with asyncio.timeout(3 * WAIT_S):
        while not kept(path).lane.exchanges:  # noqa: ASYNC110 — another process writes it
            await asyncio.sleep(0.1)


def kept(path: Path) -> Course:
    return decode(path.read_bytes())["v2"].course


async def until(running: ProxyProcess, holds: Callable[[Any], bool]) -> Any:
    async with asyncio.timeout(6 * WAIT_S):
        while True:
            if holds(found := await shown(running)):
                return found
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"format": "something else", "rollouts": {}}', b"\xff\x00"])
async def test_a_file_that_cannot_be_used_is_put_aside(content: bytes, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "rollouts.json").write_bytes(content)
    async with proxy_process(config(LONG, state=state), tmp_path) as running:
        (lost,) = [event for event in running.events if event["event"] == "rollouts_lost"]
        assert str(state / "rollouts.bad.json") in lost["message"]
        assert (state / "rollouts.bad.json").read_bytes() == content
        assert (await shown(running))["status"] == "running"


async def test_without_a_folder_it_says_that_a_restart_begins_anew(tmp_path: Path) -> None:
    async with proxy_process(config(LONG), tmp_path) as running:
        (told,) = [event for event in running.events if event["event"] == "rollouts_not_kept"]
    assert "no state.folder" in told["message"]


async def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    async with proxy_process(config(LONG, state=tmp_path / "file" / "state", start="manual"), tmp_path) as running:
        for action in ("start", "pause", "resume"):
            assert (await act(running, action))[0] == 200
        running.send(signal.SIGTERM)
        await running.event("stopped")
        told = [event["event"] for event in running.events]
    assert told.count("rollouts_not_kept") == 1


async def test_what_ended_stays_until_the_plan_changes(tmp_path: Path) -> None:
    path, state = tmp_path / "proxy.yaml", tmp_path / "state"
    path.write_text(config(LONG, state=state))
    async with running_file(path) as running:
        await act(running, "abort")
        path.write_text(config(f"{LONG}, notify: {{webhook: '{NOBODY}/'}}", state=state))
        await running.event("reloaded")
        assert (await shown(running))["status"] == "aborted"
        path.write_text(config(f"steps: [7], {LONG}", state=state))
        await running.event("reloaded")
        found = await shown(running)
        assert (found["status"], found["percent"], found["history"][0]["by"]) == ("running", 7, "config")
        path.write_text(config(LONG, state=state).partition("rollouts:")[0])
        await running.event("reloaded")
        assert await weights(running) == {"stable": 1, "canary": 0, "rules": 0}
        assert (await running.ask("/api/rollouts"))[1] == []
        running.send(signal.SIGTERM)
        await running.exit_code()
    assert decode((state / "rollouts.json").read_bytes()) == {}


async def test_the_other_lanes_share_what_is_left_as_the_file_now_says(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    path.write_text(config(f"steps: [10], {LONG}"))
    async with running_file(path) as running:
        assert await weights(running) == {"stable": 90, "canary": 10, "rules": 0}
        path.write_text(config(f"steps: [10], {LONG}").replace("pool: v3, weight: 0", "pool: v3, weight: 2"))
        await running.ask("/api/reload", "POST")
        assert await weights(running) == pytest.approx({"stable": 90 - 200 / 3, "canary": 10, "rules": 200 / 3})
        assert [change["kind"] for change in (await shown(running))["history"]] == ["started"]


async def test_weights_set_by_hand_outlive_no_lane(tmp_path: Path) -> None:
    path, state = tmp_path / "proxy.yaml", tmp_path / "state"
    path.write_text(config(LONG, state=state))
    async with running_file(path) as running:
        by_hand = {"stable": 0, "canary": 0, "rules": 1}
        assert (await running.ask("/api/routes/planner/weights", "PUT", by_hand))[0] == 200
        path.write_text(config(LONG, state=state).replace("      - {name: rules, pool: v3, weight: 0}\n", ""))
        lost = await running.event("weights_lost")
        assert (lost["rollout"], lost["route"]) == ("v2", "planner")
        await running.event("reloaded")
        assert await weights(running) == {"stable": 99, "canary": 1}
        running.send(signal.SIGTERM)
        await running.exit_code()
    async with running_file(path) as running:
        assert (await shown(running))["status"] == "paused"
        assert await weights(running) == {"stable": 99, "canary": 1}


# Good and bad lanes.


async def test_a_good_lane_is_promoted(tmp_path: Path) -> None:
    async with upstream(says("v1")) as v1, upstream(says("v2")) as v2:
        text = config(f"steps: [20, 100], hold: 3s, {ERRORS}", v1.url, v2.url)
        async with proxy_process(text, tmp_path) as running, traffic(running):
            step = await running.event("rollout_step")
            promoted = await running.event("rollout_promoted")
            assert await served_by(running, "anybody") == "v2"
            _, metrics = await metrics_of(running)
    assert (step["step"], step["percent"], step["by"], step["from"], step["to"]) == (2, 100, "judge", "running", "running")
    assert step["verdict"]["outcome"] == "healthy"
    assert step["verdict"]["exchanges"] >= 20
    assert promoted["weights"] == {"stable": 0, "canary": 100, "rules": 0}
    assert 'tracer_proxy_rollout_state{rollout="v2",state="promoted"} 1' in metrics
    assert 'tracer_proxy_rollout_weight_ratio{rollout="v2",route="planner",lane="canary"} 1' in metrics
    assert 'tracer_proxy_rollout_changes_total{rollout="v2",change="step"} 1' in metrics
    assert 'tracer_proxy_rollout_verdicts_total{rollout="v2",outcome="healthy"}' in metrics


async def metrics_of(running: ProxyProcess) -> tuple[int, str]:
    async with ClientSession() as session, session.get(f"http://127.0.0.1:{running.admin_port}/metrics") as answer:
        return answer.status, await answer.text()


async def test_a_bad_lane_is_rolled_back_and_closed(tmp_path: Path) -> None:
    async with upstream(says("v1")) as v1, upstream(says("v2", 500)) as v2:
        text = config(f"steps: [20, 100], hold: 1h, {ERRORS}", v1.url, v2.url, start="manual")
        async with proxy_process(text, tmp_path) as running:
            assert await served_by(running, color="canary") == "v2"
            await act(running, "start")
            async with traffic(running):
                back = await running.event("rollout_rolled_back")
            assert await weights(running) == {"stable": 100, "canary": 0, "rules": 0}
            assert await served_by(running, color="canary") == "v1"
            verdict = (await shown(running))["history"][-1]["verdict"]
            assert (await running.ask("/api/routes/planner/weights", "PUT", {"stable": 1, "canary": 0}))[0] == 200
            by_hand = await running.event("rollout_weights")
            assert await served_by(running, color="canary") == "v1"
            assert (await shown(running))["history"][-1]["kind"] == "weights"
            await act(running, "start")
            assert await served_by(running, color="canary") == "v2"
    assert (by_hand["by"], by_hand["from"], by_hand["to"]) == ("api", "rolled_back", "rolled_back")
    assert (by_hand["weights"], by_hand["closed"]) == ({"stable": 1, "canary": 0, "rules": 0}, ["canary"])
    assert (back["level"], back["by"], back["closed"]) == ("warning", "judge", ["canary"])
    assert verdict == back["verdict"]
    assert verdict["outcome"] == "failing"
    assert verdict["message"] in back["message"]
    assert verdict["window_s"] > 0
    assert all(len(trace) == 32 for trace in verdict["traces"])
    assert verdict["traces"]


async def test_low_confidence_switches_to_the_rules(tmp_path: Path) -> None:
    """The guard of a baseline; its sessions, and the colours that it served, go to the standby."""
    async with upstream(says("v1", 200, "X-Confidence: 0.4")) as v1, upstream(says("v3")) as v3:
        judge = "judge: {min_exchanges: 20, min_confidence: {mean: 0.65, for: 2s, header: x-confidence}}"
        text = config(
            f"steps: [100], hold: 2s, on_failure: {{switch_to: rules}}, {judge}", v1.url, NOBODY, v3.url, lane="stable"
        )
        async with proxy_process(text, tmp_path) as running:
            assert await weights(running) == {"stable": 100, "canary": 0, "rules": 0}
            async with traffic(running):
                switched = await running.event("rollout_switched")
            assert await weights(running) == {"stable": 0, "canary": 0, "rules": 100}
            assert await served_by(running, "anybody") == "v3"
            assert await served_by(running, color="nobodys") == "v3"
    assert switched["closed"] == ["stable"]
    assert switched["message"].startswith(
        "The rollout 'v2' of the route 'planner' is switched to the lane 'rules': nothing for the lane 'stable'. Confidence"
    )


async def test_no_traffic_is_held_and_never_promoted(tmp_path: Path) -> None:
    async with proxy_process(config(f"steps: [1, 100], hold: 1s, {ERRORS}"), tmp_path) as running:
        held = await running.event("rollout_held")
        await asyncio.sleep(3)
        found = await shown(running)
    assert (found["status"], found["step"]) == ("running", 1)
    assert "Exchanges: 0; a step needs 20." in found["held"]
    assert [change["kind"] for change in found["history"]] == ["started", "held"]
    assert held["verdict"]["outcome"] == "undecided"


# Who is told.


async def test_a_webhook_is_told_and_its_secrets_are_nobodys(tmp_path: Path) -> None:
    told: list[tuple[str, Any]] = []
    is_told = asyncio.Event()

    async def hook(request: web.Request) -> web.Response:
        told.append((request.headers["authorization"], await request.json()))
        if len(told) == 4:
            is_told.set()
        return web.Response(status=503 if len(told) < 3 else 204)

    async with serving(hook) as url:
        notify = f"notify: {{webhook: '{url}/T0KEN', headers: {{authorization: Bearer S3CRET}}}}"
        async with proxy_process(config(f"{LONG}, {notify}"), tmp_path) as running:
            await act(running, "abort", {"by": "li", "reason": "enough"})
            async with asyncio.timeout(WAIT_S):
                await is_told.wait()
            secrets = str(((await running.ask("/api/config"))[1], await shown(running)))
            running.send(signal.SIGTERM)
            secrets += (await running.rest()).decode()
        secrets += str(running.events)
    assert {authorization for authorization, _ in told} == {"Bearer S3CRET"}
    assert [document["change"] for _, document in told] == ["started", "started", "started", "aborted"]
    last = told[-1][1]
    assert (last["rollout"], last["from"], last["to"], last["by"], last["reason"]) == (
        "v2",
        "running",
        "aborted",
        "li",
        "enough",
    )
    assert last["weights"] == {"stable": 100, "canary": 0, "rules": 0}
    assert "T0KEN" not in secrets
    assert "S3CRET" not in secrets


@asynccontextmanager
async def serving(handler: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/{path:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
