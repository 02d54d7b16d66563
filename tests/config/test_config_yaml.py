"""YAML as a config file needs it: places, no duplicate keys, anchors, bounds, and the scalars of YAML 1.2."""

import pytest

from tracer_proxy.config.load import load_text
from tracer_proxy.config.schema import Config
from tracer_proxy.errors import ConfigError
from tracer_proxy.limits import CONFIG_DEPTH_MAX, CONFIG_NODES_MAX

BASE = """\
version: 1
routes: [{name: all, lanes: [{name: only, pool: p}]}]
"""
POOL = "pools: {p: {endpoints: [http://h]}}\n"


def told(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_text(text, "f.yaml", {})
    return [str(problem) for problem in caught.value.problems]


def loaded(text: str) -> Config:
    return load_text(text, "f.yaml", {})


def test_duplicate_key() -> None:
    """At the second one, with the line of the first; the rest of the file is checked as well."""
    assert told(BASE + POOL + "trust: [loopback]\ntrust: [all]\nprxy: {}\n") == [
        "f.yaml:5:1: trust: the key stands here twice; the first is in line 4",
        "f.yaml:6:1: prxy: unknown key 'prxy'; did you mean 'proxy'?",
    ]


def test_alias_and_merge_key() -> None:
    """An alias stands for its anchor; keys written out win over merged ones, and the first merged mapping over the next."""
    config = loaded(
        BASE
        + """\
pools:
  p: &base {endpoints: &ends [http://a], idle: 1s, balance: random}
  q: {<<: *base, idle: 2s}
  r: {<<: [{balance: round_robin}, *base], idle: 3s}
  s: {endpoints: *ends}
"""
    )
    assert [(pool.balance, pool.idle) for pool in config.pools.values()] == [
        ("random", 1.0),
        ("random", 2.0),
        ("round_robin", 3.0),
        ("least_pending", 4.0),
    ]
    assert config.pools["s"].endpoints == config.pools["p"].endpoints


def test_mistake_behind_an_alias_is_told_once_where_it_stands() -> None:
    """Three pools share one mistake; it is mended in one place."""
    text = "pools:\n  p: &base {endpoints: [http://h], idle: long}\n  q: *base\n  r: {<<: *base}\n"
    assert [line.partition(": found")[0] for line in told(BASE + text)] == ["f.yaml:4:42: pools.p.idle"]


def test_merge_of_something_else() -> None:
    """A merge key takes mappings."""
    assert told(BASE + "pools: {p: {<<: 5, endpoints: [http://h]}}\n") == [
        "f.yaml:3:17: pools.p: a merge key '<<' takes a mapping or a list of mappings"
    ]


def test_quoted_merge_key_is_a_key() -> None:
    """Only the bare sign merges."""
    assert "unknown key '<<'" in told(BASE + POOL + "proxy: {'<<': {}}\n")[0]


def test_key_that_is_no_scalar() -> None:
    """YAML allows a list as a key; a config has no use for it."""
    assert told(BASE + POOL + "? [a, b]\n: 1\n") == ["f.yaml:4:3: a key must be a single word, not a list or a mapping"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: [1, 2\n", "f.yaml:2:1: YAML syntax: "),
        ("a: 1\n  b: 2\n", "f.yaml:2:4: YAML syntax: mapping values are not allowed here"),
        ("a:\n\t- 1\n", "f.yaml:2:1: YAML syntax: found character '\\t' that cannot start any token"),
        ("a: *nowhere\n", "f.yaml:1:4: YAML syntax: found undefined alias 'nowhere'"),
        ("a: 1\n---\nb: 2\n", "f.yaml:2:1: YAML syntax: but found another document"),
        ("a: \x07\n", "f.yaml:1:4: YAML syntax: the character '\\x07' may not stand in a YAML file"),
        ('a: "\\UFFFFFFFF"\n', "f.yaml:1:1: YAML syntax: "),
        ("a: {mode: ${MODE:-x}}\n", 'inside of {} and [] put "${...}" in quotes'),
    ],
)
def test_broken_syntax(text: str, expected: str) -> None:
    """One problem with a line, since nothing after it can be trusted."""
    (line,) = told(text)
    assert expected in line


@pytest.mark.parametrize("text", ["just text\n", "- a\n- b\n", "5\n"])
def test_top_that_is_no_mapping(text: str) -> None:
    """A sentence about the whole file."""
    assert told(text) == ["f.yaml:1:1: expected a mapping at the top, starting with 'version: 1'"]


@pytest.mark.parametrize("tag", ["!!python/object:os.system", "!mine", "!!binary", "!!int"])
def test_tags_mean_nothing(tag: str) -> None:
    """No tag makes an object, and none changes a value."""
    assert any("has no meaning here; remove it" in line for line in told(BASE + POOL + f"trust: [{tag} loopback]\n"))


def test_billion_laughs_are_stopped() -> None:
    """Ten aliases of ten aliases and so on: bounded before they are unfolded."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (line,) = told("\n".join(lines))
    assert f"more than {CONFIG_NODES_MAX} values" in line


def test_too_many_values() -> None:
    """Without any alias."""
    (line,) = told("a: [" + "x," * CONFIG_NODES_MAX + "x]")
    assert f"more than {CONFIG_NODES_MAX} values" in line


@pytest.mark.parametrize("text", ["a: " + "[" * 5000, "a: &a [*a]\n", "a: &a {b: *a}\n", "a: &a {<<: *a}\n"])
def test_too_deep(text: str) -> None:
    """Nesting without end, written out or by an alias that contains itself."""
    (line,) = told(text)
    assert f"nested deeper than {CONFIG_DEPTH_MAX} levels" in line


def test_words_of_yaml_1_1_are_words() -> None:
    """``no``, ``on`` and a time of day stay text, so nobody needs to know the old rules."""
    config = loaded(
        BASE
        + POOL
        + """\
coloring:
  - {color: no, when: {header: {a: on, b: 1:30, c: 2020-01-01, d: 0x1f, e: 1_000, f: .nan}}}
"""
    )
    values = [matcher.value for matcher in config.coloring[0].when.header.values()]
    assert config.coloring[0].color == "no"
    assert values == ["on", "1:30", "2020-01-01", "0x1f", "1_000", ".nan"]


def test_block_texts() -> None:
    """Texts in block style are text, whatever they look like."""
    config = loaded(BASE + POOL + "coloring:\n  - color: c\n    when:\n      header:\n        a: |-\n          17\n")
    assert config.coloring[0].when.header["a"].value == "17"


def test_key_is_taken_as_written() -> None:
    """A pool called 1 is named by the text 1."""
    config = loaded(BASE.replace("pool: p", "pool: '1'") + "pools: {1: {endpoints: [http://h]}}\n")
    assert list(config.pools) == ["1"]


def test_half_a_surrogate_pair_is_no_text() -> None:
    """YAML can spell it; nothing can send it."""
    assert any("half of a surrogate pair" in line for line in told(BASE + POOL + 'trust: ["\\uD800"]\n'))
    assert any("the key holds half" in line for line in told(BASE + POOL + '"\\uD800": 1\n'))
