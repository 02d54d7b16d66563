"""A rollout as lines for people."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from rich.text import Text

from tracer_proxy.cli.exchange_text import printable

_STYLES = {
    "running": "cyan",
    "paused": "yellow",
    "promoted": "green",
    "rolled_back": "red",
    "switched": "red",
    "aborted": "red",
    "healthy": "green",
    "failing": "red",
    "undecided": "yellow",
}
_MARKS = {"healthy": "✓", "failing": "✗", "undecided": "?"}
_HISTORY_SHOWN = 10
_TRACES_SHOWN = 3


def lines(rollout: Mapping[str, Any], *, with_history: bool) -> Iterator[Text]:
    status = rollout["status"]
    yield Text.assemble(
        (printable(rollout["name"]), "bold"), "  ", (_words(status), _STYLES.get(status, "")), "  ", _where(rollout)
    )
    yield _row("route", _aim(rollout))
    yield _row("weights", ", ".join(f"{printable(lane)} {weight:g}" for lane, weight in rollout["weights"].items()))
    if rollout["by_hand"]:
        yield _row("", "set by hand, in place of the rollout's")
    yield _row("since", _time(rollout["since"]))
    if status == "running":
        yield _row("next", _next(rollout))
    if status != "waiting":
        yield _row("evidence", "; ".join(_evidence(rollout)))
    if rollout["verdict"]:
        yield from _verdict(rollout["verdict"])
    if with_history and rollout["history"]:
        for index, change in enumerate(rollout["history"][-_HISTORY_SHOWN:]):
            yield _row("" if index else "history", _change(change))
    yield Text()


def _where(rollout: Mapping[str, Any]) -> str:
    if rollout["status"] == "waiting":
        return "for somebody to start it"
    if rollout["guard"]:
        return "a guard of the baseline"
    share = f"{rollout['percent']:g} % for {printable(rollout['lane'])}"
    return (
        f"step {rollout['step']} of {len(rollout['steps'])}, {share}" if rollout["status"] in ("running", "paused") else share
    )


def _aim(rollout: Mapping[str, Any]) -> str:
    against = "" if rollout["guard"] else f" against {printable(rollout['baseline'])}"
    return (
        f"{printable(rollout['route'])}: {printable(rollout['lane'])}{against}, on failure {printable(rollout['on_failure'])}"
    )


def _next(rollout: Mapping[str, Any]) -> str:
    if rollout["guard"]:
        return "none, it is guarded for ever"
    if rollout["held"]:
        return "held, for there is too little to go by yet; see the verdict"
    held, hold = rollout["held_s"], rollout["hold_s"]
    if held >= hold:
        return "with the next look"
    what = "promotion" if rollout["step"] == len(rollout["steps"]) else "step"
    return f"{what} at {_time(rollout['next_step_earliest'])} at the earliest ({held:.0f} of {hold:g} s)"


def _evidence(rollout: Mapping[str, Any]) -> Iterator[str]:
    for role in ("lane",) if rollout["guard"] else ("lane", "baseline"):
        found = rollout["evidence"][role]
        counts = f"{_count(found['exchanges'], 'exchange')}, {_count(found['errors'], 'error')}"
        confidence = "" if found["confidence"] is None else f", confidence {found['confidence']:.3g}"
        yield f"{printable(rollout[role])} {counts}{confidence}"


def _verdict(verdict: Mapping[str, Any]) -> Iterator[Text]:
    outcome = verdict["outcome"]
    yield _row("verdict", f"{outcome}, after {verdict['window_s']:.0f} s", _STYLES.get(outcome, ""))
    for finding in verdict["findings"]:
        mark = Text(f"{_MARKS.get(finding['outcome'], ' ')} ", _STYLES.get(finding["outcome"], ""))
        yield Text.assemble(" " * 12, mark, f"{printable(finding['criterion']):<20} {printable(finding['message'])}")
    if verdict["traces"]:
        yield _row("traces", ", ".join(map(printable, verdict["traces"][:_TRACES_SHOWN])))


def _change(change: Mapping[str, Any]) -> str:
    reason = f": {printable(change['reason'])}" if change["reason"] else ""
    return (
        f"{_time(change['at'])}  {_words(change['kind']):<12} step {change['step']}, {change['percent']:g} %, "
        f"by {printable(change['by'])}{reason}"
    )


def _row(name: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"  {name:<10}", "dim"), (text, style))


def _time(utc: str) -> str:
    """The reader's own."""
    return f"{datetime.fromisoformat(utc).astimezone():%Y-%m-%d %H:%M:%S}"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s'[: number != 1]}"


def _words(name: str) -> str:
    return name.replace("_", " ")
