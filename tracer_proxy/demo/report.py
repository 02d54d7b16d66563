"""The demo on the screen: a progress bar and colours in a terminal, plain lines elsewhere."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from tracer_proxy.demo.commands import Suggestion
from tracer_proxy.demo.findings import Finding, grouped
from tracer_proxy.demo.split import LaneShare
from tracer_proxy.demo.tree import Line

_WIDTH = 100
_PLAIN_STEPS = 4
_INDENT = 2
_GAP = 2
_STYLES = {"caller": "bold", "tracer-proxy": "cyan", "planner": "bold green", "mock": "magenta", "tool": "yellow"}


class Report:
    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a sign shows another instead
        self._console = Console(highlight=False)
        self._console.width = min(self._console.width, _WIDTH) if self._console.is_terminal else _WIDTH

    def say(self, text: str, style: str = "") -> None:
        self._console.print(Text(f"  {text}", style), soft_wrap=True)

    def heading(self, title: str, note: str = "") -> None:
        self._console.print()
        self._console.print(Rule(Text.assemble((title, "bold"), f"  {note}" if note else ""), align="left", style="dim"))

    def addresses(self, rows: Iterable[tuple[str, str, str]]) -> None:
        """Who, where, and what it is."""
        self._console.print()
        table = _table()
        for who, url, note in rows:
            table.add_row(Text(who, "bold"), Text(url, "green"), Text(note, "dim"))
        self._show(table)

    @contextmanager
    def progress(self, total: int) -> Iterator[Callable[[], None]]:
        """Gives a function to be called after each of ``total`` turns."""
        if not self._console.is_terminal:
            yield self._plain_progress(total)
            return
        columns = (TextColumn("  {task.description}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task("turns", total=total)
            yield lambda: progress.advance(task)

    def _plain_progress(self, total: int) -> Callable[[], None]:
        done = 0

        def advance() -> None:
            nonlocal done
            done += 1
            if done * _PLAIN_STEPS // total > (done - 1) * _PLAIN_STEPS // total:
                self.say(f"{done} of {total} turns")

        return advance

    def split(self, shares: Sequence[LaneShare]) -> None:
        table = _table("lane", "agent", "weight", "expected", "seen", "share", "by x-canary: 1", "turns")
        for share in shares:
            table.add_row(
                Text(share.lane.name, "bold"),
                f"planner {share.lane.version}",
                f"{share.weight_share:.0%}",
                f"{share.expected:.1f} ± {2 * share.deviation:.1f}",
                Text(str(share.drawn), "green" if share.is_plausible else "red"),
                f"{share.drawn / share.drawn_of:.1%}" if share.drawn_of else "-",
                str(share.asked),
                str(share.turns),
            )
        self._show(table)

    def findings(self, findings: Iterable[Finding]) -> None:
        table = _table()
        table.add_column()
        table.add_column(justify="right")
        for finding in findings:
            mark = Text("✗", "bold red") if finding.complaint else Text("✓", "bold green")
            count = Text(grouped(finding.count), "bold")
            table.add_row(mark, count, finding.what, Text(finding.note, "dim"))
        self._show(table)

    def tree(self, lines: Sequence[Line]) -> None:
        table = _table("", "", "span id")
        who_chars = max(len(line.branch + line.who) for line in lines)
        room = self._console.width - _INDENT - who_chars - max(len(line.span_id) for line in lines) - 3 * _GAP
        for line in lines:
            who = Text.assemble((line.branch, "dim"), (line.who, _STYLES[line.who.partition(" ")[0]]))
            table.add_row(who, Text(_cut(line.what, room)), Text(line.span_id, "dim"))
        self._show(table)

    def suggest(self, suggestions: Iterable[Suggestion]) -> None:
        for suggestion in suggestions:
            self._console.print(Text(f"  # {suggestion.what}", "dim"))
            self._console.print(Text(f"  {suggestion.command}", "green"), soft_wrap=True)

    def complain(self, complaints: Iterable[str]) -> None:
        for complaint in complaints:
            self._console.print(Text.assemble(("  ✗ ", "bold red"), complaint), soft_wrap=True)

    def _show(self, table: Table) -> None:
        self._console.print(Padding(table, (0, 0, 0, _INDENT), expand=False))


def _table(*columns: str) -> Table:
    """The first two columns that have a heading are names, the others are numbers."""
    table = Table(box=None, show_header=bool(columns), pad_edge=False, padding=(0, _GAP, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(Text(column, "dim"), justify="left" if index < 2 else "right", no_wrap=True)
    return table


def _cut(text: str, chars: int) -> str:
    return text if len(text) <= chars else text[: max(chars, 1) - 1] + "…"
