"""The CPU time of an exchange as a picture: ``python -m bench.plot RESULTS.json docs/benchmarks.svg``."""

import json
import sys
from collections.abc import Mapping
from html import escape
from math import log10
from pathlib import Path

WIDTH, BAR, GAP, LEFT, RIGHT, TOP = 760, 22, 12, 130, 90, 52
OURS, OTHERS, GRID = "#c2410c", "#64748b", "#cbd5e1"
TITLE = "CPU time of one exchange, µs (logarithmic; shorter is better)"
STYLE = "font-family: system-ui, sans-serif; font-size: 13px"


def picture(cpu_us: Mapping[str, float]) -> str:
    """Bars on a logarithmic scale, cheapest first; ``cpu_us`` is by proxy."""
    ordered = sorted(cpu_us.items(), key=lambda item: item[1])
    decades = range(1, max(int(log10(max(cpu_us.values()))) + 2, 2))
    height = TOP + len(ordered) * (BAR + GAP) + 26
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" style="{STYLE}">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="10" y="22" font-weight="bold" fill="#0f172a">{TITLE}</text>',
    ]
    for decade in decades:
        x = _x(10.0**decade, decades.stop - 1)
        lines.append(f'<line x1="{x:.0f}" y1="{TOP - 10}" x2="{x:.0f}" y2="{height - 24}" stroke="{GRID}"/>')
        lines.append(f'<text x="{x:.0f}" y="{height - 8}" text-anchor="middle" fill="#475569">{10**decade:,}</text>')
    for place, (name, cost) in enumerate(ordered):
        lines += _bar(name, cost, TOP + place * (BAR + GAP), decades.stop - 1)
    return "\n".join([*lines, "</svg>", ""])


def _x(cost: float, last_decade: int) -> float:
    """From 3 µs at the left."""
    share = (log10(max(cost, 3.0)) - log10(3.0)) / (last_decade - log10(3.0))
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _bar(name: str, cost: float, y: int, last_decade: int) -> list[str]:
    end = _x(cost, last_decade)
    color = OURS if name == "tracer-proxy" else OTHERS
    middle = y + BAR * 0.7
    return [
        f'<text x="{LEFT - 8}" y="{middle:.0f}" text-anchor="end" fill="#0f172a">{escape(name)}</text>',
        f'<rect x="{LEFT}" y="{y}" width="{end - LEFT:.0f}" height="{BAR}" fill="{color}"/>',
        f'<text x="{end + 6:.0f}" y="{middle:.0f}" fill="#0f172a">{cost:,.0f}</text>',
    ]


def main(results: Path, target: Path) -> None:
    proxies = json.loads(results.read_text())["scenarios"]["throughput"]["proxies"]
    target.write_text(picture({name: each["cpu_us_per_exchange"] for name, each in proxies.items()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
