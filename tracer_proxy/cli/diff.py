"""``tracer-proxy diff``: which sessions another config would send to another lane, before it is in force."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Any

import click
import uvloop
from rich.console import Console

from tracer_proxy.cli import diff_text
from tracer_proxy.cli.admin_api import Address, AdminApi
from tracer_proxy.cli.admin_option import admin_of, admin_options, plain_errors
from tracer_proxy.config.compile import DEFAULT_MOCK_LLM, compile_table
from tracer_proxy.config.load import load
from tracer_proxy.config.schema import Config
from tracer_proxy.control.what_if import sessions_shown, shares_shown
from tracer_proxy.errors import ConfigError
from tracer_proxy.limits import DIFF_SHOWN, LIVE_RECORDS_MAX
from tracer_proxy.routing.compare import Comparison, Kind, Shares, shares
from tracer_proxy.routing.table import Table

RECORDED = "recorded"
SAME, DIFFERENT, TROUBLE = 0, 1, 2


@click.command(name="diff")
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--sessions",
    "source",
    metavar="FILE|recorded",
    help="A log of exchanges, a file with a session key a line, - for stdin, or what a running proxy remembers.",
)
@admin_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("--limit", type=click.IntRange(min=0), default=DIFF_SHOWN, show_default=True, help="How many sessions to name.")
def command(
    old: Path,
    new: Path,
    source: str | None,
    url: str | None,
    path: Path | None,
    profile: str | None,
    token: str | None,
    as_json: bool,
    limit: int,
) -> None:
    """Say which sessions would change their lane, pool or colour if the config were NEW instead of OLD.

    Without --sessions, say what share of all sessions would. Exits as diff does: with 0 when nothing changes, with 1 when
    something does, and with 2 when there is trouble, or all that can be told stays and not all can be told.

    --admin, --config and --token say which proxy is asked for what is recorded.
    """
    with _trouble():
        configs = _configs((old, new), profile)
        before, after = (compile_table(config, DEFAULT_MOCK_LLM) for config in configs)
        changes = shares(before, after)
        document = shares_shown(changes)
        found = Comparison(before, after) if source is not None else None
        if found is not None:
            if source == RECORDED:
                _take_recorded(found, *admin_of(url, path, profile, token))
            else:
                _take_file(found, str(source))
            document["sessions"] = sessions_shown(found, limit)
        rolled = [f"a rollout sets the weights of {route}; here those of the file count" for route in _rolled(configs)]
        document["notes"] = [*rolled, *_draining(before, after)]
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for line in diff_text.lines(document):
            console.print(line)
    raise SystemExit(_code(changes, found))


def _code(changes: Shares, found: Comparison | None) -> int:
    if found is None:
        return SAME if changes.is_empty else DIFFERENT
    if not found.is_same:
        return DIFFERENT
    return TROUBLE if found.of(Kind.UNTOLD) else SAME


@contextmanager
def _trouble() -> Iterator[None]:
    """Whatever goes wrong is no difference."""
    try:
        yield
    except click.ClickException as error:
        error.show()
        raise SystemExit(TROUBLE) from None
    except SystemExit:
        raise SystemExit(TROUBLE) from None


def _configs(paths: tuple[Path, Path], profile: str | None) -> list[Config]:
    """Tells the problems of both."""
    configs, problems = [], []
    for path in paths:
        try:
            configs.append(load(path, os.environ, profile))
        except ConfigError as error:
            problems += error.problems
    for problem in problems:
        click.echo(str(problem), err=True)
    if problems:
        raise SystemExit(TROUBLE)
    return configs


def _rolled(configs: list[Config]) -> list[str]:
    return sorted({rollout.route for config in configs for rollout in config.rollouts.values()})


def _draining(before: Table, after: Table) -> Iterator[str]:
    """Of lanes that keep the sessions which they have served: neither shares nor keys say which these are."""
    weights = {(route.name, lane.name): lane.weight for route in before.routes for lane in route.split.lanes}
    for route in after.routes:
        for lane in route.split.draining:
            if weights.get((route.name, lane.name)):
                yield (
                    f"{lane.name} of {route.name} drains: sessions that it has served stay for up to {lane.drain_s:g} s; "
                    "shares and lists of keys tell where they go after that"
                )


def _take_recorded(found: Comparison, address: Address, token: str | None) -> None:
    with plain_errors(address):
        exchanges = uvloop.run(_recorded(address, token))
    # Newest first.
    for exchange in reversed(exchanges):
        found.take(exchange)


async def _recorded(address: Address, token: str | None) -> list[dict[str, Any]]:
    async with AdminApi(address, token) as api:
        answer = await api.get("/api/exchanges", {"limit": str(LIVE_RECORDS_MAX)})
        return list(answer["exchanges"])


def _take_file(found: Comparison, name: str) -> None:
    try:
        with click.open_file(name, encoding="utf-8", errors="replace") as file:
            _take_lines(found, file)
    except OSError as error:
        raise click.ClickException(f"Cannot read {name}: {error.strerror}. Give a file, - or {RECORDED}.") from None


def _take_lines(found: Comparison, file: IO[str]) -> None:
    """The first line says what it is: a log, or session keys."""
    lines = (stripped for line in file if (stripped := line.strip()))
    first = next(lines, "")
    is_log = first.startswith("{")
    for line in chain([first] if first else [], lines):
        if is_log:
            _take_logged(found, line)
        else:
            found.take_key(line)


def _take_logged(found: Comparison, line: str) -> None:
    """A log on stderr has the proxy's own events among the exchanges."""
    try:
        logged = json.loads(line)
    except (ValueError, RecursionError):
        found.unusable["its line is no JSON"] += 1
        return
    if isinstance(logged, dict) and logged.get("event") == "exchange":
        found.take(logged)
