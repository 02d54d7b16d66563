"""``tracer-proxy tail`` as a process, on the real admin port: lines as they come, one trace, a proxy that goes and comes."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from harness import one_route
from live_admin import LiveAdmin, live_admin
from proxy_process import COMMAND, START_S, config_file, proxy_process
from record_cases import BEGAN, answered, asked, attempt, model_call, record, turn

from tracer_proxy.genai.rpc import RpcAnswered

TOKEN = "a-token-that-nobody-guesses"
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "TRACER_PROXY_ADMIN_TOKEN"} | {"TZ": "UTC"}


class Tail:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def line(self) -> str:
        assert self._process.stdout is not None
        return await _line(self._process.stdout)

    async def remark(self) -> str:
        assert self._process.stderr is not None
        return await _line(self._process.stderr)

    async def interrupted(self) -> tuple[int, str]:
        """Ctrl-C: its exit code and what it says at last."""
        self._process.send_signal(signal.SIGINT)
        async with asyncio.timeout(START_S):
            out, err = await self._process.communicate()
        return self._process.returncode or 0, (out + err).decode()


async def _line(stream: asyncio.StreamReader) -> str:
    async with asyncio.timeout(START_S):
        return (await stream.readline()).decode().rstrip("\n")


@asynccontextmanager
async def tailing(*arguments: str, **environment: str) -> AsyncIterator[Tail]:
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "tail", *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT | environment,
    )
    try:
        yield Tail(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def ran(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """A call that ends by itself: its exit code, and what it printed and said."""
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "tail", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=ENVIRONMENT | environment,
    )
    async with asyncio.timeout(START_S):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def admin_with_a_turn(token: str = "") -> AsyncIterator[LiveAdmin]:
    async with live_admin(token=token) as admin:
        for each in turn():
            admin.live.take(each)
        yield admin


async def test_exchanges_as_they_happen() -> None:
    async with live_admin() as admin, tailing("--admin", admin.url) as tail:
        await admin.watched()
        assert admin.wanted == [True]
        for each in turn():
            admin.live.take(each)
        admin.live.take(record(lane="stable", lane_intended="canary", status=503))
        lines = [" ".join((await tail.line()).split()) for _ in range(4)]
        assert await tail.interrupted() == (130, "")
    assert lines[0] == "00:00:00.700 POST openai canary openai 200 gpt-4o-mini-2026 123→45 400ms 500ms 0af76519"
    assert lines[2] == "00:00:02.500 POST planner canary canary 200 - - 2.00s 2.50s 0af76519"
    assert lines[3] == "00:00:02.500 POST planner canary stable (no canary) 503 - - 2.00s 2.50s 0af76519 503"


async def test_how_exchanges_ended() -> None:
    limited = {"status": 429, "asked": asked(), "answered": answered(error="rate_limit_exceeded")}
    ends = (
        {"status": 499, "error": "client_gone"},
        {"status": 200, "error": "client_gone"},
        {"status": 404, "attempts": [attempt(b"1" * 16, BEGAN, BEGAN + 1, status=404)]},
        {"status": 200, "error": "upstream_closed"},
        {"status": 200, "rpc_answered": RpcAnswered("", "", True, "", "", "", "", "")},
        {"method": "PURGE", **limited},
    )
    async with live_admin() as admin, tailing("--admin", admin.url, "--errors") as tail:
        await admin.watched()
        for changes in ({}, *ends):
            admin.live.take(record(**changes))
        words = [(await tail.line()).split() for _ in ends]
    assert [(each[5], each[-1]) for each in words] == [
        ("gone", "0af76519"),
        ("gone", "0af76519"),
        ("404", "0af76519"),
        ("200", "upstream_closed"),
        ("200", "tool_error"),
        ("429", "rate_limit_exceeded"),
    ]
    assert words[-1][1] == "PURGE"


async def test_the_last_ones_first_then_on() -> None:
    async with live_admin() as admin:
        for number in range(15):
            admin.live.take(record(path=f"/{number}", route=""))
        async with tailing("--admin", f"127.0.0.1:{admin.port}", "--last", "2", "--json") as tail:
            seen = [json.loads(await tail.line())["url.path"] for _ in range(2)]
            admin.live.take(record(path="/now", route="", attempts=[]))
            told = json.loads(await tail.line())
            assert (await tail.interrupted())[0] == 130
        async with tailing("--admin", admin.url) as tail:
            assert "POST /6 " in await tail.line()
    assert seen == ["/13", "/14"]
    assert (told["url.path"], told["attempts"], told["tracer_proxy.color"]) == ("/now", [], "canary")


async def test_only_what_is_asked_for() -> None:
    async with live_admin() as admin, tailing("--admin", admin.url, "--route", "planner", "--errors", "--json") as tail:
        await admin.watched()
        admin.live.take(record())
        admin.live.take(record(route="other", status=500))
        admin.live.take(record(path="/2", status=404))
        assert json.loads(await tail.line())["url.path"] == "/2"


async def test_what_callers_send_does_not_reach_the_terminal_as_it_is() -> None:
    async with live_admin() as admin, tailing("--admin", admin.url) as tail:
        await admin.watched()
        admin.live.take(record(route="", path="/\x1b]0;owned\x07\x9b31m\r"))
        line = await tail.line()
    assert "POST /\ufffd]0;owned\ufffd\ufffd31m\ufffd " in line


async def test_columns_and_colours_on_a_terminal() -> None:
    screen, slave = os.openpty()
    async with live_admin() as admin:
        admin.live.take(record(route="a-route-with-a-name-that-is-much-too-long"))
        command = (*COMMAND, "tail", "--admin", admin.url)
        environment = ENVIRONMENT | {"TERM": "xterm-256color", "COLUMNS": "200"}
        environment.pop("NO_COLOR", None)
        process = await asyncio.create_subprocess_exec(*command, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        shown = b""
        with suppress(OSError):  # the terminal has gone
            while shown.count(b"\n") < 2:
                shown += await asyncio.to_thread(os.read, screen, 4096)
        process.send_signal(signal.SIGINT)
        await process.wait()
    os.close(screen)
    heading, line = shown.decode().splitlines()[:2]
    assert "colour" in heading
    assert "POST a-route-with-a-nam…" in line
    assert "\x1b[" in line


async def test_a_proxy_that_goes_is_waited_for() -> None:
    async with live_admin() as admin:
        port = admin.port
        tail_of = tailing("--admin", f"http://127.0.0.1:{port}", "--json")
        tail = await tail_of.__aenter__()
        await admin.watched()
        admin.live.end()
        assert await tail.remark() == f"No answer from http://127.0.0.1:{port}: it is stopping. Waiting for it to come back."
    async with live_admin(f"127.0.0.1:{port}") as successor:
        assert await tail.remark() == f"http://127.0.0.1:{port} is back."
        successor.live.take(record(path="/again"))
        assert json.loads(await tail.line())["url.path"] == "/again"
        assert await tail.interrupted() == (130, "")
    await tail_of.__aexit__(None, None, None)


async def test_nobody_there_at_first_is_an_error() -> None:
    async with live_admin() as admin:
        gone = admin.url
    code, out, err = await ran("--admin", gone)
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: No answer from {gone}: ")
    assert err.endswith("Start the proxy, or name its admin port with --admin or --config.\n")


async def test_the_token() -> None:
    async with admin_with_a_turn(TOKEN) as admin:
        code, _, err = await ran("--admin", admin.url)
        assert (code, "wants its token: set TRACER_PROXY_ADMIN_TOKEN" in err) == (1, True)
        asked = ("--admin", admin.url, "--trace", "0af7")
        assert (await ran(*asked, "--token", "wrong"))[0] == 1
        assert (await ran(*asked, "--token", TOKEN))[0] == 0
        assert (await ran(*asked, TRACER_PROXY_ADMIN_TOKEN=TOKEN))[0] == 0


async def test_the_config_names_admin_port_and_token(tmp_path: Path) -> None:
    async with admin_with_a_turn(TOKEN) as admin:
        top = f"admin: {{listen: 0.0.0.0:{admin.port}, token: '{TOKEN}'}}"
        path = config_file(one_route("http://127.0.0.1:1", top=top), tmp_path)
        assert (await ran("--config", str(path), "--trace", "0af7"))[0] == 0
    without = config_file(one_route("http://127.0.0.1:1"), tmp_path)
    code, _, err = await ran("--config", str(without))
    assert (code, "has no admin port; add admin: {listen: 127.0.0.1:8081}." in err) == (1, True)
    any_port = config_file(one_route("http://127.0.0.1:1", top="admin: {listen: 127.0.0.1:0}"), tmp_path)
    assert (await ran("--config", str(any_port)))[0] == 1


async def test_a_unix_socket(tmp_path: Path) -> None:
    address = f"unix:{tmp_path}/admin.sock"
    async with live_admin(address) as admin:
        admin.live.take(record())
        code, out, _ = await ran("--admin", address, "--trace", "0af7", "--json")
    assert (code, json.loads(out)["tracer_proxy.route"]) == (0, "planner")


async def test_one_trace_as_a_tree() -> None:
    async with admin_with_a_turn() as admin:
        admin.live.take(record(trace_id=b"c" * 32))
        code, out, err = await ran("--admin", admin.url, "--trace", "0AF76519")
    assert (code, err) == (0, "")
    rows = [" ".join(row.split()) for row in out.splitlines()]
    bar = "█" * 24
    assert rows == [
        f"trace 0af7651916cd43dd8448eb211c80319c, 3 exchanges, session alice +0ms 2.50s {bar}",
        f"└─ POST /agents/planner 200, route planner, lane canary, colour canary +0ms 2.50s {bar}",
        f"└─ → http://127.0.0.1:7002 200 +1ms 2.50s {bar}",
        "├─ POST /openai 200, route openai, lane openai, colour canary +200ms 500ms ██████",
        "│ └─ → https://api.openai.com:443 200, chat gpt-4o-mini-2026, 123→45 tokens +201ms 499ms ██████",
        "├─ execute_tool look inferred, call_1 +700ms 500ms ██████",
        "└─ POST /openai 200, route openai, lane openai, colour canary +1.20s 600ms ██████",
        "├─ → https://api.openai.com:443 503 +1.20s 99ms █",
        "└─ → https://api.openai.com:443 200, chat gpt-4o-mini-2026, 123→45 tokens +1.30s 499ms █████",
    ]
    starts = [row.index("█") for row in out.splitlines()]
    assert starts[0] == min(starts)
    assert starts[5] > starts[3]


async def test_the_tree_shows_what_the_model_said_of_itself() -> None:
    async with live_admin() as admin:
        admin.live.take(model_call(1, 0, answered=answered(error="overloaded_error")))
        code, out, _ = await ran("--admin", admin.url, "--trace", "0af7")
    assert code == 0
    assert "200, overloaded_error, chat gpt-4o-mini-2026" in out.splitlines()[2]


async def test_a_trace_that_is_not_there_or_not_the_only_one() -> None:
    async with live_admin() as admin:
        code, _, err = await ran("--admin", admin.url, "--trace", "beef")
        assert (code, "There is no trace beef: the proxy remembers no exchange yet." in err) == (1, True)
    async with admin_with_a_turn() as admin:
        admin.live.take(record(trace_id=b"0af7" + b"0" * 28))
        code, out, err = await ran("--admin", admin.url, "--trace", "beef")
        assert (code, out) == (1, "")
        assert "There is no trace beef among the 4 exchanges that the proxy remembers, since 2026-01-01T00:00:00" in err
        code, _, err = await ran("--admin", admin.url, "--trace", "0af7")
        assert (code, "2 traces begin with 0af7; give more of its digits: 0af7651916cd" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--trace", "no hex"), "'no hex' is no trace id: expected 4 to 32 hex digits."),
        (("--trace", "abcd", "--errors"), "leave out --route, --errors and --last"),
        (("--admin", "ftp://x"), "is no address of an admin port"),
        (("--admin", "http://x:port"), "is no address of an admin port"),
        (("--admin", "http://x", "--config", "y"), "Give --admin or --config, not both."),
    ],
)
async def test_wrong_calls(arguments: tuple[str, ...], says: str) -> None:
    code, _, err = await ran(*arguments)
    assert code == 2
    assert says in " ".join(err.split())


async def test_spans_in_a_circle_are_drawn_once() -> None:
    """Callers choose parent ids."""
    async with live_admin() as admin:
        for own, parent in ((b"a" * 16, b"b" * 16), (b"b" * 16, b"a" * 16), (b"c" * 16, b"c" * 16)):
            admin.live.take(record(span_id=own, parent_id=parent, attempts=[attempt(b"%016d" % own[0], BEGAN, BEGAN)]))
        code, out, _ = await ran("--admin", admin.url, "--trace", "0af7")
    assert code == 0
    assert out.count("POST /agents/planner") == out.count("→ http") == 3


async def test_the_proxys_own_port_is_not_its_admin_port(tmp_path: Path) -> None:
    async with proxy_process(one_route("http://127.0.0.1:1", top="admin: {listen: 127.0.0.1:0}"), tmp_path) as running:
        code, _, _ = await ran("--admin", running.url)
        assert code == 1
        code, _, err = await ran("--admin", f"127.0.0.1:{running.admin_port}", "--trace", "beef")
        assert (code, "There is no trace beef" in err) == (1, True)


async def test_a_reader_that_has_seen_enough() -> None:
    """As ``head`` does it."""
    async with live_admin() as admin:
        line = f"{sys.executable} -m tracer_proxy tail --admin {admin.url} --json | head -n 1"
        shell = await asyncio.create_subprocess_shell(
            line, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=ENVIRONMENT
        )
        await admin.watched()
        ended = asyncio.ensure_future(shell.communicate())
        async with asyncio.timeout(START_S):
            while not ended.done():
                admin.live.take(record())
                await asyncio.sleep(0.05)
        out, err = await ended
    assert (len(out.splitlines()), err) == (1, b"")
