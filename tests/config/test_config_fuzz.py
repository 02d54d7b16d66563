"""Whatever stands in a file: a ``Config`` or a ``ConfigError`` with readable problems, and nothing else."""

from typing import Any

import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tracer_proxy.config.conditions import TimeWindow, When
from tracer_proxy.config.load import load_text
from tracer_proxy.config.part import keys_of
from tracer_proxy.config.pools import Ejection, Pool, PoolHealth
from tracer_proxy.config.rollouts import Judge, MaxQuantile, MaxRate, MinConfidence, Notify, Rollout, State
from tracer_proxy.config.routes import ColorRule, Lane, Match, Route
from tracer_proxy.config.schema import Admin, Config, Mocks, Proxy
from tracer_proxy.config.tracing import Always, Log, RouteTracing, Rpc, Tracing
from tracer_proxy.errors import ConfigError, Problem

SECTIONS = (
    Config,
    Proxy,
    Admin,
    Tracing,
    Mocks,
    ColorRule,
    When,
    TimeWindow,
    Route,
    Match,
    Lane,
    Pool,
    PoolHealth,
    Ejection,
    Always,
    Log,
    RouteTracing,
    Rpc,
    State,
    Rollout,
    Judge,
    MaxRate,
    MaxQuantile,
    MinConfidence,
    Notify,
)
VALID = """\
version: 1
proxy: &p {listen: [127.0.0.1:80, "unix:/a"], drain: 5s}
coloring: [{color: c, when: {header: {x: {regex: "a+"}}, percent: 5}}]
routes:
  - name: r
    match: {path: /a, method: [GET]}
    sticky: [header:x, trace]
    rewrite: {prefix: /}
    llm: {api: openai, mode: "${M:-local}"}
    lanes:
      - {name: a, pool: p, weight: 9, baseline: true}
      - {name: b, pool: q, colors: [c]}
pools:
  p: {endpoints: [http://h]}
  q: {endpoints: ["https://h:1"], headers: {a: b}}
rollouts:
  c:
    {route: r, lane: b, steps: [5, 100], hold: 5m, on_failure: {switch_to: a}, start: manual,
     judge: {max_latency: {absolute: 2s}, min_confidence: {mean: 0.5, for: 5m, header: x-c}}, notify: {webhook: "http://h"}}
state: {folder: /s}
mocks: {llm: {}}
profiles: {x: {proxy: {<<: *p}}}
"""
KEYS = sorted({key for section in SECTIONS for key in keys_of(section)} | {"<<", "x", "exact", "present", ""})
WORDS = ["http://h", "h:1", "/a", "c", "p", "trace", "header:x", "GET", "local", "5s", "1MiB", "${A}", "${A:-1}", "$${"]

scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.sampled_from(WORDS), st.text(max_size=8))
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def problems(text: str, profile: str | None) -> list[Problem]:
    try:
        config = load_text(text, "f.yaml", {"A": "x"}, profile)
    except ConfigError as error:
        return error.problems or [Problem("", "an error without a problem")]
    assert isinstance(config, Config)
    return []


def load_or_be_told(text: str, profile: str | None = None) -> None:
    for problem in problems(text, profile):
        assert problem.line >= 1
        assert problem.column >= 1
        assert str(problem).isprintable(), str(problem)
        assert "stand-in" not in str(problem)


@settings(deadline=None)
@given(st.text())
@example("\\ud800")
@example('"\\ud800"')
@example("? [a]\n: b")
@example("a: !!python/name:os.system x")
@example("%YAML 3.0\n---\na: b")
@example("<<: {a: b}")
def test_any_text(text: str) -> None:
    """Text that is hardly ever YAML."""
    load_or_be_told(text)


@settings(deadline=None)
@given(st.text(alphabet="[]{}:,-?&*!|>'\"%#@` \n\tab1<~$\\", max_size=40))
def test_any_text_of_yaml_signs(text: str) -> None:
    """Text that often nearly is."""
    load_or_be_told(text)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(list(Config.model_fields)), trees, max_size=6), st.none() | st.just("x"))
def test_any_tree_under_known_keys(tree: dict[str, object], profile: str | None) -> None:
    """Well-formed YAML of the wrong shape, everywhere in the schema."""
    load_or_be_told(yaml.safe_dump(tree), profile)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_valid_file_with_one_value_replaced(data: st.DataObject) -> None:
    """A good file in which any one thing is something else."""
    tree = yaml.safe_load(VALID)
    holder, key = data.draw(st.sampled_from(list(_slots(tree))))
    holder[key] = data.draw(trees)
    load_or_be_told(yaml.safe_dump(tree), data.draw(st.none() | st.just("x")))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(VALID)), st.integers(0, 6), st.text(alphabet="[]{}:,-&*'\"# \nab1$<", max_size=4))
def test_valid_file_with_a_typo(at: int, dropped: int, inserted: str) -> None:
    """A good file with some characters lost and some put in."""
    load_or_be_told(VALID[:at] + inserted + VALID[at + dropped :])


def _slots(tree: object) -> list[tuple[Any, int | str]]:
    found: list[tuple[Any, int | str]] = []
    if isinstance(tree, dict | list):
        for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
            found += [(tree, key), *_slots(value)]
    return found
