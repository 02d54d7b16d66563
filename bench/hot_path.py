"""What one exchange costs in Python alone: ``python -m bench.hot_path``.

Drives the data plane's protocols in one tight loop, with transports that do nothing, so that what remains is our own code with
warm caches. Times are the best of many short batches, for other processes only ever add to them. ``--instructions`` counts
instead (callgrind), which no other process can disturb. ``--functions`` says where the time goes. ``--judged`` has a rollout
judge the route by all there is but a body, which is read beside the traffic.
"""

import argparse
import asyncio
import cProfile
import gc
import pstats
import random
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from socket import AF_INET
from typing import cast

from bench.canary import RULES
from bench.processes import BenchError
from tracer_proxy.config.compile import DEFAULT_MOCK_LLM, compile_settings, compile_table
from tracer_proxy.config.load import load_text
from tracer_proxy.dataplane.downstream import Downstream
from tracer_proxy.dataplane.upstream import Upstream
from tracer_proxy.dataplane.worker import Worker

BODY = b'{"model":"gpt-4o-mini","temperature":0,"messages":[{"role":"user","content":"' + b"x" * 110 + b'"}]}'
ANSWER_BODY = b'{"id":"chatcmpl-0123456789abcdef01234567","choices":[' + b"x" * 430 + b"]}"
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Tue, 25 Nov 2026 10:00:00 GMT\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\nConnection: keep-alive\r\n\r\n" % len(ANSWER_BODY)
) + ANSWER_BODY
SURE = ANSWER.replace(b"\r\n\r\n", b"\r\nX-Confidence: 0.87\r\n\r\n", 1)
ROLLOUT = """rollouts:
  planner-v2:
    route: planner
    lane: canary
    judge:
      max_error_rate: {worse_than_baseline: 0.01}
      max_latency: {worse_than_baseline: 1.3}
      max_first_token: {worse_than_baseline: 1.3}
      min_confidence: {mean: 0.65, header: x-confidence}
      max_tokens_per_turn: {worse_than_baseline: 1.5}
"""
REQUESTS = 1024
BATCH = 256
SCENARIOS = {
    "sessions": "each request with its own session and trace, as make bench sends them",
    "same": "the same request again and again",
    "paths": "each request with a path of its own as well",
    "unique": "each request with a header that never comes again as well",
    "no-trace": "its own session, but no trace headers",
    "get": "a GET without a body, its own session and trace",
}


@dataclass(frozen=True, slots=True)
class Setting:
    routes: int
    """In the table; the last one matches."""
    judged: bool
    """By a rollout."""
    ruled: bool
    """The whole ladder is climbed for the session, and five rules are tried."""

    @property
    def arguments(self) -> list[str]:
        flags = {"--judged": self.judged, "--ruled": self.ruled}
        return ["--routes", str(self.routes), *(flag for flag, is_set in flags.items() if is_set)]


class SilentTransport(deque[bytes]):
    """Takes everything and does nothing, by methods written in C: uvloop's transport is no Python either."""

    __slots__ = ()
    family = AF_INET
    write = deque.append
    pause_reading = resume_reading = abort = close = deque.clear
    is_closing = get_write_buffer_size = is_reading = deque.__len__

    def __init__(self) -> None:
        super().__init__(maxlen=0)

    def set_write_buffer_limits(self, high: int, low: int) -> None:
        pass

    def get_extra_info(self, name: str) -> object:
        return {"socket": self, "peername": ("127.0.0.1", 50000)}.get(name)


class Bench:
    """A worker with one connection of a client and one to the endpoint of each lane."""

    def __init__(self, setting: "Setting") -> None:
        config = load_text(_config(setting), "hot_path.yaml", {})
        self._answer = SURE if setting.judged else ANSWER
        self.worker = Worker(compile_table(config, DEFAULT_MOCK_LLM), compile_settings(config.proxy))
        self.downstream = Downstream(self.worker)
        self.downstream.connection_made(cast(asyncio.Transport, SilentTransport()))
        for pool in self.worker.table.pools.values():
            upstream = Upstream(self.worker, pool.endpoints[0])
            upstream.connection_made(cast(asyncio.Transport, SilentTransport()))
            self.worker.connections.keep(upstream, 1e9)

    def serve(self, request: bytes) -> None:
        self.downstream.data_received(request)
        exchange = self.downstream.exchange
        assert exchange is not None
        assert exchange.upstream is not None
        exchange.upstream.data_received(self._answer)

    def time(self, requests: Sequence[bytes]) -> tuple[int, int]:
        """Nanoseconds for all requests' way to the upstream, and for all answers' way back, the clock's own time included."""
        now, receive, answer = time.perf_counter_ns, self.downstream.data_received, self._answer
        to_upstream = to_client = 0
        for request in requests:
            begin = now()
            receive(request)
            middle = now()
            self.downstream.exchange.upstream.data_received(answer)  # type: ignore[union-attr]
            to_client += now() - middle
            to_upstream += middle - begin
        return to_upstream, to_client


def _config(setting: Setting) -> str:
    """``bench/tracer.yaml`` with other routes before its own."""
    others = "".join(
        f"  - {{name: other-{number}, match: {{path: /agents/other-{number}}}, lanes: [{{name: only, pool: stable}}]}}\n"
        for number in range(setting.routes - 1)
    )
    sticky = "" if setting.ruled else "    sticky: [header:x-session-id]\n"
    return (
        "version: 1\ntracing: {exporter: none, inject: [tracecontext, baggage]}\ntrust: [loopback]\n"
        + (RULES if setting.ruled else "")
        + "routes:\n"
        + others
        + "  - name: planner\n    match: {path: /agents/planner}\n"
        + sticky
        + "    lanes:\n"
        "      - {name: stable, pool: stable, weight: 95}\n      - {name: canary, pool: canary, weight: 5, colors: [canary]}\n"
        "pools:\n  stable: {endpoints: [http://127.0.0.1:7001]}\n  canary: {endpoints: [http://127.0.0.1:7002]}\n"
        + (ROLLOUT if setting.judged else "")
    )


def scenario_requests(scenario: str) -> list[bytes]:
    dice = random.Random(42)
    return [_request(scenario, 0 if scenario == "same" else number, dice) for number in range(REQUESTS)]


def _request(scenario: str, number: int, dice: random.Random) -> bytes:
    path = "/agents/planner/v1/chat/completions" + (f"/{number}" if scenario == "paths" else "")
    lines = [
        f"{'GET' if scenario == 'get' else 'POST'} {path} HTTP/1.1",
        "User-Agent: OpenAI/Python 2.8.0",
        "Host: 127.0.0.1:8080",
        "Accept: application/json",
        "Accept-Encoding: gzip, deflate",
        "Content-Type: application/json",
        "Authorization: Bearer not-a-real-key-0123456789abcdef",
        "X-Stainless-Retry-Count: 0",
        f"X-Session-Id: session-{number:016x}",
    ]
    if scenario != "no-trace":
        lines.append(f"traceparent: 00-{dice.getrandbits(128):032x}-{number + 1:016x}-01")
    if scenario == "unique":
        lines.append(f"X-Unique: {number}")
    if scenario == "get":
        return "\r\n".join([*lines, "", ""]).encode()
    return "\r\n".join([*lines, f"Content-Length: {len(BODY)}", "", ""]).encode() + BODY


def _batches(requests: list[bytes]) -> Iterator[list[bytes]]:
    source = cycle(requests)
    while True:
        yield list(islice(source, BATCH))


async def _show_times(scenarios: Sequence[str], setting: Setting, seconds: float) -> None:
    now = time.perf_counter_ns
    clock_ns = min(-(now() - now()) for _ in range(1000))
    print(f"{'ns per exchange':16} {'total':>7} {'request':>8} {'answer':>7}")
    for scenario in scenarios:
        bench, end = Bench(setting), time.perf_counter() + seconds
        # As a worker does after it has taken its table.
        gc.collect()
        gc.freeze()
        best = (float("inf"), 0.0, 0.0)
        for batch in _batches(scenario_requests(scenario)):
            to_upstream, to_client = bench.time(batch)
            request, answer = to_upstream / BATCH - clock_ns, to_client / BATCH - clock_ns
            best = min(best, (request + answer, request, answer))
            if time.perf_counter() > end:
                break
        print(f"{scenario:16} {best[0]:7.0f} {best[1]:8.0f} {best[2]:7.0f}")


async def _serve(scenario: str, setting: Setting, exchanges: int) -> None:
    bench = Bench(setting)
    for request in islice(cycle(scenario_requests(scenario)), exchanges):
        bench.serve(request)


def _count_instructions(scenario: str, setting: Setting, exchanges: int) -> int:
    """Of one exchange: what twice as many exchanges cost more, so that start and loading fall out."""
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        raise BenchError("valgrind is not installed; it counts the instructions.")
    counts = []
    # Once without counting: the first run after a change also compiles and writes what changed.
    asyncio.run(_serve(scenario, setting, 1))
    for number in (exchanges, 2 * exchanges):
        command = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null", sys.executable, "-m", "bench.hot_path"]
        command += ["--only", scenario, "--serve", str(number), *setting.arguments]
        # A fixed hash seed: the order of sets must not differ between the two runs.
        told = subprocess.run(command, env={"PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False)
        found = re.search(r"Collected : (\d+)", told.stderr)
        if found is None:
            raise BenchError(f"valgrind counted nothing; it said:\n{told.stderr[-1000:]}")
        counts.append(int(found[1]))
    return (counts[1] - counts[0]) // exchanges


def _arguments() -> argparse.Namespace:
    known = "; ".join(f"{name}: {what}" for name, what in SCENARIOS.items())
    parser = argparse.ArgumentParser("python -m bench.hot_path", description=f"What an exchange costs in Python. {known}.")
    parser.add_argument("--only", default=",".join(SCENARIOS), help="comma-separated scenarios")
    parser.add_argument("--routes", type=int, default=1, help="routes in the table; the last one matches")
    parser.add_argument("--judged", action="store_true", help="a rollout judges the route")
    parser.add_argument("--ruled", action="store_true", help="the whole ladder for the session, and five rules for the colour")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each scenario")
    parser.add_argument("--instructions", action="store_true", help="count instructions instead (slow)")
    parser.add_argument("--functions", action="store_true", help="profile by function instead")
    parser.add_argument("--serve", type=int, default=0, help="serve so many exchanges of the first scenario, show nothing")
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    setting = Setting(arguments.routes, arguments.judged, arguments.ruled)
    scenarios: list[str] = arguments.only.split(",")
    unknown = [name for name in scenarios if name not in SCENARIOS]
    if unknown:
        raise SystemExit(f"No such scenario: {unknown[0]}; there are {', '.join(SCENARIOS)}.")
    if arguments.serve:
        asyncio.run(_serve(scenarios[0], setting, arguments.serve))
    elif arguments.instructions:
        for scenario in scenarios:
            print(f"{scenario:16} {_count_instructions(scenario, setting, 2 * REQUESTS):9,} instructions per exchange")
    elif arguments.functions:
        with cProfile.Profile() as profile:
            asyncio.run(_serve(scenarios[0], setting, 20 * REQUESTS))
        pstats.Stats(profile).sort_stats("tottime").print_stats(25)
    else:
        asyncio.run(_show_times(scenarios, setting, arguments.seconds))


if __name__ == "__main__":
    main()
