"""``tracer-proxy schema``: the config file's shape, for editors."""

import json

import click

from tracer_proxy.config.json_schema import json_schema


@click.command(name="schema")
def command() -> None:
    """Print the JSON Schema (draft 2020-12) of the config file.

    An editor with a YAML language server checks and completes a config with it: save it as schema.json, and put
    "# yaml-language-server: $schema=schema.json" into the first line of the config.
    """
    click.echo(json.dumps(json_schema(), indent=2, ensure_ascii=False))
