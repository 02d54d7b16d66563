"""``tracer-proxy check``: what is wrong with a config file, all of it."""

import os
from datetime import UTC, datetime
from pathlib import Path

import click

from tracer_proxy.cli.config_file import profile_option
from tracer_proxy.config import certificates
from tracer_proxy.config.load import Loaded, read
from tracer_proxy.config.schema import Config
from tracer_proxy.errors import ConfigError


@click.command(name="check")
@click.argument("file", type=click.Path(path_type=Path))
@profile_option
def command(file: Path, profile: str | None) -> None:
    """Check FILE and show everything that is wrong with it, each with line and column.

    Exits with 0 when the file is good, else with 1. Variables are read from the environment, as they are by run.
    """
    try:
        loaded = read(file, os.environ, profile)
    except ConfigError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        click.echo(_count(len(error.problems), "problem"), err=True)
        raise SystemExit(1) from None
    for warning in certificates.warnings(loaded.config, datetime.now(UTC)):
        click.echo(f"warning: {loaded.document.problem(warning.location, warning.message)}", err=True)
    if loaded.config.tracing.protocol == "thrift":
        _warn_of_thrift(loaded)
    click.echo(f"{file}: ok: {_summary(loaded.config)}" + (f", profile {profile}" if profile else ""))


def _warn_of_thrift(loaded: Loaded) -> None:
    # Imported only here: nothing else that is checked needs the exporters, and they take their time.
    from tracer_proxy.control.export import complaint

    if missing := complaint(loaded.config.tracing):
        problem = loaded.document.problem(("tracing", "protocol"), missing.partition(": ")[2])
        click.echo(f"warning: {problem}", err=True)


def _summary(config: Config) -> str:
    lanes = sum(len(route.lanes) for route in config.routes)
    endpoints = sum(len(pool.endpoints) for pool in config.pools.values())
    counts = ((len(config.routes), "route"), (lanes, "lane"), (len(config.pools), "pool"), (endpoints, "endpoint"))
    return ", ".join(_count(number, noun) for number, noun in counts)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
