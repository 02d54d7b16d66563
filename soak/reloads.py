"""Streams, WebSockets and kept connections while the config file is replaced again and again and control is killed.

Nothing may fail, and no event may be lost, doubled or late. The same streams without a proxy come first, so that a machine
that stalls is not taken for a proxy that does.
"""

import argparse
import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from soak.client import ANSWER_S, Connection, Incomplete, Lateness, Stream, ask, connected, upgraded
from soak.processes import Proxy, SoakError, proxy, upstreams
from soak.report import Report

ENDPOINTS = 3
IN_FORCE_S = 30.0
OPEN_AT_ONCE = 50
BODY_BYTES_MAX = 16 * 1024
EXCHANGE_EVERY_S = 0.1
DIRECT_STREAMS = 20
"""That run beside all others past the proxy: if they are late too, it is the machine."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--streams", type=int, default=500, help="open streams, ten events a second each (500)")
    parser.add_argument("--websockets", type=int, default=50, help="upgraded connections that echo (50)")
    parser.add_argument("--keepalive", type=int, default=50, help="connections with one exchange after the other (50)")
    parser.add_argument("--reloads", type=int, default=100, help="how often the config is replaced (100)")
    parser.add_argument("--control-kills", type=int, default=10, help="how often control gets SIGKILL (10)")
    parser.add_argument("--late", type=float, default=1.0, help="seconds from which on an event counts as late (1)")
    parser.add_argument("--baseline", type=float, default=5.0, help="seconds of the same streams without a proxy (5)")
    parser.add_argument("--workers", type=int, default=1, help="of the proxy (1)")


def config(ports: list[int], number: int, workers: int = 1) -> str:
    """The config of reload ``number``: weights, colours, limits, the order of endpoints and trust all change with it."""
    dice = random.Random(number)
    first, second = (", ".join(f"http://127.0.0.1:{port}" for port in dice.sample(ports, len(ports))) for _ in range(2))
    weight = dice.randint(1, 99)
    return f"""version: 1
proxy: {{listen: 127.0.0.1:0, workers: {workers}}}
admin: {{listen: 127.0.0.1:0}}
trust: [loopback, 10.{number // 250}.{number % 250}.0/24]
coloring:
  - {{color: c{dice.randint(0, 9)}, when: {{percent: {dice.randint(1, 50)}}}}}
routes:
  - name: r{dice.randint(0, 3)}
    timeouts: {{first_byte: {dice.randint(60, 120)}s, idle: {dice.randint(60, 120)}s}}
    lanes:
      - {{name: stable, pool: first, weight: {weight}}}
      - {{name: canary, pool: second, weight: {100 - weight}, colors: [c{dice.randint(0, 9)}]}}
pools:
  first: {{endpoints: [{first}], balance: {dice.choice(["round_robin", "least_pending", "random"])}}}
  second: {{endpoints: [{second}], idle: {dice.randint(1, 4)}s}}
"""


def write(path: Path, text: str, *, in_place: bool) -> None:
    if in_place:
        path.write_text(text)
    else:
        new = path.with_suffix(".new")
        new.write_text(text)
        new.rename(path)


async def open_streams(port: int, count: int, lateness: Lateness, report: Report) -> list[Stream]:
    """All of them, once the head of each answer has come."""
    loop = asyncio.get_running_loop()
    streams: list[Stream] = []
    while len(streams) < count:
        new = [Stream("/stream", lateness, report.complain) for _ in range(min(OPEN_AT_ONCE, count - len(streams)))]
        await asyncio.gather(*(loop.create_connection(partial(_same, stream), "127.0.0.1", port) for stream in new))
        async with asyncio.timeout(ANSWER_S):
            await asyncio.gather(*(stream.begun.wait() for stream in new))
        streams += new
    return streams


def _same(stream: Stream) -> Stream:
    return stream


async def finish(ports: list[int], streams: list[Stream]) -> None:
    """Has the endpoints end their streams, and waits until each has had its last event."""
    for port in ports:
        async with connected(port) as connection:
            await ask(connection, "GET", "/finish")
    async with asyncio.timeout(ANSWER_S):
        await asyncio.gather(*(stream.ended.wait() for stream in streams))
    for stream in streams:
        stream.transport.close()


async def without_proxy(ports: list[int], options: argparse.Namespace, report: Report) -> Lateness:
    lateness = Lateness(options.late)
    streams = await open_streams(ports[0], options.streams, lateness, report)
    await asyncio.sleep(options.baseline)
    await finish(ports[:1], streams)
    return lateness


class Traffic:
    """Kept connections and WebSockets until ``stop`` is set."""

    def __init__(self, port: int, report: Report) -> None:
        self._port = port
        self._report = report
        self.stop = asyncio.Event()

    async def exchanges(self, number: int) -> None:
        dice = random.Random(number)
        async with connected(self._port) as connection:
            while not self.stop.is_set():
                await self._exchange(connection, dice)
                await asyncio.sleep(EXCHANGE_EVERY_S * 2 * dice.random())

    async def _exchange(self, connection: Connection, dice: random.Random) -> None:
        body = dice.randbytes(dice.randint(1, BODY_BYTES_MAX)) if dice.random() < 0.5 else b""
        method = "POST" if body else "GET"
        answer = await ask(connection, method, "/echo", body, chunked=dice.random() < 0.3)
        if answer.status != 200 or answer.body != body:
            raise Incomplete(f"{method}: {answer.status} with {len(answer.body)} bytes instead of {len(body)}: {answer.head!r}")
        self._report.done[f"{method} exchanges"] += 1

    async def websocket(self, number: int) -> None:
        async with connected(self._port) as connection:
            await upgraded(connection)
            reader, writer = connection
            count = 0
            while not self.stop.is_set():
                frame = b"%d:%d" % (number, count) + bytes(count % 2000)
                writer.write(frame)
                async with asyncio.timeout(ANSWER_S):
                    if await reader.readexactly(len(frame)) != frame:
                        raise Incomplete("a WebSocket heard something else than it had said")
                count += 1
                self._report.done["WebSocket messages"] += 1
                await asyncio.sleep(0.1)

    async def until_stopped(self, what: Callable[[int], Awaitable[None]], number: int) -> None:
        try:
            await what(number)
        except (Incomplete, OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            self._report.complain(f"{what.__name__} {number}: {error!r}")


async def reload(running: Proxy, ports: list[int], number: int, options: argparse.Namespace, *, kill: bool) -> None:
    """Replaces the file and waits until it is in force; one file in ten is broken first, and must change nothing."""
    if number % 10 == 9:
        write(running.path, config(ports, number).replace("pool: first", "pool: nowhere"), in_place=number % 20 == 9)
        await holds(running, "/api/status", "nowhere")
    write(running.path, config(ports, number, options.workers), in_place=number % 2 == 0)
    if kill:
        await asyncio.sleep(random.random() * 0.4)
        await running.kill("control")
    await holds(running, "/api/config", f"10.{number // 250}.{number % 250}.0/24")


async def holds(running: Proxy, path: str, text: str) -> None:
    try:
        async with asyncio.timeout(IN_FORCE_S):
            while text not in str(await running.show(path)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise SoakError(f"{text} is not in {path} after {IN_FORCE_S:g} s: {await running.show(path)}") from None


async def run(options: argparse.Namespace) -> int:
    report = Report()
    async with upstreams(ENDPOINTS) as ports, proxy(config(ports, 0, options.workers)) as running:
        baseline = await without_proxy(ports, options, report)
        report.say(f"without a proxy: {baseline}")
        lateness = Lateness(options.late)
        streams = await open_streams(running.port, options.streams, lateness, report)
        beside = Lateness(options.late)
        streams += await open_streams(ports[0], DIRECT_STREAMS, beside, report)
        traffic = Traffic(running.port, report)
        tasks = [asyncio.ensure_future(traffic.until_stopped(traffic.exchanges, n)) for n in range(options.keepalive)]
        tasks += [asyncio.ensure_future(traffic.until_stopped(traffic.websocket, n)) for n in range(options.websockets)]
        await asyncio.sleep(1.0)
        worker = (await running.pids())["worker 1"]
        every = max(1, options.reloads // options.control_kills) if options.control_kills else 0
        kills = 0
        for number in range(1, options.reloads + 1):
            kill = every > 0 and number % every == 0 and kills < options.control_kills
            try:
                await reload(running, ports, number, options, kill=kill)
            except SoakError as error:
                report.complain(str(error))
            kills += kill
            if number % 10 == 0 or number == options.reloads:
                past = f"past the proxy worst {beside.worst_s * 1000:.0f} ms"
                report.say(f"{number} reloads, {kills} kills; {lateness}; {past}; {len(report.failed)} failures")
        traffic.stop.set()
        await asyncio.gather(*tasks)
        await finish(ports, streams)
        shown = await running.at_rest()
        judge(shown, lateness, report, worker_pid=worker)
        rows: list[tuple[str, object]] = [
            ("streams", options.streams),
            ("without a proxy", baseline),
            ("through the proxy", lateness),
            ("past the proxy meanwhile", beside),
            ("reloads", f"{shown['reloads']}"),
            ("control killed", f"{kills}, restarted {len(running.events('control_restarted'))}"),
            ("errors counted", shown["errors"]),
            ("bugs in the log", len(running.events("bug"))),
        ]
        report.done["events"] = lateness.count
        for bug in running.events("bug"):
            report.complain(str(bug))
    return report.close(rows)


def judge(shown: dict[str, object], lateness: Lateness, report: Report, *, worker_pid: int) -> None:
    if lateness.late:
        report.complain(f"{lateness.late} events came late, the worst by {lateness.worst_s:.1f} s")
    # Clients that the test itself ended.
    errors = {kind: count for kind, count in dict(shown["errors"]).items() if kind != "client_gone"}  # type: ignore[call-overload]
    if errors:
        report.complain(f"the proxy counted errors: {errors}")
    if not Path(f"/proc/{worker_pid}").exists() or os.getpid() == worker_pid:
        report.complain("the worker is not the one from the beginning")
    for name in ("client_connections", "tunnels", "under_way"):
        if shown[name]:
            report.complain(f"{name} is {shown[name]} at the end")
