"""What the README shows is true: its config loads, its commands run, its files exist, its figures of speech match the code."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tracer_proxy.config.load import load_text
from tracer_proxy.errors import VERDICTS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
PAGES = {path.name: path.read_text() for path in sorted((ROOT / "docs").glob("*.md"))} | {"README.md": README}


def blocks(language: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(
    ("page", "text"),
    [(name, text) for name, page in PAGES.items() for text in blocks("yaml", page)],
    ids=lambda value: value[:20],
)
def test_config_examples_load(page: str, text: str) -> None:
    assert load_text(text, page, {}).routes


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    folder = ROOT if page == "README.md" else ROOT / "docs"
    linked = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGES[page])
    assert [link for link in linked if not (folder / link).exists()] == []


@pytest.mark.parametrize("block", blocks("console"))
def test_console_examples_print_what_they_show(block: str) -> None:
    command, *shown = block.splitlines()
    words = shlex.split(command.removeprefix("$ "))
    assert words[0] == "tracer-proxy"
    ran = subprocess.run(
        [sys.executable, "-m", "tracer_proxy", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=True
    )
    printed = [line.rstrip() for line in ran.stdout.splitlines()]
    missing = [line for line in shown if line.rstrip() not in printed]
    assert not missing, ran.stdout


@pytest.mark.parametrize("target", blocks("sh")[0].split("\n")[:-1])
def test_make_targets_exist(target: str) -> None:
    name = target.removeprefix("make ")
    assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_linked_and_named_files_exist() -> None:
    linked = re.findall(r"\]\(([^)#:]+)\)", README)
    in_tables = re.findall(r"`((?:dataplane|wire|context|routing|config)/\w+\.(?:py|yaml))`", README)
    missing = [name for name in linked if not (ROOT / name).exists()]
    missing += [name for name in in_tables if not (ROOT / "tracer_proxy" / name).exists() and not (ROOT / name).exists()]
    assert not missing


def test_every_error_kind_is_in_the_table() -> None:
    untold = {"client_gone", "internal"}
    assert [kind for kind in VERDICTS if f"`{kind}`" not in README and kind not in untold] == []
