"""``tracer-proxy mock llm`` as a process."""

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

COMMAND = [sys.executable, "-c", "from tracer_proxy.cli.mock import command; command()", "llm"]
WAIT_S = 30

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    started: list[subprocess.Popen[str]] = []

    def start_one(*arguments: str) -> "subprocess.Popen[str]":
        command = [*COMMAND, *arguments]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def greeting(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def connect(line: str) -> http.client.HTTPConnection:
    found = re.search(r"OPENAI_BASE_URL=http://([\d.]+):(\d+)/v1 ", line)
    assert found is not None, line
    return http.client.HTTPConnection(found[1], int(found[2]), timeout=WAIT_S)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_listens_and_leaves_quietly_when_told(start: Start, number: signal.Signals) -> None:
    process = start("--listen", "127.0.0.1:0")
    connection = connect(greeting(process))
    connection.request("GET", "/v1/models")
    assert json.load(connection.getresponse())["object"] == "list"
    process.send_signal(number)
    assert process.communicate(timeout=WAIT_S) == ("", "")
    assert process.returncode == 0
    connection.close()


def test_it_can_be_as_strict_as_a_provider(start: Start) -> None:
    connection = connect(greeting(start("--listen", "127.0.0.1:0", "--api-key", "one", "--api-key", "two", "--strict-models")))
    body = json.dumps({"model": "unheard-of", "input": "hi"})
    statuses = []
    for key in ("two", "three"):
        headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
        connection.request("POST", "/v1/responses", body, headers)
        with connection.getresponse() as response:
            statuses.append((response.status, json.load(response)["error"]["code"]))
    assert statuses == [(404, "model_not_found"), (401, "invalid_api_key")]
    connection.close()


def test_it_leaves_quietly_in_the_middle_of_a_stream(start: Start) -> None:
    process = start("--listen", "127.0.0.1:0", "--token-interval", "3600s")
    connection = connect(greeting(process))
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True})
    connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
    with connection.getresponse() as response:
        assert response.readline().startswith(b"data: {")
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=WAIT_S) == ("", "")
    assert process.returncode == 0
    connection.close()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--token-interval", "20"], "expected a number with its unit"),
        (["--listen", "nowhere"], "expected host:port"),
        (["--listen", "unix:/no/such/folder/mock.sock"], "Choose another address with --listen"),
    ],
)
def test_options_that_cannot_be_used(start: Start, arguments: list[str], complaint: str) -> None:
    process = start(*arguments)
    _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode != 0
    assert complaint in " ".join(errors.split())
    assert "Traceback" not in errors


def test_a_port_that_is_taken(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = start("--listen", f"127.0.0.1:{taken.getsockname()[1]}")
        _, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 1
    assert "Choose another address with --listen" in errors
    assert "Traceback" not in errors
