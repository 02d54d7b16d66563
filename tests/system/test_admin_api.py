"""The admin port: what it shows, what it does, and who may ask."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from harness import OK, answering, one_route, request, say, upstream
from proxy_process import ProxyProcess, proxy_process, running_file

ADMIN = "admin: {listen: 127.0.0.1:0}"
TOKEN = "a-token-that-nobody-guesses"


async def test_status_pools_and_config_tell_what_is_there(tmp_path: Path) -> None:
    async with upstream(answering(OK)) as endpoint:
        config = one_route(endpoint.url, top=ADMIN, pool="headers: {authorization: Bearer very-secret}")
        async with proxy_process(config, tmp_path) as running:
            await say(running.port, request(close=False) + request("GET /x HTTP/1.1"))
            _, shown = await running.ask("/api/status")
            _, (pool,) = await running.ask("/api/pools")
            _, told = await running.ask("/api/config")
    assert [process["name"] for process in shown["processes"]] == ["supervisor", "control", "worker 1"]
    assert (shown["exchanges"], shown["under_way"], shown["errors"], shown["last_reload"]) == (2, 0, {}, None)
    assert len(shown["config"]) == 12
    assert (pool["name"], pool["endpoints"][0]["address"], pool["endpoints"][0]["pending"]) == ("only", endpoint.url, 0)
    assert told["pools"]["only"]["headers"] == {"authorization": "***"}
    assert told["pools"]["only"]["endpoints"] == [endpoint.url]
    assert "very-secret" not in str((shown, pool, told))


async def test_explain_says_what_the_command_says(tmp_path: Path) -> None:
    async with proxy_process(one_route("http://127.0.0.1:1", top=ADMIN), tmp_path) as running:
        question = {"url": "/a?b=c", "headers": {"x-session-id": "alice"}}
        code, answer = await running.ask("/api/explain", "POST", question)
        wrong: list[object] = [{"url": "a"}, {}, [], {"url": "/", "headers": {"a b": "c"}}, {"url": "/", "from": "nobody"}]
        refused = [await running.ask("/api/explain", "POST", each) for each in wrong]
    assert (code, answer["route"], answer["session"]["key"], answer["target"]) == (200, "all", "alice", "/a?b=c")
    assert [status for status, _ in refused] == [400, 400, 400, 422, 400]
    assert [shown["error"]["kind"] for _, shown in refused] == [*["wrong_question"] * 3, "malformed", "wrong_question"]


@pytest.mark.parametrize(
    ("path", "document", "code", "says"),
    [
        ("all", {"only": 0}, 422, "All weights are 0"),
        ("all", {"onyl": 1}, 422, "did you mean 'only'?"),
        ("all", {"only": -1}, 422, "must be a number from 0"),
        ("all", {"only": True}, 422, "must be a number from 0"),
        ("all", {}, 422, "Expected an object with a weight"),
        ("al", {"only": 1}, 404, "did you mean 'all'?"),
    ],
)
async def test_weights_are_checked(path: str, document: Any, code: int, says: str, tmp_path: Path) -> None:
    async with proxy_process(one_route("http://127.0.0.1:1", top=ADMIN), tmp_path) as running:
        found, answer = await running.ask(f"/api/routes/{path}/weights", "PUT", document)
        _, (route,) = await running.ask("/api/routes")
    assert found == code
    assert says in answer["error"]["message"]
    assert not route["overridden"]


async def test_nothing_but_probes_without_the_token(tmp_path: Path) -> None:
    config = one_route("http://127.0.0.1:1", top="admin: {listen: 127.0.0.1:0, token: '${TOKEN}'}")
    path = tmp_path / "proxy.yaml"
    path.write_text(config)
    async with running_file(path, TOKEN=TOKEN) as running:
        assert [(await running.ask(open_to_all))[0] for open_to_all in ("/healthz", "/readyz")] == [200, 200]
        for authorization in ("", TOKEN, f"Bearer {TOKEN}x", f"Basic {TOKEN}"):
            code, answer = await running.ask("/api/config", authorization=authorization)
            assert (code, answer["error"]["kind"]) == (401, "unauthorized")
        code, answer = await running.ask("/api/config", authorization=f"Bearer {TOKEN}")
        assert (code, answer["admin"]["token"]) == (200, "***")


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Host": "rebound.example"}],
    ids=lambda headers: next(iter(headers)),
)
async def test_no_page_of_another_site_changes_anything(headers: dict[str, str], tmp_path: Path) -> None:
    async with proxy_process(one_route("http://127.0.0.1:1", top=ADMIN), tmp_path) as running:
        assert (await changed(running, {}))[0] == 200
        code, kind = await changed(running, headers)
    assert code == 403
    assert kind in ("cross_site", "forbidden_host")


async def changed(running: ProxyProcess, headers: dict[str, str]) -> tuple[int, str]:
    url = f"http://127.0.0.1:{running.admin_port}/api/reload"
    async with ClientSession() as session, session.post(url, headers=headers) as answer:
        document = await answer.json()
        return answer.status, document.get("error", {}).get("kind", "")


async def test_what_is_not_there_is_told_in_one_shape(tmp_path: Path) -> None:
    async with proxy_process(one_route("http://127.0.0.1:1", top=ADMIN), tmp_path) as running:
        assert (await running.ask("/api/nothing"))[1]["error"]["kind"] == "not_found"
        assert (await running.ask("/api/status", "DELETE"))[1]["error"]["kind"] == "method_not_allowed"


async def test_draining_by_the_api(tmp_path: Path) -> None:
    async with proxy_process(one_route("http://127.0.0.1:1", top=ADMIN), tmp_path) as running, asyncio.timeout(60):
        assert (await running.ask("/api/drain", "POST"))[0] == 202
        await running.event("stopped")
        assert await running.exit_code() == 0


async def test_odd_bytes_are_refused_and_not_stumbled_over(tmp_path: Path) -> None:
    path = tmp_path / "proxy.yaml"
    path.write_text(one_route("http://127.0.0.1:1", top="admin: {listen: 127.0.0.1:0, token: '${TOKEN}'}"))
    async with running_file(path, TOKEN=TOKEN) as running:
        heard = await say(
            running.admin_port, b"GET /api/status HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer \xff\r\n\r\n" + request()
        )
        assert heard.startswith(b"HTTP/1.1 401")
        nested = {"authorization": f"Bearer {TOKEN}"}
        url = f"http://127.0.0.1:{running.admin_port}/api/explain"
        async with ClientSession() as session, session.post(url, data="[" * 60_000, headers=nested) as answer:
            assert (answer.status, (await answer.json())["error"]["kind"]) == (400, "wrong_question")
    async with proxy_process(one_route("http://127.0.0.1:1", top=ADMIN), tmp_path) as running:
        assert (await say(running.admin_port, b"GET /api/status HTTP/1.1\r\nHost: [\r\nConnection: close\r\n\r\n")).startswith(
            (b"HTTP/1.1 403", b"HTTP/1.1 400")
        )
