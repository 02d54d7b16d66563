"""What the proxy stands on fails: descriptors, disk, clock, the reader of its log, and processes that are stopped."""

import ast
import asyncio
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from pathlib import Path

import pytest
from aiohttp import ClientError
from harness import OK, WAIT_S, Upstream, answering, connection, one_route, request, say, status, upstream
from left_behind import descriptors, leaves_nothing
from proxy_process import COMMAND, START_S, ProxyProcess, proxy_process, running_file

import tracer_proxy

ADMIN = "admin: {listen: 127.0.0.1:0}"
POOL = "idle: 300ms"
EVENT = b"5\r\nevent\r\n"


@contextmanager
def descriptors_at_most(pid: int, count: int) -> Iterator[None]:
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (count, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


async def answered(running: ProxyProcess, count: int = 10) -> None:
    answers = await asyncio.gather(*(say(running.port, request()) for _ in range(count)))
    assert {status(answer) for answer in answers} == {200}


async def ready(running: ProxyProcess) -> None:
    async with asyncio.timeout(WAIT_S):
        while (await running.ask("/readyz"))[1]["workers"]["ready"] < 1:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def streams(endpoint: Upstream, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An event every few milliseconds, without end; other requests are answered."""
    while True:
        head, _ = await endpoint.request(reader)
        if b"/stream" not in head:
            writer.write(OK)
            continue
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.transport.is_closing():
            writer.write(EVENT)
            await writer.drain()
            await asyncio.sleep(0.02)


async def events(reader: asyncio.StreamReader, count: int = 5) -> None:
    async with asyncio.timeout(WAIT_S):
        for _ in range(count):
            await reader.readuntil(EVENT)


@asynccontextmanager
async def stream_through(running: ProxyProcess) -> AsyncIterator[asyncio.StreamReader]:
    async with connection(running.port) as (reader, writer):
        writer.write(request("GET /stream HTTP/1.1", close=False))
        await events(reader)
        yield reader


# Descriptors.


@pytest.mark.parametrize("spare", [0, 1, 2, 7])
async def test_a_worker_runs_out_of_descriptors_and_recovers(spare: int, tmp_path: Path) -> None:
    """Old work goes on; new connections get an answer, a 503 or a close, never silence for ever; then all is as before."""
    async with (
        upstream(streams) as endpoint,
        proxy_process(one_route(endpoint.url, top=ADMIN, pool=POOL), tmp_path) as running,
    ):
        await answered(running)
        worker = await running.pid_of("worker 1")
        async with leaves_nothing(running) as seen:
            async with stream_through(running) as streamed:
                with descriptors_at_most(worker, descriptors(worker) + spare):
                    attempts = [asyncio.ensure_future(say(running.port, request())) for _ in range(60)]
                    await asyncio.wait(attempts, timeout=1.0)
                    await events(streamed)
                    before = cpu_s(worker)
                    await asyncio.sleep(1.0)
                    busy = cpu_s(worker) - before
                outcomes = await asyncio.gather(*attempts, return_exceptions=True)
                await answered(running, 60)
                await events(streamed)
            assert busy < 0.5, "it went round in circles"
        answers = [outcome for outcome in outcomes if isinstance(outcome, bytes)]
        assert all(isinstance(outcome, ConnectionError | bytes) for outcome in outcomes), outcomes
        assert {status(answer) for answer in answers} <= {0, 200, 503}
        assert set(seen.errors) <= {"overloaded", "client_gone"}


async def test_control_runs_out_of_descriptors_and_recovers(tmp_path: Path) -> None:
    """A config that changes meanwhile may be refused, but what comes after is in force."""
    path = tmp_path / "proxy.yaml"
    async with upstream(answering(OK)) as endpoint:
        config = one_route(endpoint.url, top=ADMIN, pool=POOL)
        path.write_text(config)
        async with running_file(path) as running:
            control = await running.pid_of("control")
            for spare in (0, 1, 2, 3):
                async with connection(running.admin_port):
                    with descriptors_at_most(control, descriptors(control) + spare):
                        path.write_text(f"{config}\ntrust: [10.0.{spare}.0/24]\n")
                        await answered(running)
                        await asyncio.sleep(1.0)
                path.write_text(f"{config}\ntrust: [10.1.{spare}.0/24]\n")
                async with asyncio.timeout(WAIT_S):
                    while f"10.1.{spare}.0" not in str(await running.ask("/api/config")):  # noqa: ASYNC110
                        await asyncio.sleep(0.1)
                await answered(running)
            assert await running.pid_of("control") == control


async def test_the_supervisor_runs_out_of_descriptors_and_recovers(tmp_path: Path) -> None:
    """It can replace nobody then, and it must not die of it: all would."""
    path = tmp_path / "proxy.yaml"
    async with upstream(answering(OK)) as endpoint:
        path.write_text(one_route(endpoint.url, top=ADMIN, pool=POOL))
        async with running_file(path) as running:
            control, supervisor = await running.pid_of("control"), await running.pid_of("supervisor")
            with descriptors_at_most(supervisor, 3):
                await running.ask("/api/routes/all/weights", "PUT", {"only": 7})
                os.kill(control, signal.SIGKILL)
                await answered(running)
                before = cpu_s(supervisor)
                await asyncio.sleep(1.0)
                assert cpu_s(supervisor) - before < 0.5, "it went round in circles"
            async with asyncio.timeout(START_S):
                while True:
                    with suppress(ClientError):
                        await ready(running)
                        break
                    await asyncio.sleep(0.05)
            assert await running.pid_of("supervisor") == supervisor
            await answered(running)
            path.write_text(one_route(endpoint.url, top=f"{ADMIN}\ntrust: [10.0.0.0/8]", pool=POOL))
            await running.event("reloaded")
        told = [event["message"] for event in running.events if event["event"] == "process_not_started"]
        assert told
        assert "Too many open files" in told[0]


# Disk and log.


@asynccontextmanager
async def with_stderr(config: Path, stderr: int, ports: tuple[int, int]) -> AsyncIterator[ProxyProcess]:
    """A proxy whose log nobody can read, so that it must be asked whether it is ready."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND, "run", "--config", str(config), stdout=asyncio.subprocess.DEVNULL, stderr=stderr
    )
    running = ProxyProcess(process)
    running.port, running.admin_port = ports
    try:
        async with asyncio.timeout(START_S):
            while True:
                try:
                    await ready(running)
                    break
                except OSError:
                    await asyncio.sleep(0.05)
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def on_ports(config: str, tmp_path: Path) -> tuple[Path, tuple[int, int]]:
    """Fixed ports, for a proxy that cannot say which ones it chose."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        ports = first.getsockname()[1], second.getsockname()[1]
    for port in ports:
        config = config.replace("127.0.0.1:0}", f"127.0.0.1:{port}}}", 1)
    path = tmp_path / "proxy.yaml"
    path.write_text(config)
    return path, ports


async def all_goes_on(running: ProxyProcess, path: Path) -> None:
    """Errors are logged, processes die, configs change: each of them writes to the log."""
    _, shown = await running.ask("/api/status")
    for name in ("control", "worker 1"):
        os.kill(await running.pid_of(name), signal.SIGKILL)
        await asyncio.sleep(0.3)
        await ready(running)
    config = path.read_text()  # noqa: ASYNC240
    for number in range(3):
        path.write_text(f"{config}\ntrust: [10.0.{number}.0/24]\n")  # noqa: ASYNC240
        assert (await running.ask("/api/reload", "POST"))[0] == 200
        path.write_text("version: 2\n")  # noqa: ASYNC240
        assert (await running.ask("/api/reload", "POST"))[0] == 422
    await answered(running)
    _, after = await running.ask("/api/status")
    assert after["reloads"]["succeeded"] >= 3
    assert shown["processes"][0]["pid"] == after["processes"][0]["pid"]
    running.send(signal.SIGTERM)
    assert await running.exit_code() == 0


@pytest.mark.parametrize("log", ["full disk", "nobody reads", "closed"])
async def test_the_log_cannot_be_written(log: str, tmp_path: Path) -> None:
    async with upstream(answering(OK)) as endpoint:
        path, ports = on_ports(one_route(endpoint.url, top=ADMIN, pool=POOL), tmp_path)
        reader, writer = os.pipe()
        if log == "full disk":
            os.dup2(os.open("/dev/full", os.O_WRONLY), writer)
        elif log == "nobody reads":
            os.set_blocking(writer, False)
            with suppress(BlockingIOError):
                while True:
                    os.write(writer, bytes(4096))
            os.set_blocking(writer, True)
        else:
            os.close(reader)
        async with with_stderr(path, writer, ports) as running:
            await answered(running)
            await all_goes_on(running, path)
        os.close(writer)
        if log != "closed":
            os.close(reader)


# The clock.


WALL_CLOCKS = {"time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "datetime.now", "datetime.utcnow"}


WANTED = {"attempts.py": "time.time", "clock.py": "time.time", "metering.py": "time.time"}
"""A `retry-after` may name a moment; the wait is bounded whatever it says. Records and exemplars tell when
something was, which nothing waits for."""


def test_the_data_plane_asks_for_the_wall_clock_only_to_tell_a_moment() -> None:
    package = Path(tracer_proxy.__file__).parent
    found = [
        f"{path.name}:{node.lineno}"
        for folder in ("dataplane", "wire", "context", "routing")
        for path in (package / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and (name := ast.unparse(node).removeprefix("datetime.")) in WALL_CLOCKS
        and name != WANTED.get(path.name)
    ]
    assert found == []


@pytest.mark.skipif(not shutil.which("cc"), reason="the clock is shifted by a library that is compiled here")
async def test_the_wall_clock_jumps(tmp_path: Path) -> None:
    """A day ahead, two years back: streams, limits, kept connections and the admin port do not care."""
    library, shift = tmp_path / "wall_clock.so", tmp_path / "shift"
    source = Path(__file__).with_name("wall_clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True)  # noqa: ASYNC221
    shift.write_text("0")
    path = tmp_path / "proxy.yaml"
    async with upstream(streams) as endpoint:
        config = one_route(endpoint.url, top=ADMIN, pool=POOL, route="timeouts: {first_byte: 20s, idle: 20s}")
        path.write_text(config)
        async with running_file(path, LD_PRELOAD=str(library), WALL_CLOCK_SHIFT=str(shift)) as running:
            began = datetime.fromisoformat(running.ready["time"])
            async with leaves_nothing(running) as seen, stream_through(running) as streamed:
                for number, seconds in enumerate((86_400, -63_072_000, 0)):
                    shift.write_text(str(seconds))
                    await events(streamed, 20)
                    await answered(running)
                    path.write_text(f"{config}\ntrust: [10.0.{number}.0/24]\n")
                    told = await running.event("reloaded")
                    moved = (datetime.fromisoformat(told["time"]) - began).total_seconds()
                    assert abs(moved - seconds) < 3600, "the clock did jump"
                _, shown = await running.ask("/api/status")
                assert 0 < shown["uptime_s"] < 3600
            assert set(seen.errors) <= {"client_gone"}


# Processes that are stopped and go on.


async def test_a_worker_is_paused_beyond_its_limits(tmp_path: Path) -> None:
    """The pause is not the endpoint's fault: what has come meanwhile counts as on time."""
    limits = "timeouts: {connect: 500ms, first_byte: 500ms, idle: 500ms}"
    async with (
        upstream(streams) as endpoint,
        proxy_process(one_route(endpoint.url, top=ADMIN, route=limits, pool=POOL), tmp_path) as running,
    ):
        worker = await running.pid_of("worker 1")
        await answered(running)
        async with leaves_nothing(running) as seen:
            for _ in range(3):
                async with stream_through(running) as streamed, connection(running.port) as (reader, writer):
                    with stopped(worker):
                        writer.write(request(close=False))
                        waiting = asyncio.ensure_future(say(running.port, request()))
                        await asyncio.sleep(1.5)
                    async with asyncio.timeout(WAIT_S):
                        assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200")
                        assert status(await waiting) == 200
                    await events(streamed, 100)
        assert set(seen.errors) <= {"client_gone"}, "nothing but the streams that this test ends"


async def test_control_is_stopped(tmp_path: Path) -> None:
    """Traffic goes on, what workers would tell it is held or dropped, and a stop ends it all the same."""
    async with upstream(streams) as endpoint, proxy_process(one_route(endpoint.url, top=ADMIN, pool=POOL), tmp_path) as running:
        control, worker = await running.pid_of("control"), await running.pid_of("worker 1")
        async with leaves_nothing(running), stream_through(running) as streamed:
            with stopped(control):
                for _ in range(10):
                    await answered(running)
                    await events(streamed, 10)
                asked = asyncio.ensure_future(running.ask("/api/status"))
                await asyncio.sleep(0.2)
                assert not asked.done(), "the admin port is control's"
            assert (await asked)[0] == 200
        assert (await running.pid_of("control"), await running.pid_of("worker 1")) == (control, worker)
        with stopped(control):
            running.send(signal.SIGTERM)
            assert await running.exit_code() == 0


async def test_the_supervisor_is_stopped(tmp_path: Path) -> None:
    """Nobody is replaced meanwhile; all else goes on, and what was missed is made up for."""
    path = tmp_path / "proxy.yaml"
    async with upstream(streams) as endpoint:
        config = one_route(endpoint.url, top=ADMIN, pool=POOL)
        path.write_text(config)
        async with running_file(path) as running:
            supervisor, first = await running.pid_of("supervisor"), await running.pid_of("control")
            # A control that succeeds another inherits what the first one had opened for it.
            os.kill(first, signal.SIGKILL)
            await running.event("control_restarted")
            control = await running.pid_of("control")
            async with leaves_nothing(running), stream_through(running) as streamed:
                with stopped(supervisor):
                    await answered(running)
                    for number in range(3):
                        path.write_text(f"{config}\ntrust: [10.0.{number}.0/24]\n")
                        await running.event("reloaded")
                    os.kill(control, signal.SIGKILL)
                    await answered(running)
                    await events(streamed, 20)
                await running.event("control_restarted")
                assert "10.0.2.0" in str(await running.ask("/api/config")), "the state it left is the last one"
                await events(streamed, 20)


async def test_a_pause_of_all_processes(tmp_path: Path) -> None:
    """As when a laptop sleeps."""
    async with upstream(streams) as endpoint, proxy_process(one_route(endpoint.url, top=ADMIN, pool=POOL), tmp_path) as running:
        names = ("supervisor", "control", "worker 1")
        pids = [await running.pid_of(name) for name in names]
        async with leaves_nothing(running), stream_through(running) as streamed:
            for pid in pids:
                os.kill(pid, signal.SIGSTOP)
            time.sleep(1.0)  # noqa: ASYNC251  # the endpoint sleeps too
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
            await events(streamed, 20)
            await answered(running)
        assert [await running.pid_of(name) for name in names] == pids
