"""All kinds of traffic at once, with faults at a known rate. Whatever fails must have been meant to, and nothing may grow."""

import argparse
import asyncio
import random
import time
from collections.abc import Awaitable, Callable

from soak import reloads
from soak.client import ANSWER_S, Connection, Incomplete, Lateness, Stream, answer, ask, connected, request, reset, upgraded
from soak.processes import Proxy, SoakError, proxy, pss_mb, slope_per_minute, upstreams
from soak.report import Report

WARM_UP_SHARE = 0.25
PROGRESS_S = 10.0
SAMPLE_S = 2.0
RELOAD_S = 15.0
WORKER_KILL_S = 45.0
DESCRIPTORS_MORE_MAX = 4
"""A control or worker that took the place of another has inherited a few of the supervisor's."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10.0, help="how long (10)")
    parser.add_argument("--clients", type=int, default=60, help="that do one thing after the other (60)")
    parser.add_argument("--faults", type=float, default=0.05, help="share of what they do that is an injected fault (0.05)")
    parser.add_argument("--worker-kills", action="store_true", help="kill the worker now and then; what it carried may fail")
    parser.add_argument("--growth", type=float, default=0.5, help="MB per minute that a process may grow after warm-up (0.5)")
    parser.add_argument("--workers", type=int, default=1, help="of the proxy (1)")


def config(ports: list[int], number: int, workers: int) -> str:
    return (
        reloads.config(ports, number, workers)
        .replace("routes:\n", "routes:\n" + FAULTS)
        .replace("pools:\n", f"pools:\n  faults: {{endpoints: [http://127.0.0.1:{ports[0]}], idle: 2s}}\n")
    )


FAULTS = """  - name: faults
    match: {path: /fault}
    timeouts: {first_byte: 2s}
    lanes: [{name: only, pool: faults}]
"""


class Clients:
    """Each client does one thing after the other until ``end``, on a kept connection as long as that lasts."""

    def __init__(self, running: Proxy, options: argparse.Namespace, report: Report) -> None:
        self._running = running
        self._options = options
        self._report = report
        self._dice = random.Random(1)
        self._number = 0
        self.lateness = Lateness(60.0)
        self.injected: dict[str, int] = {"upstream_closed": 0, "first_byte_timeout": 0, "client_gone": 0}
        """By the kind that the proxy must count; of clients that go away it may miss some that it never noticed."""
        self.end = time.monotonic() + options.minutes * 60
        self.excused_until = 0.0
        """A worker was killed: what was under way may fail."""

    async def run(self) -> None:
        while time.monotonic() < self.end:
            try:
                async with connected(self._running.port) as connection:
                    before = "the connection began"
                    while time.monotonic() < self.end and (name := await self._one(connection, before)):
                        before = name
                        await asyncio.sleep(0.02 * self._dice.random())
            except OSError as error:
                self._wrong("connect", error)

    async def _one(self, connection: Connection, before: str) -> str:
        """What was done; empty when the connection is of no more use."""
        kinds = INJECTED if self._dice.random() < self._options.faults else WANTED
        (name,) = self._dice.choices([name for name, _ in kinds], [weight for _, weight in kinds])
        self._number = number = self._number + 1
        do: Callable[[Connection, str], Awaitable[bool]] = getattr(self, f"_{name}")
        try:
            keeps = await do(connection, f"id={number}")
        except (Incomplete, OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            self._wrong(f"{name} {number}, after {before}", error)
            return ""
        self._report.done[name] += 1
        return f"{name} {number}" if keeps else ""

    def _wrong(self, what: str, error: Exception) -> None:
        if time.monotonic() < self.excused_until:
            self._report.done["lost with a killed worker"] += 1
        else:
            self._report.complain(f"{what}: {error!r}")

    # What must succeed.

    async def _get(self, connection: Connection, query: str) -> bool:
        return _expect(await ask(connection, "GET", f"/echo?{query}"), 200, b"")

    async def _post(self, connection: Connection, query: str) -> bool:
        body = self._dice.randbytes(self._dice.randint(1, 8192))
        return _expect(await ask(connection, "POST", f"/echo?{query}", body, chunked=self._dice.random() < 0.5), 200, body)

    async def _upload(self, connection: Connection, query: str) -> bool:
        body = self._dice.randbytes(1024) * self._dice.randint(500, 3000)
        return _expect(await ask(connection, "POST", f"/echo?{query}", body, chunked=self._dice.random() < 0.5), 200, body)

    async def _download(self, connection: Connection, query: str) -> bool:
        size = self._dice.randint(1, 3_000_000)
        got = await ask(connection, "GET", f"/size/{size}?{query}")
        return _expect(got, 200, (bytes(range(256)) * (size // 256 + 1))[:size])

    async def _slow_reader(self, connection: Connection, query: str) -> bool:
        reader, writer = connection
        size = 2_000_000
        writer.write(request("GET", f"/size/{size}?{query}"))
        async with asyncio.timeout(ANSWER_S):
            await reader.readuntil(b"\r\n\r\n")
            while size:
                size -= len(await reader.readexactly(min(size, 100_000)))
                await asyncio.sleep(0.02)
        return True

    async def _stream(self, connection: Connection, query: str) -> bool:
        """On a connection of its own; this one has been silent for so long then that it may be closed any moment."""
        stream = Stream(f"/stream/{self._dice.randint(1, 60)}?{query}", self.lateness, self._complain_of_stream)
        await asyncio.get_running_loop().create_connection(lambda: stream, "127.0.0.1", self._running.port)
        async with asyncio.timeout(ANSWER_S):
            await stream.ended.wait()
        stream.transport.close()
        return False

    def _complain_of_stream(self, text: str) -> None:
        self._wrong("stream", Incomplete(text))

    async def _websocket(self, connection: Connection, query: str) -> bool:
        await upgraded(connection)
        reader, writer = connection
        for count in range(self._dice.randint(1, 20)):
            frame = query.encode() + b"%d" % count + bytes(count * 100)
            writer.write(frame)
            async with asyncio.timeout(ANSWER_S):
                if await reader.readexactly(len(frame)) != frame:
                    raise Incomplete("a WebSocket heard something else than it had said")
            await asyncio.sleep(0.02)
        if self._dice.random() < 0.5:
            reset(writer)
        return False

    # What the client itself ends, in every phase.

    async def _abort(self, connection: Connection, query: str) -> bool:
        reader, writer = connection
        phase = self._dice.choice(("head", "body", "before the answer", "in the answer"))
        whole = request("POST", f"/echo?{query}", bytes(5000))
        if phase == "head":
            writer.write(whole[:30])
        elif phase == "body":
            writer.write(whole[:-1000])
        elif phase == "before the answer":
            writer.write(request("GET", f"/fault/hang?{query}"))
        else:
            writer.write(request("GET", f"/stream?{query}"))
            async with asyncio.timeout(ANSWER_S):
                await reader.readuntil(b"data: 1 ")
        await asyncio.sleep(0.1 * self._dice.random())
        self.injected["client_gone"] += 1
        if self._dice.random() < 0.5:
            reset(writer)
        return False

    # What the endpoint is told to do wrong.

    async def _reset(self, connection: Connection, query: str) -> bool:
        got = await ask(connection, "GET", f"/fault/reset?{query}")
        self.injected["upstream_closed"] += 1
        return _expect(got, 502, None, b"upstream_closed")

    async def _hang(self, connection: Connection, query: str) -> bool:
        got = await ask(connection, "GET", f"/fault/hang?{query}")
        self.injected["first_byte_timeout"] += 1
        return _expect(got, 504, None, b"first_byte_timeout")

    async def _unavailable(self, connection: Connection, query: str) -> bool:
        return _expect(await ask(connection, "GET", f"/fault/503?{query}"), 503, b"injected")

    async def _cut(self, connection: Connection, query: str) -> bool:
        reader, writer = connection
        writer.write(request("GET", f"/fault/cut?{query}"))
        self.injected["upstream_closed"] += 1
        async with asyncio.timeout(ANSWER_S):
            try:
                await answer(reader)
            except (asyncio.IncompleteReadError, ConnectionError) as error:
                if isinstance(error, asyncio.IncompleteReadError) and error.partial != b"half":
                    raise Incomplete(f"{error.partial!r} came of an answer that was cut off") from None
                return False
        raise Incomplete("an answer that was cut off looked whole")


WANTED = [
    ("get", 40.0),
    ("post", 30.0),
    ("stream", 8.0),
    ("download", 4.0),
    ("upload", 3.0),
    ("slow_reader", 2.0),
    ("websocket", 5.0),
    ("abort", 8.0),
]
INJECTED = [("reset", 4.0), ("unavailable", 4.0), ("cut", 4.0), ("hang", 1.0)]


def _expect(got: object, status: int, body: bytes | None, part: bytes = b"") -> bool:
    """Raises ``Incomplete`` unless the answer is this one."""
    from soak.client import Answer

    assert isinstance(got, Answer)
    if got.status != status or (body is not None and got.body != body) or part not in got.body:
        raise Incomplete(f"expected {status}, got {got.status} with {len(got.body)} bytes: {got.head!r} {got.body[:200]!r}")
    if b"\r\nconnection: close" in got.head.lower():
        raise Incomplete(f"the proxy ends a connection that could stay: {got.head!r}")
    return True


class Memory:
    """PSS of each process over time, by its name."""

    def __init__(self) -> None:
        self.points: dict[str, list[tuple[float, float]]] = {}

    def look(self, pids: dict[str, int], seconds: float) -> None:
        for name, pid in pids.items():
            if size := pss_mb(pid):
                self.points.setdefault(name, []).append((seconds, size))

    def after_warm_up(self, name: str) -> list[tuple[float, float]]:
        points = self.points[name]
        return points[int(len(points) * WARM_UP_SHARE) :]

    def __str__(self) -> str:
        return ", ".join(f"{name} {points[-1][1]:.1f}" for name, points in self.points.items()) + " MB"


async def watch(running: Proxy, clients: Clients, memory: Memory, report: Report) -> None:
    told = 0.0
    while time.monotonic() < clients.end:
        memory.look(await running.pids(), report.seconds)
        if report.seconds - told >= PROGRESS_S:
            told = report.seconds
            done = sum(report.done.values())
            report.say(f"{done} done, {sum(clients.injected.values())} injected, {len(report.failed)} failures; {memory}")
        await asyncio.sleep(SAMPLE_S)


async def disturb(running: Proxy, clients: Clients, ports: list[int], options: argparse.Namespace, report: Report) -> None:
    """Reloads, and if so wished kills of workers."""
    number, kill_at = 0, time.monotonic() + WORKER_KILL_S
    while time.monotonic() + RELOAD_S < clients.end:
        await asyncio.sleep(RELOAD_S)
        number += 1
        reloads.write(running.path, config(ports, number, options.workers), in_place=number % 2 == 0)
        try:
            await reloads.holds(running, "/api/config", f"10.0.{number}.0/24")
        except SoakError as error:
            report.complain(str(error))
        report.done["reloads"] += 1
        if options.worker_kills and time.monotonic() > kill_at:
            kill_at = time.monotonic() + WORKER_KILL_S
            clients.excused_until = time.monotonic() + 5.0
            await running.kill("worker 1")
            report.done["worker kills"] += 1


async def run(options: argparse.Namespace) -> int:
    report = Report()
    memory = Memory()
    async with upstreams(reloads.ENDPOINTS) as ports, proxy(config(ports, 0, options.workers)) as running:
        await running.at_rest()
        before = await running.descriptors()
        clients = Clients(running, options, report)
        await asyncio.gather(
            watch(running, clients, memory, report),
            disturb(running, clients, ports, options, report),
            *(clients.run() for _ in range(options.clients)),
        )
        shown = await running.at_rest()
        after = await running.descriptors()
        slopes = {name: slope_per_minute(memory.after_warm_up(name)) for name in memory.points}
        judge(shown, clients, report, options)
        judge_growth(before, after, slopes, options, report)
        rows: list[tuple[str, object]] = [
            *((f"{name}, MB at warm-up, at the end, per minute", growth(memory, name, slopes[name])) for name in memory.points),
            ("descriptors before", before),
            ("descriptors after", after),
            ("errors counted", shown["errors"]),
            ("injected", clients.injected),
            ("events", clients.lateness),
        ]
        for bug in running.events("bug"):
            report.complain(str(bug))
    return report.close(rows)


def growth(memory: Memory, name: str, slope: float) -> str:
    points = memory.after_warm_up(name)
    return f"{points[0][1]:.2f}, {points[-1][1]:.2f}, {slope:+.3f}"


def judge(shown: dict[str, object], clients: Clients, report: Report, options: argparse.Namespace) -> None:
    counted = {str(kind): int(count) for kind, count in dict(shown["errors"]).items()}  # type: ignore[call-overload]
    for kind, count in counted.items():
        meant = clients.injected.get(kind, 0)
        exact = kind != "client_gone" and not options.worker_kills
        if count > meant or (exact and count != meant):
            report.complain(f"{kind}: {count} counted, {meant} injected")
    for name in ("client_connections", "tunnels", "under_way", "upstream_connections"):
        if shown[name] not in (0, {"all": 0, "idle": 0}):
            report.complain(f"{name} is {shown[name]} at the end")


def judge_growth(
    before: dict[str, int], after: dict[str, int], slopes: dict[str, float], options: argparse.Namespace, report: Report
) -> None:
    for name, count in after.items():
        if count > before.get(name, count) + DESCRIPTORS_MORE_MAX:
            report.complain(f"{name} holds {count} descriptors after {before[name]}")
    for name, slope in slopes.items():
        if slope > options.growth:
            report.complain(f"{name} grows by {slope:.2f} MB a minute")
