"""``tracer-proxy run``: what it says when it starts, and when it cannot."""

import json
import socket
from pathlib import Path

import pytest
from harness import OK, answering, one_route, request, say, status, upstream
from proxy_process import command, config_file, proxy_process

BAD = """
version: 1
proxy: {lissten: 127.0.0.1:0}
routes:
  - name: one
    lanes: [{name: a, pool: nowhere, weight: many}]
pools: {v1: {endpoints: [ftp://127.0.0.1]}}
"""


async def test_it_says_where_it_listens_and_serves_there(tmp_path: Path) -> None:
    """The proxy on two addresses, the admin port and the mock LLM, each on a port that was free."""
    top = "admin: {listen: 127.0.0.1:0}\nmocks: {llm: {listen: 127.0.0.1:0}}"
    async with upstream(answering(OK)) as endpoint:
        both = f"{{listen: ['127.0.0.1:0', 'unix:{tmp_path}/proxy.sock']}}"
        config = one_route(endpoint.url, top=top).replace("{listen: 127.0.0.1:0}", both, 1)
        async with proxy_process(config, tmp_path) as running:
            ready = running.ready
            assert status(await say(running.port, request())) == 200
            ready_now = {"status": "ready", "workers": {"wanted": 1, "ready": 1}, "crash_loops": {}}
            assert await running.ask("/readyz") == (200, ready_now)
            _, shown = await running.ask("/api/status")
            mock_port = int(ready["mock_llm"].rpartition(":")[2])
            assert b'"object"' in await say(mock_port, request("GET /v1/models HTTP/1.1"))
    assert ready["proxy"] == [f"127.0.0.1:{running.port}", f"unix:{tmp_path}/proxy.sock"]
    assert (shown["exchanges"], shown["under_way"], shown["errors"]) == (1, 0, {})


def test_a_bad_file_is_told_in_full_and_nothing_starts(tmp_path: Path) -> None:
    path = config_file(BAD, tmp_path)
    done = command("run", "--config", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    lines = done.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == [
        "proxy.lissten",
        "routes[0].lanes[0].pool",
        "routes[0].lanes[0].weight",
        "pools.v1.endpoints[0]",
    ]
    assert all(line.startswith(f"{path}:") for line in lines)
    assert "did you mean 'listen'?" in lines[0]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    done = command("run", "--config", str(tmp_path / "none.yaml"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{tmp_path}/none.yaml: cannot read the file: No such file or directory\n"


@pytest.mark.parametrize("whose", ["proxy", "admin", "mock"])
def test_an_address_in_use_is_one_clear_sentence(whose: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        top = {"proxy": "", "admin": f"admin: {{listen: {address}}}", "mock": f"mocks: {{llm: {{listen: {address}}}}}"}[whose]
        config = one_route("http://127.0.0.1:1", top=top)
        if whose == "proxy":
            config = config.replace("listen: 127.0.0.1:0", f"listen: {address}")
        done = command("run", "--config", str(config_file(config, tmp_path)))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    event = json.loads(line)
    assert (event["event"], event["level"]) == ("failed", "error")
    assert event["message"].startswith(f"Cannot listen on {address}: Address already in use. ")


def test_a_folder_that_is_not_there_for_a_unix_socket(tmp_path: Path) -> None:
    config = one_route("http://127.0.0.1:1").replace("127.0.0.1:0", f"'unix:{tmp_path}/none/proxy.sock'")
    done = command("run", "--config", str(config_file(config, tmp_path)))
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert json.loads(line)["message"].startswith(f"Cannot listen on unix:{tmp_path}/none/proxy.sock: No such file")


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    precious = tmp_path / "precious.txt"
    precious.write_text("do not delete")
    first = tmp_path / "first.sock"
    listen = f"[unix:{first}, unix:{precious}]"
    config = one_route("http://127.0.0.1:1").replace("listen: 127.0.0.1:0", f"listen: {listen}")
    done = command("run", "--config", str(config_file(config, tmp_path)))
    assert done.returncode == 1
    assert f"Cannot listen on unix:{precious}: there is a file of that name, which is no socket." in done.stderr
    assert precious.read_text() == "do not delete"
    assert not first.exists(), "what was opened before is cleaned up"
