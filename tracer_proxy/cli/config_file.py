"""The config file of a command: loaded, or every problem told and exit 1."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tracer_proxy.errors import ConfigError

if TYPE_CHECKING:
    from tracer_proxy.config.schema import Config

profile_option: Callable[[Any], Any] = click.option(
    "--profile", envvar="TRACER_PROXY_PROFILE", help="Which of the file's profiles to lay over it."
)


def load_or_exit(path: Path, profile: str | None) -> "Config":
    # Imported here, for the supervisor has no use for what reads a config.
    from tracer_proxy.config.load import load

    try:
        return load(path, os.environ, profile)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        raise SystemExit(1) from None
