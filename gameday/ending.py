"""How a scenario ended, and whether that is as it should be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gameday.ledger import Ledger
from gameday.scenarios import Scenario


@dataclass(frozen=True)
class Ending:
    status: str
    """As ``Scenario.expected``; ``running`` if nothing was decided in time."""
    after_s: float
    """Since the rollout began."""
    shown: Mapping[str, Any]
    """The rollout, from the admin port."""
    before: Ledger
    after: Ledger = field(default_factory=Ledger)
    """Of requests that began when it was over."""
    colored: Ledger = field(default_factory=Ledger)
    """Of those of them that asked for the judged lane by its colour."""


def complaints(scenario: Scenario, ending: Ending) -> Iterator[str]:
    """Sentences; none if all is well."""
    if ending.status != scenario.expected:
        yield f"It should have ended as {words(scenario.expected)}, and is {words(ending.status)}."
        return
    if ending.after_s > scenario.limit_s:
        yield f"That took {ending.after_s:.0f} s, more than the {scenario.limit_s:g} s it may take."
    if scenario.decided_by and scenario.decided_by not in decisive(ending.shown):
        yield f"It should have been decided by {scenario.decided_by}, and was by {', '.join(decisive(ending.shown))}."
    if scenario.afterwards:
        yield from _misled(scenario.afterwards, ending)
    elif ending.shown["step"] != 1:
        yield f"It should have stayed at step 1, and is at step {ending.shown['step']}."


def _misled(lane: str, ending: Ending) -> Iterator[str]:
    for kind, ledger in (("", ending.after), (" with a colour", ending.colored)):
        if not ledger.requests:
            yield f"No request{kind} was sent afterwards."
        if misled := ledger.not_from(lane):
            yield f"Afterwards {misled} of {ledger.requests} requests{kind} were not answered by the lane {lane}."


def decisive(shown: Mapping[str, Any]) -> list[str]:
    """The criteria that its verdict rests on."""
    verdict = shown["verdict"]
    return [each["criterion"] for each in verdict["findings"] if each["outcome"] == verdict["outcome"]] if verdict else []


def words(status: str) -> str:
    return status.replace("_", " ")
