"""The examples of docs/tls.md are whole configs; the files they name are made for the test."""

import re
from pathlib import Path

import pytest
import trustme

from tracer_proxy.config.load import load_text

PAGE = (Path(__file__).parents[2] / "docs" / "tls.md").read_text("utf-8")
EXAMPLES = re.findall(r"^```yaml fragment\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_load(text: str, tmp_path: Path) -> None:
    ca = trustme.CA()
    issued = ca.issue_cert("proxy.test")
    ca.cert_pem.write_to_path(str(tmp_path / "agents-ca.pem"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "proxy.pem"))
    issued.private_key_pem.write_to_path(str(tmp_path / "proxy.key"))
    config = load_text(text.replace("/etc/tracer-proxy", str(tmp_path)), "tls.md", {})
    assert config.proxy.tls or config.pools["planner"].tls


def test_there_are_examples_for_both_sides() -> None:
    assert len(EXAMPLES) == 2
