"""How the cost of an exchange grows: with routes, with header lines, with workers. tracer-proxy alone, compared with itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from bench.measure import Measurement, measure
from bench.peers import Addresses, Command, Peer, find_tracer_proxy
from bench.processes import BenchError, Cores
from bench.report import markdown
from bench.stage import Stage, say

ROUTES = (10, 100, 1000)
HEADERS = (10, 30, 60)
WORKERS = (1, 2)
HEADERS_ALWAYS = 10
ASKED_FOR = 10
"""Routes that the load asks for, however many there are."""


def run(stage: Stage, _only: Sequence[str]) -> dict[str, object]:
    program = find_tracer_proxy()
    if program is None:
        raise BenchError("tracer-proxy is not installed; get it with: make setup")
    both = stage.cores.proxy | stage.cores.load
    cases = {
        **{f"{count} routes": (config(routes=count), _paths(ASKED_FOR, count // ASKED_FOR), stage.cores) for count in ROUTES},
        f"{ROUTES[-1]} asked-for routes": (config(routes=ROUTES[-1]), _paths(ROUTES[-1], 1), stage.cores),
        **{f"{count} headers": (config(), {"BENCH_HEADERS": str(count - HEADERS_ALWAYS)}, stage.cores) for count in HEADERS},
        **{f"{count} workers": (config(workers=count), {}, Cores(both, both)) for count in WORKERS},
    }
    found: dict[str, list[Measurement]] = {name: [] for name in cases}
    for number in range(1, stage.rounds + 1):
        for name, (text, load, cores) in cases.items():
            peer = Peer("tracer-proxy", program, "make setup", _running(text), lambda _: "", does_lanes=False)
            measured = measure(peer, stage.lanes, cores, stage.seconds, stage.wrk, load=load)
            found[name].append(measured)
            per_s = measured.load.requests_per_s
            say(f"round {number}/{stage.rounds}  {name:<21}  {measured.cpu_us:6.1f} µs  {per_s:>8,.0f} req/s")
    say("\n" + markdown([HEADER, *(_row(name, found) for name in found)]))
    return {name: [(each.cpu_us, each.load.requests_per_s) for each in each_of] for name, each_of in found.items()}


HEADER = ("tracer-proxy with", "CPU µs/exchange", "÷ the first", "req/s", "p99 ms", "memory MB")


def _row(name: str, found: Mapping[str, Sequence[Measurement]]) -> tuple[str, ...]:
    """Compared within a round with the first of its kind."""
    kind = name.rpartition(" ")[2]
    first = next(each for each in found if each.endswith(kind))
    ratio = median(mine.cpu_us / base.cpu_us for mine, base in zip(found[name], found[first], strict=True))
    return (
        name,
        f"{median(each.cpu_us for each in found[name]):.1f}",
        f"{ratio:.2f}×",
        f"{median(each.load.requests_per_s for each in found[name]):,.0f}",
        f"{median(each.load.p99_ms for each in found[name]):.2f}",
        f"{median(each.memory_bytes for each in found[name]) / 2**20:.0f}",
    )


def _paths(routes: int, step: int) -> dict[str, str]:
    return {"BENCH_ROUTES": str(routes), "BENCH_ROUTE_STEP": str(step)}


def config(routes: int = 0, workers: int = 1) -> str:
    """As ``tracer.yaml``, with so many routes; wrk asks for all of them in turn."""
    names = [(f"r{number}", f"/agents/r{number}") for number in range(routes)] or [("planner", "/agents/planner")]
    lanes = "[{name: stable, pool: stable, weight: 95}, {name: canary, pool: canary, weight: 5, colors: [canary]}]"
    lines = [f"  - {{name: {name}, match: {{path: {path}}}, lanes: {lanes}}}" for name, path in names]
    return "\n".join(
        (
            "version: 1",
            f'proxy: {{listen: "${{BENCH_LISTEN}}", workers: {workers}}}',
            'admin: {listen: "${BENCH_ADMIN}"}',
            "routes:",
            *lines,
            "pools:",
            '  stable: {endpoints: ["http://${BENCH_STABLE}"]}',
            '  canary: {endpoints: ["http://${BENCH_CANARY}"]}',
            "",
        )
    )


def _running(text: str) -> Command:
    def command(program: str, _addresses: Addresses, folder: Path) -> list[str]:
        path = folder / "config.yaml"
        path.write_text(text)
        return [program, "run", "--config", str(path)]

    return command
