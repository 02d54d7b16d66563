"""What records and spans cost: worker and control apart, with nothing, 1 % and all of the traces sampled."""

import re
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.load import run_wrk
from bench.peers import find_tracer_proxy
from bench.processes import BenchError, cpu_by_name, free_addresses, running, wait_until_listening
from bench.report import markdown
from bench.stage import Stage, say

CASES = {
    "off": "{exporter: none}",
    "1 %": "sample: 0.01, believe_sampled: false",
    "100 %": "sample: 1.0",
    "100 %, collector gone": "sample: 1.0",
    "100 %, collector slow": "sample: 1.0",
}
SLOW_S = "5"
FLOWS_OUT_S = 4.0
"""What is still in the queue when the load ends is exported too."""
HEADER = (
    "traces sampled",
    "worker µs/exchange",
    "÷ off",
    "control µs/exchange",
    "control µs/span",
    "spans dropped",
    "req/s",
    "p99 ms",
)


@dataclass(frozen=True, slots=True)
class Cost:
    worker_us: float
    control_us: float
    """For each exchange."""
    span_us: float
    """Of control, for each span that was exported."""
    dropped: float
    """Share of the spans."""
    requests_per_s: float
    p99_ms: float


def run(stage: Stage, _only: Sequence[str]) -> dict[str, object]:
    program = find_tracer_proxy()
    if program is None:
        raise BenchError("tracer-proxy is not installed; get it with: make setup")
    found: dict[str, list[Cost]] = {name: [] for name in CASES}
    for number in range(1, stage.rounds + 1):
        for name, tracing in CASES.items():
            cost = measure(stage, program, tracing, name.rpartition(" ")[2])
            found[name].append(cost)
            said = (
                f"worker {cost.worker_us:5.1f} µs  control {cost.control_us:5.1f} µs  {cost.dropped:4.0%} of the spans dropped"
            )
            say(f"round {number}/{stage.rounds}  {name:<21}  {said}  {cost.requests_per_s:>8,.0f} req/s")
    say("\n" + markdown([HEADER, *(_row(costs, found["off"], name) for name, costs in found.items())]))
    return {
        name: [(each.worker_us, each.control_us, each.span_us, each.dropped) for each in costs] for name, costs in found.items()
    }


def _row(costs: Sequence[Cost], base: Sequence[Cost], name: str) -> tuple[str, ...]:
    """Ratios are within a round."""
    spans = [each.span_us for each in costs if each.span_us]
    return (
        name,
        f"{median(each.worker_us for each in costs):.1f}",
        f"{median(mine.worker_us / off.worker_us for mine, off in zip(costs, base, strict=True)):.2f}×",
        f"{median(each.control_us for each in costs):.1f}",
        f"{median(spans):.0f}" if spans else "",
        f"{median(each.dropped for each in costs):.0%}",
        f"{median(each.requests_per_s for each in costs):,.0f}",
        f"{median(each.p99_ms for each in costs):.2f}",
    )


def measure(stage: Stage, program: str, tracing: str, collector_is: str) -> Cost:
    listen, admin, collector, elsewhere = free_addresses(4)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        if not tracing.startswith("{"):
            tracing = f"{{exporter: otlp, endpoint: 'http://{collector}', {tracing}}}"
        config = (Path(__file__).parent / "tracer.yaml").read_text()
        (folder / "config.yaml").write_text(re.sub(r"^tracing: .*$", f"tracing: {tracing}", config, flags=re.MULTILINE))
        addresses = {**stage.lanes, "BENCH_LISTEN": listen, "BENCH_ADMIN": admin}
        command = [program, "run", "--config", str(folder / "config.yaml")]
        # One that is gone listens elsewhere.
        collector = elsewhere if collector_is == "gone" else collector
        sink = [sys.executable, "-m", "bench.collector", collector, SLOW_S if collector_is == "slow" else "0"]
        with (
            running(sink, stage.cores.load, folder / "collector.log") as taking,
            running(command, stage.cores.proxy, folder / "proxy.log", addresses) as proxy,
        ):
            wait_until_listening("the collector", collector, taking, folder / "collector.log")
            wait_until_listening("tracer-proxy", listen, proxy, folder / "proxy.log")
            run_wrk(stage.wrk, listen, 2.0, stage.cores.load, folder)
            before, spans_before = cpu_by_name(proxy.pid), _spans(admin)
            loaded = run_wrk(stage.wrk, listen, stage.seconds, stage.cores.load, folder)
            worker = cpu_by_name(proxy.pid)["worker"] - before["worker"]
            spans = _settled(admin) if collector_is not in ("gone", "slow") else _spans(admin)
            control = cpu_by_name(proxy.pid)["control"] - before["control"]
    exported, dropped = (now - then for now, then in zip(spans, spans_before, strict=True))
    return Cost(
        worker_us=worker / loaded.requests * 1e6,
        control_us=control / loaded.requests * 1e6,
        span_us=control / exported * 1e6 if exported > 1000 else 0.0,
        dropped=dropped / (exported + dropped) if exported + dropped else 0.0,
        requests_per_s=loaded.requests_per_s,
        p99_ms=loaded.p99_ms,
    )


def _settled(admin: str) -> tuple[float, float]:
    """Once no more spans leave."""
    seen = _spans(admin)
    while True:
        time.sleep(FLOWS_OUT_S)
        now = _spans(admin)
        if now == seen:
            return now
        seen = now


def _spans(admin: str) -> tuple[float, float]:
    """Exported, and dropped wherever: by workers as records, which are two spans each here, or by control."""
    with urllib.request.urlopen(f"http://{admin}/metrics") as answer:
        text = answer.read().decode()

    def total(name: str) -> float:
        return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)", text, re.MULTILINE))

    lost = total("tracer_proxy_spans_dropped_total") + 2 * total("tracer_proxy_records_dropped_total")
    return total("tracer_proxy_spans_exported_total"), lost
