"""``tracer-proxy run``: everything the config asks for, until SIGTERM or Ctrl-C."""

import sys
from pathlib import Path

import click
import uvloop

from tracer_proxy.cli.config_file import load_or_exit, profile_option
from tracer_proxy.control.events import Events
from tracer_proxy.control.run import CannotListen, run


@click.command(name="run")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), required=True, help="The YAML file; see docs/configuration.md."
)
@profile_option
def command(path: Path, profile: str | None) -> None:
    """Run the proxy, and the mocks if the config has some.

    Logs one JSON line per event on stderr; the line with "event": "ready" says where it listens. SIGTERM or Ctrl-C drains.
    """
    config = load_or_exit(path, profile)
    events = Events()
    try:
        uvloop.run(run(config, events))
    except CannotListen as error:
        events.write("failed", "error", f"Cannot listen on {error}. Change the address or stop what uses it.")
        sys.exit(1)
