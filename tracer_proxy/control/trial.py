"""A reload that is only tried: what it would change, and for which of the sessions that are remembered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracer_proxy.config.load import text_of
from tracer_proxy.control.config_in_force import InForce
from tracer_proxy.control.what_if import sessions_shown, shares_shown
from tracer_proxy.errors import ConfigError, Problem
from tracer_proxy.limits import DIFF_SHOWN
from tracer_proxy.routing.compare import Comparison, shares
from tracer_proxy.telemetry.exchange_log import line_of
from tracer_proxy.telemetry.record import Record

CONFIG_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Trial:
    version: str
    """Of the config that would be in force; of the one that is, where there are problems."""
    problems: Sequence[str] = ()
    needs_restart: bool = False
    """The file is right, but some of it can only be had by a restart."""
    changed: bool = False
    changes: dict[str, Any] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        told = {"dry_run": True, "would_change": self.changed, "config": self.version, "restart_needed": self.needs_restart}
        return told | (refusal(self.problems) if self.problems else self.changes)


def text_to_try(path: Path, own: Path) -> str:
    """What stands in a file beside ``own``, the config file, or in that. Raises ``ConfigError``.

    Whoever may ask must not have control wait for a pipe, nor be told what stands in files elsewhere.
    """
    folder = own.parent.resolve()
    if path != own and (path.suffix not in CONFIG_SUFFIXES or not path.resolve().is_relative_to(folder)):
        message = (
            f"only a config file in {folder} can be tried: its name ends in {', '.join(CONFIG_SUFFIXES)}, and no link leads out"
        )
        raise ConfigError([Problem("", message, str(path))])
    if path.exists() and not path.is_file():
        raise ConfigError([Problem("", "it is no ordinary file; name a file with a config", str(path))])
    return text_of(path)


def refusal(problems: Sequence[str]) -> dict[str, Any]:
    message = f"The config file has {len(problems)} problem{'s'[: len(problems) > 1]}; the one in force stays."
    return {"error": {"kind": "config", "message": message, "problems": list(problems)}}


def tried(before: InForce, after: InForce, records: Sequence[Record], profile: str, rollouts: Mapping[str, str]) -> Trial:
    """``records`` are newest first; ``rollouts`` says what becomes of each."""
    old, new = before.table(), after.table()
    found = Comparison(old, new)
    for record in reversed(records):
        found.take(line_of(record, profile=profile))
    return Trial(
        after.version,
        changed=after.version != before.version,
        changes={
            **shares_shown(shares(old, new)),
            "sessions": sessions_shown(found, DIFF_SHOWN),
            "rollouts": dict(rollouts),
        },
    )
