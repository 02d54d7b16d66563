"""The game day on the screen."""

import io
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from gameday.ending import Ending, words
from gameday.ledger import WRONG, Ledger
from gameday.scenarios import Scenario
from tracer_proxy.rollout.course import Status

_WIDTH = 110
_INDENT = 2
_TRACES_SHOWN = 2
_MARKS = {"healthy": ("✓", "green"), "failing": ("✗", "red"), "undecided": ("?", "yellow")}
_STYLES = {"promoted": "green", "rolled_back": "red", "switched": "red", "held": "yellow"}
_DONE = {"started": "begins", "step": "goes on", "held": "is held"}
_AS_EXPECTED, _NOT_AS_EXPECTED = Text("✓", "bold green"), Text("✗", "bold red")

Row = tuple[bool, str, str, str, str]
"""Whether it is as it should be, what was played, what was expected, what came of it, and when."""


class Report:
    def __init__(self) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a sign shows another instead
        self._console = Console(highlight=False)
        self._console.width = min(self._console.width, _WIDTH) if self._console.is_terminal else _WIDTH

    def say(self, text: str, style: str = "dim") -> None:
        self._console.print(Padding(Text(text, style), (0, 0, 0, _INDENT), expand=False))

    def heading(self, title: str, note: str = "") -> None:
        self._console.print()
        self._console.print(Rule(Text.assemble((title, "bold"), f"  {note}" if note else ""), align="left", style="dim"))

    @contextmanager
    def playing(self) -> Iterator[Callable[[Mapping[str, Any]], None]]:
        """Gives a function that is told again and again what the rollout looks like."""
        told = 0
        with self._console.status("the agents and the proxy start") as status:

            def tell(shown: Mapping[str, Any]) -> None:
                nonlocal told
                for change in shown["history"][told:]:
                    self._change(shown, change)
                told = len(shown["history"])
                status.update(_now(shown))

            yield tell

    def _change(self, shown: Mapping[str, Any], change: Mapping[str, Any]) -> None:
        kind = change["kind"]
        after_s = _seconds(shown["history"][0]["at"], change["at"])
        where = f"step {change['step']} of {len(shown['steps'])}, {change['percent']:g} % for {shown['lane']}"
        style = _STYLES.get(kind, "")
        self._console.print(Text.assemble(f"  {after_s:5.1f} s  ", (f"{_DONE.get(kind, words(kind)):<13}", style), where))

    def ended(self, scenario: Scenario, ending: Ending, complaints: Sequence[str]) -> None:
        as_told = "" if complaints else ", as it should be"
        at = f"at step {ending.shown['step']} ({scenario.steps[ending.shown['step'] - 1]:g} %)"
        self._console.print()
        self._console.print(
            Text.assemble(
                f"  {'✗' if complaints else '✓'} ",
                (words(ending.status), f"bold {_STYLES.get(ending.status, '')}"),
                f" after {ending.after_s:.1f} s, {at}{as_told}",
            )
        )
        table = _table("", "", "")
        for finding in (ending.shown["verdict"] or {"findings": []})["findings"]:
            table.add_row(Text(*_MARKS[finding["outcome"]]), finding["criterion"], Text(finding["message"]))
        self._show(table, 2 * _INDENT)
        table = _table("", "")
        for who, what in _facts(scenario, ending):
            table.add_row(Text(who, "dim"), Text(what))
        self._show(table, 2 * _INDENT)
        self.complain(complaints)

    @contextmanager
    def progress(self, what: str, total: int) -> Iterator[Callable[[], None]]:
        """Gives a function to be called after each of ``total``; shown in a terminal only."""
        columns = (TextColumn("  {task.description}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True, disable=not self._console.is_terminal) as progress:
            task = progress.add_task(what, total=total)
            yield lambda: progress.advance(task)

    def said(self, good: bool, what: str, told: str) -> None:
        self._console.print(Text.assemble("  ", _AS_EXPECTED if good else _NOT_AS_EXPECTED, f" {what}: {told}"))

    def complain(self, complaints: Iterable[str]) -> None:
        for complaint in complaints:
            self._console.print(Padding(Text(complaint, "bold red"), (0, 0, 0, 2 * _INDENT)))

    def summary(self, rows: Sequence[Row]) -> None:
        self.heading("The day")
        table = _table("", "", "expected", "ended", "")
        for good, what, expected, ended, note in rows:
            mark = _AS_EXPECTED if good else _NOT_AS_EXPECTED
            table.add_row(mark, what, expected, Text(ended, "green" if good else "bold red"), Text(note, "dim"))
        self._show(table, _INDENT)
        wrong = sum(not row[0] for row in rows)
        self._console.print()
        if wrong:
            self.say(f"{wrong} of {len(rows)} not as it should be.", "bold red")
        else:
            self.say(f"All {len(rows)} as they should be." if len(rows) > 1 else "As it should be.", "bold green")

    def _show(self, table: Table, indent: int) -> None:
        self._console.print(Padding(table, (0, 0, 0, indent), expand=False))


def _table(*columns: str) -> Table:
    """Only the last column is broken into lines where there is no room."""
    table = Table(box=None, show_header=any(columns), pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(Text(column, "dim"), no_wrap=index < len(columns) - 1)
    return table


def _now(shown: Mapping[str, Any]) -> str:
    if shown["status"] != Status.RUNNING:
        return "the callers go on: who answers them now?"
    lane = shown["evidence"]["lane"]
    held = f"{shown['held_s']:.0f} of {shown['hold_s']:g} s"
    return f"step {shown['step']}, {held}: {shown['lane']} {lane['exchanges']} exchanges, of these failed {lane['errors']}"


def _facts(scenario: Scenario, ending: Ending) -> Iterator[tuple[str, str]]:
    verdict = ending.shown["verdict"]
    if verdict:
        baseline = next(iter(scenario.lanes))
        against = "" if baseline == scenario.judged else f" beside {verdict['baseline_exchanges']} of {baseline}"
        yield "judged", f"{verdict['exchanges']} exchanges of {scenario.judged}{against}, in {verdict['window_s']:.1f} s"
        if verdict["traces"]:
            yield "traces", ", ".join(verdict["traces"][:_TRACES_SHOWN])
    yield "callers", _seen(ending.before)
    if scenario.afterwards:
        yield "then", _seen(ending.after)
        yield "", f"{_seen(ending.colored)}; these asked for {scenario.judged} by its colour"


def _seen(ledger: Ledger) -> str:
    lanes = ", ".join(f"{lane or 'nobody'} {count}{_wrong(ledger, lane)}" for lane, count in sorted(ledger.by_lane().items()))
    return f"{ledger.requests} requests: {lanes}" if lanes else "no requests"


def _wrong(ledger: Ledger, lane: str) -> str:
    told = ", ".join(f"{count} {became}" for became in WRONG if (count := ledger.seen[lane, became]))
    return f" ({told})" if told else ""


def _seconds(first: str, last: str) -> float:
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
