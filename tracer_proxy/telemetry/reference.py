"""The page ``docs/metrics.md``: what is written by hand in ``reference.md``, then the catalogue as tables.

Run as a module, it prints the whole: ``python -m tracer_proxy.telemetry.reference > docs/metrics.md``.
"""

import sys
from pathlib import Path

from tracer_proxy.telemetry.catalogue import GROUPS, Metric


def render() -> str:
    """The whole page, as Markdown."""
    by_hand = Path(__file__).with_suffix(".md").read_text("utf-8")
    return "\n".join([by_hand, *(_table(title, group) for title, group in GROUPS)])


def _table(title: str, group: tuple[Metric, ...]) -> str:
    rows = [f"| `{metric.name}` | {metric.type} | {_labels(metric)} | {metric.help} |" for metric in group]
    return "\n".join([f"## {title}", "", "| metric | type | labels | meaning |", "|---|---|---|---|", *rows, ""])


def _labels(metric: Metric) -> str:
    labels = ", ".join(f"`{label}`" for label in metric.labels)
    return f"{labels}: {', '.join(f'`{value}`' for value in metric.values)}" if metric.values else labels


if __name__ == "__main__":
    sys.stdout.write(render())
