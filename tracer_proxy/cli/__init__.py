"""The ``tracer-proxy`` command, one module a subcommand."""

import importlib

import click

from tracer_proxy import __version__
from tracer_proxy.config.choices import hint

_COMMANDS = {
    "run": "Run the proxy, and the mocks if the config has some.",
    "check": "Check a config file and show everything that is wrong with it.",
    "explain": "Say where one request would go, and why.",
    "diff": "Say which sessions another config would send elsewhere.",
    "tail": "Show exchanges as they happen, or one trace as a tree.",
    "rollout": "Show how rollouts go, and pause, resume, promote, abort or start one.",
    "demo": "Show the whole loop offline: two agents, a canary, a mock LLM.",
    "mock": "Run a stand-in on its own.",
    "schema": "Print the JSON Schema of the config file, for editors.",
}
"""Said here as well as in the modules, so that help comes without importing them."""


class _Commands(click.Group):
    """Imports the module of a subcommand when that one is called, and no other: ``check`` needs no event loop."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
        if cmd_name not in _COMMANDS:
            ctx.fail(f"There is no command {cmd_name!r}{hint(cmd_name, _COMMANDS, 'commands')}")
        command = importlib.import_module(f"tracer_proxy.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="%(prog)s %(version)s")
def main() -> None:
    """A trace-colouring reverse proxy for LLM agents: one trace a turn, canaries that keep sessions whole."""
