"""From measurements to the table and the JSON file: medians, their spread, and ratios within a round."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from statistics import median

from bench.load import FAILURE_KINDS
from bench.measure import Measurement

Rounds = Mapping[str, Sequence[Measurement]]
"""For each proxy its measurements, one for each round, in the order of the rounds."""

REFERENCE = "nginx"
DISTURBANCE_TOLERATED = 0.05
HEADER = (
    "proxy", "req/s", "spread", "CPU µs/exchange", "spread", "core", "p50 ms", "p99 ms", "memory MB", "errors",
    f"CPU ÷ {REFERENCE}", f"req/s ÷ {REFERENCE}",
)  # fmt: skip


def requests_per_s(measurement: Measurement) -> float:
    return measurement.load.requests_per_s


def cpu_us(measurement: Measurement) -> float:
    return measurement.cpu_us


def ratio(rounds: Rounds, name: str, value: Callable[[Measurement], float]) -> float | None:
    """The median over the rounds of ``value`` against nginx in the same round; None if nginx was not measured.

    Both were measured within the same minute, so a machine that slows down between rounds does not bend the ratio.
    """
    if REFERENCE not in rounds:
        return None
    pairs = zip(rounds[name], rounds[REFERENCE], strict=True)
    return median(value(mine) / value(theirs) for mine, theirs in pairs)


def table(rounds: Rounds) -> str:
    """A Markdown table, one row for each proxy, cheapest first."""
    names = sorted(rounds, key=lambda name: median(map(cpu_us, rounds[name])))
    return markdown([HEADER, *(_row(rounds, name) for name in names)])


def _row(rounds: Rounds, name: str) -> tuple[str, ...]:
    measured = rounds[name]
    return (
        name,
        *_with_spread([requests_per_s(each) for each in measured], ",.0f"),
        *_with_spread([cpu_us(each) for each in measured], ".1f"),
        f"{median(each.core_share for each in measured):.0%}",
        f"{median(each.load.p50_ms for each in measured):.2f}",
        f"{median(each.load.p99_ms for each in measured):.2f}",
        f"{median(each.memory_bytes for each in measured) / 2**20:.1f}",
        str(sum(each.load.errors for each in measured)),
        _times(ratio(rounds, name, cpu_us)),
        _times(ratio(rounds, name, requests_per_s)),
    )


def _with_spread(values: Sequence[float], form: str) -> tuple[str, str]:
    return format(median(values), form), f"{min(values):{form}}–{max(values):{form}}"


def _times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}×"


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """Rows of equal length as an aligned Markdown table; the first is the header, the first column stands left."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rule = [":" + "-" * (widths[0] - 1), *("-" * (width - 1) + ":" for width in widths[1:])]
    lines = [
        [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))] for row in rows
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [lines[0], rule, *lines[1:]])


def warnings(rounds: Rounds) -> list[str]:
    """What a reader must know before believing a row."""
    found = []
    for name, measured in rounds.items():
        disturbance = max(each.disturbance for each in measured)
        if disturbance > DISTURBANCE_TOLERATED:
            found.append(f"{name}: other work took up to {disturbance:.0%} of a core from it or from the load side")
        failures = {kind: sum(each.load.failures[kind] for each in measured) for kind in FAILURE_KINDS}
        if any(failures.values()):
            kinds = ", ".join(f"{count} {kind}" for kind, count in failures.items() if count)
            found.append(f"{name}: errors ({kinds}); its numbers do not count")
    return found


def as_json(rounds: Rounds) -> dict[str, object]:
    """All measurements and the medians, for a file."""
    return {
        name: {
            "requests_per_s": median(map(requests_per_s, measured)),
            "cpu_us_per_exchange": median(map(cpu_us, measured)),
            "cpu_ratio_to_nginx": ratio(rounds, name, cpu_us),
            "requests_ratio_to_nginx": ratio(rounds, name, requests_per_s),
            "rounds": [asdict(each) for each in measured],
        }
        for name, measured in rounds.items()
    }
