"""The docs say what the schema says, and their examples work."""

import re
from pathlib import Path

import pytest

from tracer_proxy.config.load import load, load_text
from tracer_proxy.config.reference import render

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"
EXAMPLES = sorted((ROOT / "config").glob("*.yaml"))


def example() -> str:
    found = re.search(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert found
    return found[1]


def test_page_is_up_to_date() -> None:
    """The page is made from the schema, and kept in the repository for those who read it there."""
    assert PAGE.read_text("utf-8") == render(), (
        "docs/configuration.md is not what the schema says; make it anew with:\n"
        "  python -m tracer_proxy.config.reference > docs/configuration.md"
    )


def test_links_lead_somewhere() -> None:
    """Every link within the page has a heading."""
    page = render()
    anchors = {
        re.sub(r"[^a-z0-9 _-]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^##? (.*)$", page, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]*)\)", page)) <= anchors


def test_example_of_the_page_loads() -> None:
    """With every variable unset, as it stands and with its profile."""
    assert [route.name for route in load_text(example(), "configuration.md", {}).routes] == ["planner", "openai"]


def test_profile_of_the_page() -> None:
    """The profile of the example takes the mock away and names every route it keeps."""
    config = load_text(example(), "configuration.md", {}, "production")
    assert config.mocks.llm is None
    assert [route.name for route in config.routes] == ["planner"]
    assert config.tracing.sample == 0.01
    assert config.tracing.inject == ("tracecontext", "baggage", "b3")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_example_files_load(path: Path) -> None:
    """Every file in config/, without any variable set."""
    assert load(path, {}).routes


def test_examples_are_there() -> None:
    """The three that the docs speak of."""
    assert {"minimal.yaml", "canary.yaml", "llm-remote.yaml"} <= {path.name for path in EXAMPLES}


def test_remote_example_follows_its_variables() -> None:
    """One switch between the mock and the provider."""
    path = ROOT / "config" / "llm-remote.yaml"
    remote = load(path, {"LLM_MODE": "remote", "OPENAI_API_KEY": "sk-x"})
    assert remote.routes[0].llm is not None
    assert remote.routes[0].llm.mode == "remote"
    assert remote.pools["openai"].headers == {"authorization": "Bearer sk-x"}
    local = load(path, {}, "gateway")
    assert local.routes[0].llm is not None
    assert local.routes[0].llm.mode == "local"
    assert local.pools["openai"].headers == {"authorization": "Bearer not-set", "x-team": "agents"}
