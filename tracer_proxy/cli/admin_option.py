"""Options of commands that ask a running proxy: which one, and with which token."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from tracer_proxy.cli.admin_api import DEFAULT, Address, NoAnswer, Refused, read_address
from tracer_proxy.cli.config_file import load_or_exit, profile_option

_OPTIONS: tuple[Callable[[Any], Any], ...] = (
    click.option("--admin", "url", metavar="URL", help=f"The admin port, also host:port or unix:/path.  [default: {DEFAULT}]"),
    click.option("--config", "path", type=click.Path(path_type=Path), help="Take the admin port and its token from this file."),
    profile_option,
    click.option("--token", envvar="TRACER_PROXY_ADMIN_TOKEN", help="Of the admin port; better in TRACER_PROXY_ADMIN_TOKEN."),
)


def admin_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Gives the command ``url``, ``path``, ``profile`` and ``token``, for ``admin_of``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def admin_of(url: str | None, path: Path | None, profile: str | None, token: str | None) -> tuple[Address, str | None]:
    if path is None:
        return _address(url or DEFAULT, "--admin"), token
    if url is not None:
        raise click.UsageError("Give --admin or --config, not both.")
    admin = load_or_exit(path, profile).admin
    if admin is None:
        raise click.ClickException(f"{path} has no admin port; add admin: {{listen: 127.0.0.1:8081}}.")
    if admin.listen.endswith(":0"):
        raise click.ClickException(f"The admin port of {path} is any free one; give --admin with the one it got.")
    return _address(admin.listen, "--config"), token or admin.token


@contextmanager
def plain_errors(address: Address) -> Iterator[None]:
    """What goes wrong is told in a sentence, and the command ends with 1."""
    try:
        yield
    except Refused as error:
        raise click.ClickException(str(error)) from None
    except NoAnswer as error:
        raise click.ClickException(
            f"No answer from {address}: {error}. Start the proxy, or name its admin port with --admin or --config."
        ) from None


def _address(text: str, option: str) -> Address:
    try:
        return read_address(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint=option) from None
