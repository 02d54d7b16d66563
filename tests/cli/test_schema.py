"""``tracer-proxy schema``."""

import json

from click.testing import CliRunner

from tracer_proxy.cli import main
from tracer_proxy.config.json_schema import json_schema


def test_prints_the_json_schema_and_nothing_else() -> None:
    """So that it can be piped into a file."""
    result = CliRunner().invoke(main, ["schema"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == json_schema()
