"""The load: wrk with ``load.lua``, and the result line that the script makes it print."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.processes import BenchError, running

CONNECTIONS = 32
PATH = "/agents/planner/v1/chat/completions"
SCRIPT = Path(__file__).with_name("load.lua")
GRACE_S = 30
RESULT_MARK = "result "
FAILURE_KINDS = ("connect", "read", "write", "status", "timeout")


@dataclass(frozen=True, slots=True)
class LoadResult:
    """What wrk saw in one run."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    failures: dict[str, int]
    """Failed connects, broken reads and writes, answers other than 2xx and 3xx (status) and answers later than 2 s."""

    @property
    def errors(self) -> int:
        return sum(self.failures.values())

    @property
    def requests_per_s(self) -> float:
        return self.requests / self.seconds


def run_wrk(
    program: str,
    address: str,
    seconds: float,
    cores: frozenset[int],
    folder: Path,
    *,
    connections: int = CONNECTIONS,
    env: Mapping[str, str] | None = None,
) -> LoadResult:
    """Load ``address`` (``host:port``) for ``seconds``, rounded to whole ones as wrk wants it.

    ``env`` is for ``load.lua``: ``BENCH_ROUTES`` to ask for in turn, each ``BENCH_ROUTE_STEP`` further; ``BENCH_HEADERS`` more
    than ten; ``BENCH_PATH`` and ``BENCH_EXTRA`` headers in place of the usual.
    """
    log = folder / "wrk.log"
    whole_seconds = max(1, round(seconds))
    command = [program, "--threads", "1", "--connections", str(connections), "--duration", f"{whole_seconds}s"]
    command += ["--script", str(SCRIPT), f"http://{address}{PATH}"]
    with running(command, cores, log, env) as process:
        try:
            process.wait(whole_seconds + GRACE_S)
        except subprocess.TimeoutExpired as error:
            raise BenchError(f"wrk did not end {GRACE_S} s after its time; is {address} stuck?") from error
    return parse_wrk(log.read_text(errors="replace"))


def parse_wrk(output: str) -> LoadResult:
    """Read the line that ``done`` in ``load.lua`` writes behind wrk's own report."""
    for line in output.splitlines():
        if line.startswith(RESULT_MARK):
            return _load_result(json.loads(line.removeprefix(RESULT_MARK)))
    raise BenchError(f"wrk printed no result line; it said:\n{output.strip() or '(nothing)'}")


def _load_result(values: dict[str, int]) -> LoadResult:
    if not values["requests"]:
        raise BenchError(f"no request was answered during the load; wrk counted {values}")
    return LoadResult(
        requests=values["requests"],
        seconds=values["duration_us"] / 1e6,
        p50_ms=values["p50_us"] / 1e3,
        p99_ms=values["p99_us"] / 1e3,
        failures={kind: values[kind] for kind in FAILURE_KINDS},
    )
