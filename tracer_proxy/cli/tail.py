"""``tracer-proxy tail``: exchanges as they happen, or one trace as a tree."""

import asyncio
import io
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console

from tracer_proxy.cli import exchange_text, trace_tree
from tracer_proxy.cli.admin_api import Address, AdminApi, NoAnswer, Refused
from tracer_proxy.cli.admin_option import admin_of, admin_options, plain_errors
from tracer_proxy.limits import LIVE_RECORDS_MAX, TAIL_LAST, TAIL_RETRY_S

_INTERRUPTED = 130
"""What a shell makes of a command that SIGINT ended."""
_TRACE = re.compile("[0-9a-f]{4,32}")


@click.command(name="tail")
@admin_options
@click.option("--route", help="Only exchanges of this route.")
@click.option("--errors", is_flag=True, help="Only those that failed, or were answered with 4xx or 5xx.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
@click.option("--last", type=click.IntRange(0, LIVE_RECORDS_MAX), help=f"Begin with the last N.  [default: {TAIL_LAST}]")
@click.option("--trace", metavar="ID", help="Print one trace as a tree, and end; the first digits of its id will do.")
def command(
    url: str | None,
    path: Path | None,
    profile: str | None,
    token: str | None,
    route: str | None,
    errors: bool,
    as_json: bool,
    last: int | None,
    trace: str | None,
) -> None:
    """Show exchanges as they happen, until Ctrl-C: when, what, colour, lane, status, model, tokens in→out, time to the first
    byte and to the last, trace.

    While it runs, the proxy remembers every exchange; else a busy one remembers some.
    """
    if trace is not None and (route is not None or errors or last is not None):
        raise click.UsageError("--trace shows a whole trace; leave out --route, --errors and --last.")
    address, token = admin_of(url, path, profile, token)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal that lacks a sign shows another instead
    wanted = {"route": route or "", "errors": "1" if errors else "0"}
    screen = _Screen(as_json)
    try:
        with plain_errors(address):
            if trace is not None:
                uvloop.run(_show_trace(address, token, _trace_id(trace), screen))
            else:
                uvloop.run(_follow(address, token, wanted, TAIL_LAST if last is None else last, screen))
    except KeyboardInterrupt:
        raise SystemExit(_INTERRUPTED) from None


def _trace_id(text: str) -> str:
    digits = text.lower()
    if not _TRACE.fullmatch(digits):
        raise click.BadParameter(f"{text!r} is no trace id: expected 4 to 32 hex digits.", param_hint="--trace")
    return digits


class _Screen:
    """Where exchanges are shown: as JSON, in columns on a terminal, as plain lines elsewhere."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json
        self.console = Console(highlight=False, soft_wrap=True)
        if self.console.is_terminal and not as_json:
            self._has_heading = False
        else:
            self._has_heading = True

    def show(self, exchange: Mapping[str, Any]) -> None:
        if self.as_json:
            click.echo(json.dumps(exchange))
            return
        if not self._has_heading:
            self.console.print(exchange_text.heading())
            self._has_heading = True
        self.console.print(exchange_text.line(exchange, cut=self.console.is_terminal))
        sys.stdout.flush()

    def remark(self, sentence: str) -> None:
        click.echo(sentence, err=True)


# Following.


async def _follow(address: Address, token: str | None, wanted: Mapping[str, str], last: int, screen: _Screen) -> None:
    """Without end: what was reached once is waited for. Raises ``Refused``, and ``NoAnswer`` if nobody is there at first."""
    was_there = is_missed = False
    async with AdminApi(address, token) as api:
        while True:
            try:
                async with api.stream("/api/exchanges/stream", {**wanted, "last": str(0 if was_there else last)}) as events:
                    if is_missed:
                        screen.remark(f"{address} is back.")
                    was_there, is_missed = True, False
                    async for name, document in events:
                        _heed(name, document, screen)
            except NoAnswer as error:
                if not was_there:
                    raise
                if not is_missed:
                    screen.remark(f"No answer from {address}: {error}. Waiting for it to come back.")
                is_missed = True
            await asyncio.sleep(TAIL_RETRY_S)


def _heed(name: str, document: Any, screen: _Screen) -> None:
    if name == "exchange":
        screen.show(document)
    elif name == "lost":
        lost = document["lost"]
        screen.remark(f"{lost} exchange{'s'[: lost > 1]} came faster than they could be shown.")
    elif name == "end":
        raise NoAnswer("it is stopping")


# One trace.


async def _show_trace(address: Address, token: str | None, trace: str, screen: _Screen) -> None:
    """Raises ``Refused`` when it is not there."""
    async with AdminApi(address, token) as api:
        found = await api.get("/api/exchanges", {"trace": trace, "limit": str(LIVE_RECORDS_MAX)})
    exchanges = found["exchanges"][::-1]
    ids = list(dict.fromkeys(exchange["trace_id"] for exchange in exchanges))
    if not ids:
        raise Refused(_not_there(trace, found))
    if len(ids) > 1:
        raise Refused(f"{len(ids)} traces begin with {trace}; give more of its digits: {', '.join(ids[:5])}.")
    if screen.as_json:
        for exchange in exchanges:
            screen.show(exchange)
        return
    width = screen.console.width if screen.console.is_terminal else None
    for line in trace_tree.lines(trace_tree.grown(exchanges), width):
        screen.console.print(line)


def _not_there(trace: str, found: Mapping[str, Any]) -> str:
    if not found["remembered"]:
        return f"There is no trace {trace}: the proxy remembers no exchange yet."
    remembered, since = found["remembered"], found["since"]
    return (
        f"There is no trace {trace} among the {remembered} exchanges that the proxy remembers, since {since}. It remembers the "
        f"last {LIVE_RECORDS_MAX}, and of a busy proxy not all of them unless tracer-proxy tail runs or log.exchanges is on."
    )
