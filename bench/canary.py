"""What it costs a worker to find the session, to try rules and to gather what a rollout judges by: each alone, and together."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.load import run_wrk
from bench.peers import find_tracer_proxy
from bench.processes import BenchError, cpu_by_name, free_addresses, running, wait_until_listening
from bench.report import markdown
from bench.stage import Stage, say

CONFIG = """
version: 1
proxy: {{listen: "{listen}", workers: 1}}
admin: {{listen: "{admin}"}}
tracing: {{exporter: none, inject: [tracecontext, baggage]}}
trust: [loopback]
{rules}
routes:
  - name: planner
    match: {{path: /agents/planner}}
    {sticky}
    limits: {{request_body: unlimited}}
    lanes:
      - {{name: stable, pool: stable, weight: 95}}
      - {{name: canary, pool: canary, weight: 5, colors: [canary]}}
pools:
  stable: {{endpoints: ["http://{stable}"]}}
  canary: {{endpoints: ["http://{canary}"]}}
{rollout}
"""
BY_HEADER = "sticky: [header:x-session-id]"
"""The client sends one that no other rung is asked for."""
DEFAULT = ""
NO_RULES = ""
RULES = """
coloring:
  - {color: canary, when: {header: {x-canary: "1"}}}
  - {color: canary, when: {agent: {prefix: svc-auth-}, percent: 30}}
  - {color: blue, when: {cookie: {beta: "yes"}, not: {path: /agents/billing}}}
  - {color: green, when: {any: [{query: {v: "2"}}, {client: 10.8.0.0/16}]}}
  - {color: red, when: {percent: 0}}
"""
NO_ROLLOUT = ""
ROLLOUT = """
rollouts:
  planner-v2:
    route: planner
    lane: canary
    steps: [5, 50]
    hold: 1h
    judge:
      max_error_rate: {absolute: 0.5}
      max_latency: {worse_than_baseline: 1.3}
      max_first_token: {worse_than_baseline: 1.5}
"""
SESSION = {"BENCH_EXTRA": ""}
NO_SESSION = {"BENCH_EXTRA": "X-Session-Id: "}
"""An empty one is none: then the whole ladder is climbed, and the body read for it."""


@dataclass(frozen=True, slots=True)
class Case:
    sticky: str = BY_HEADER
    rules: str = NO_RULES
    rollout: str = NO_ROLLOUT
    load: Mapping[str, str] | None = None


CASES = {
    "by one header, no rules, no rollout": Case(),
    "ladder, session in a header": Case(DEFAULT, load=SESSION),
    "ladder climbed to its end, body read": Case(DEFAULT, load=NO_SESSION),
    "five rules": Case(rules=RULES),
    "a rollout judges": Case(rollout=ROLLOUT),
    "ladder, rules and rollout": Case(DEFAULT, RULES, ROLLOUT, SESSION),
    "the same, ladder climbed to its end": Case(DEFAULT, RULES, ROLLOUT, NO_SESSION),
}
HEADER = ("what is on", "worker µs/exchange", "÷ nothing", "control µs/exchange", "req/s", "p99 ms")


@dataclass(frozen=True, slots=True)
class Cost:
    """For each exchange."""

    worker_us: float
    control_us: float
    requests_per_s: float
    p99_ms: float


def run(stage: Stage, _only: Sequence[str]) -> dict[str, object]:
    program = find_tracer_proxy()
    if program is None:
        raise BenchError("tracer-proxy is not installed; get it with: make setup")
    found: dict[str, list[Cost]] = {name: [] for name in CASES}
    for number in range(1, stage.rounds + 1):
        for name, case in CASES.items():
            cost = measure(stage, program, case)
            found[name].append(cost)
            said = f"worker {cost.worker_us:5.1f} µs  {cost.requests_per_s:>8,.0f} req/s"
            say(f"round {number}/{stage.rounds}  {name:<36}  {said}")
    base = found[next(iter(CASES))]
    say("\n" + markdown([HEADER, *(_row(name, costs, base) for name, costs in found.items())]))
    return {name: [(each.worker_us, each.control_us) for each in costs] for name, costs in found.items()}


def _row(name: str, costs: Sequence[Cost], base: Sequence[Cost]) -> tuple[str, ...]:
    """Ratios are within a round."""
    return (
        name,
        f"{median(each.worker_us for each in costs):.1f}",
        f"{median(mine.worker_us / nothing.worker_us for mine, nothing in zip(costs, base, strict=True)):.2f}×",
        f"{median(each.control_us for each in costs):.1f}",
        f"{median(each.requests_per_s for each in costs):,.0f}",
        f"{median(each.p99_ms for each in costs):.2f}",
    )


def measure(stage: Stage, program: str, case: Case) -> Cost:
    listen, admin = free_addresses(2)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        lanes = {"stable": stage.lanes["BENCH_STABLE"], "canary": stage.lanes["BENCH_CANARY"]}
        parts = {"sticky": case.sticky, "rules": case.rules, "rollout": case.rollout}
        (folder / "config.yaml").write_text(CONFIG.format(listen=listen, admin=admin, **lanes, **parts))
        command = [program, "run", "--config", str(folder / "config.yaml")]
        with running(command, stage.cores.proxy, folder / "proxy.log") as proxy:
            wait_until_listening("tracer-proxy", listen, proxy, folder / "proxy.log")
            run_wrk(stage.wrk, listen, 2.0, stage.cores.load, folder, env=case.load)
            before = cpu_by_name(proxy.pid)
            loaded = run_wrk(stage.wrk, listen, stage.seconds, stage.cores.load, folder, env=case.load)
            after = cpu_by_name(proxy.pid)
    return Cost(
        worker_us=(after["worker"] - before["worker"]) / loaded.requests * 1e6,
        control_us=(after["control"] - before["control"]) / loaded.requests * 1e6,
        requests_per_s=loaded.requests_per_s,
        p99_ms=loaded.p99_ms,
    )
