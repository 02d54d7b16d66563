"""``tracer-proxy run``: everything the config asks for, until SIGTERM or Ctrl-C."""

import sys
from pathlib import Path

import click

from tracer_proxy.cli.config_file import profile_option
from tracer_proxy.control import supervisor


@click.command(name="run")
@click.option(
    "--config", "path", type=click.Path(path_type=Path), required=True, help="The YAML file; see docs/configuration.md."
)
@profile_option
def command(path: Path, profile: str | None) -> None:
    """Run the proxy, and the mocks if the config has some.

    Logs one JSON line per event on stderr; the line with "event": "ready" says where it listens. SIGTERM or Ctrl-C drains,
    a second one hurries; SIGHUP reads the file again, which a change of the file does too.
    """
    sys.exit(supervisor.run(path, profile))
