"""``tracer-proxy rollout``: how rollouts go, and what people want of them."""

import getpass
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import uvloop
from rich.console import Console

from tracer_proxy.cli import rollout_text
from tracer_proxy.cli.admin_api import Address, AdminApi
from tracer_proxy.cli.admin_option import admin_of, admin_options, plain_errors

_ACTIONS = {
    "start": "Begin a rollout that waits, or one that has ended, at its first step.",
    "pause": "Keep the weights as they are, and judge no more.",
    "resume": "Go on with one that is paused; its step begins anew.",
    "promote": "Give all traffic to the lane now.",
    "abort": "Take all traffic from the lane now, coloured traffic included.",
}
_PATH = "/api/rollouts"


@click.group(name="rollout")
def command() -> None:
    """Show how rollouts go, and pause, resume, promote, abort or start one."""


@command.command(name="status")
@click.argument("name", required=False)
@admin_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def status_command(
    name: str | None, url: str | None, path: Path | None, profile: str | None, token: str | None, as_json: bool
) -> None:
    """Show all rollouts, or one of them with its history."""
    address, token = admin_of(url, path, profile, token)
    with plain_errors(address):
        found = uvloop.run(_get(address, token, f"{_PATH}/{quote(name, safe='')}" if name else _PATH))
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif name is None and not found:
        click.echo("The config has no rollouts.")
    else:
        for rollout in [found] if name else found:
            _show(rollout, with_history=name is not None)


async def _get(address: Address, token: str | None, path: str) -> Any:
    async with AdminApi(address, token) as api:
        return await api.get(path, {})


async def _post(address: Address, token: str | None, path: str, document: Mapping[str, str]) -> Any:
    async with AdminApi(address, token) as api:
        return await api.post(path, document)


def _acting(action: str, what: str) -> click.Command:
    @command.command(name=action, help=what)
    @click.argument("name")
    @admin_options
    @click.option("--by", help="Who wants it.  [default: the login name]")
    @click.option("--reason", default="", help="Why; stands in the history, the log and the webhook.")
    @click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
    def act(
        name: str,
        url: str | None,
        path: Path | None,
        profile: str | None,
        token: str | None,
        by: str | None,
        reason: str,
        as_json: bool,
    ) -> None:
        address, token = admin_of(url, path, profile, token)
        said = {"by": by or _login(), "reason": reason}
        with plain_errors(address):
            found = uvloop.run(_post(address, token, f"{_PATH}/{quote(name, safe='')}/{action}", said))
        if as_json:
            click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        else:
            _show(found, with_history=False)

    assert isinstance(act, click.Command)
    return act


ACTIONS: Mapping[str, click.Command] = {action: _acting(action, what) for action, what in _ACTIONS.items()}


def _show(rollout: Mapping[str, Any], *, with_history: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for line in rollout_text.lines(rollout, with_history=with_history):
        console.print(line)


def _login() -> str:
    """Nobody has one in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "cli"
