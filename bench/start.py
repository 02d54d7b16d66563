"""From the command to the ``ready`` line, and what the processes hold when nothing happens."""

import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from bench.growth import config
from bench.peers import find_tracer_proxy
from bench.processes import BenchError, free_addresses, process_tree, pss_of, running
from bench.report import markdown
from bench.stage import Stage, say

SETTLE_S = 2.0
START_S_MAX = 30.0


def run(stage: Stage, _only: Sequence[str]) -> dict[str, object]:
    times: list[float] = []
    sizes: dict[str, int] = {}
    for number in range(1, stage.rounds + 1):
        seconds, sizes = _started(stage)
        times.append(seconds)
        say(f"round {number}/{stage.rounds}  ready after {seconds:.2f} s, {sum(sizes.values()) / 2**20:.0f} MB in all")
    say("\n" + markdown([("tracer-proxy", "measured"), ("start to ready, s", f"{median(times):.2f}"), *_memory(sizes)]))
    return {"seconds": times, "pss_bytes": sizes}


def _memory(sizes: dict[str, int]) -> list[tuple[str, str]]:
    rows = [(f"PSS at idle, {name}, MB", f"{size / 2**20:.1f}") for name, size in sizes.items()]
    return [*rows, ("PSS at idle, in all, MB", f"{sum(sizes.values()) / 2**20:.1f}")]


def _started(stage: Stage) -> tuple[float, dict[str, int]]:
    program = find_tracer_proxy()
    if program is None:
        raise BenchError("tracer-proxy is not installed; get it with: make setup")
    listen, admin = free_addresses(2)
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / "config.yaml").write_text(config())
        env = {**stage.lanes, "BENCH_LISTEN": listen, "BENCH_ADMIN": admin}
        log, begun = folder / "log", time.monotonic()
        with running([program, "run", "--config", str(folder / "config.yaml")], stage.cores.proxy, log, env=env) as process:
            seconds = _ready_after(process, log, begun)
            time.sleep(SETTLE_S)
            return seconds, {name: pss_of(pid) for pid, name in process_tree(process.pid).items()}


def _ready_after(process: "subprocess.Popen[bytes]", log: Path, begun: float) -> float:
    while time.monotonic() < begun + START_S_MAX and process.poll() is None:
        if any(json.loads(line)["event"] == "ready" for line in log.read_text().splitlines() if line.endswith("}")):
            return time.monotonic() - begun
        time.sleep(0.005)
    raise BenchError("tracer-proxy did not say that it is ready.")
