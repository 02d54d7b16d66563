"""Variables in values."""

from collections.abc import Mapping

import pytest

from tracer_proxy.config.load import load_text
from tracer_proxy.config.schema import Config
from tracer_proxy.errors import ConfigError

BASE = """\
version: 1
routes: [{name: all, lanes: [{name: only, pool: p}]}]
"""
POOL = "pools: {p: {endpoints: [http://h]}}\n"


def loaded(text: str, environ: Mapping[str, str]) -> Config:
    return load_text(text, "f.yaml", environ)


def told(text: str, environ: Mapping[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(text, environ)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("written", "environ", "expected"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("a ${A} b ${B}", {"A": "x", "B": "y"}, "a x b y"),
        ("${A:-d}", {}, "d"),
        ("${A:-d}", {"A": ""}, "d"),
        ("${A:-d}", {"A": "x"}, "x"),
        ("${A:-}", {}, ""),
        ("${A}", {"A": ""}, ""),
        ("${A:-a:-b}", {}, "a:-b"),
        ("$${A}", {"A": "x"}, "${A}"),
        ("$A $ $$ {A}", {"A": "x"}, "$A $ $$ {A}"),
        ("${A}", {"A": "${B}", "B": "x"}, "${B}"),
    ],
)
def test_substitution(written: str, environ: dict[str, str], expected: str) -> None:
    """Names, defaults, escapes; what comes from a variable is not looked at again."""
    config = loaded(BASE + POOL + f"coloring: [{{color: c, when: {{agent: '{written}'}}}}]\n", environ)
    assert config.coloring[0].when.agent is not None
    assert config.coloring[0].when.agent.value == expected


def test_unset_variable() -> None:
    """Named, at its place, and without a second complaint about the value."""
    assert told(BASE + POOL + "proxy:\n  listen: ${HOST}:${PORT}\n", {}) == [
        "f.yaml:5:11: proxy.listen: the environment variable HOST is not set; set it, or give a default: ${HOST:-...}",
        "f.yaml:5:11: proxy.listen: the environment variable PORT is not set; set it, or give a default: ${PORT:-...}",
    ]


@pytest.mark.parametrize("written", ["${", "${A", "${}", "${1A}", "${A B}", "${A-b}", "${A:?x}", "${A:-${B}}"])
def test_malformed_reference(written: str) -> None:
    """Nothing that looks like a variable passes as text by accident."""
    (line,) = told(BASE + POOL + f"trust: ['{written}']\n", {"A": "x"})
    assert line.startswith("f.yaml:4:9: trust[0]: '${' starts a variable: write ${NAME} or ${NAME:-default}, or $${")


def test_unquoted_value_is_read_anew() -> None:
    """So a number from the environment is a number."""
    config = loaded(BASE + POOL + "tracing:\n  sample: ${S:-0.5}\nproxy:\n  drain: ${D}\n", {"D": "3"})
    assert (config.tracing.sample, config.proxy.drain) == (0.5, 3.0)


def test_quoted_value_stays_text_and_is_good_for_a_number() -> None:
    """Inside of braces YAML needs the quotes."""
    text = 'proxy: {limits: {headers: "${N}"}}\nmocks: {llm: {token_interval: "${T:-5}"}}\n'
    config = loaded(BASE + POOL + text, {"N": "7"})
    assert config.proxy.limits.headers == 7
    assert config.mocks.llm is not None
    assert config.mocks.llm.token_interval == 5.0


def test_unquoted_empty_value_is_no_value() -> None:
    """As an empty value in the file."""
    assert loaded(BASE + POOL + "tracing:\n  sample: ${S:-}\n", {}).tracing.sample == 1.0


def test_value_cannot_add_structure() -> None:
    """A variable fills one value; it cannot bring in keys."""
    (line,) = told(BASE + POOL + "proxy:\n  listen: ${L}\n", {"L": "h:80\nadmin: {}"})
    assert line.startswith("f.yaml:5:11: proxy.listen: found 'h:80\\nadmin: {}': expected an address")


def test_key_is_no_value() -> None:
    """Keys are as they are written."""
    assert "unknown key '${A}'" in told(BASE + POOL + "proxy: {'${A}': 1}\n", {"A": "listen"})[0]


def test_variable_that_is_not_utf_8() -> None:
    """As Python hands over bytes that are no text."""
    (line,) = told(BASE + POOL + "trust: ['${A}']\n", {"A": b"\xff".decode("utf-8", "surrogateescape")})
    assert "it holds bytes that are not UTF-8" in line


SECRET = "sk-very-secret"
SPOILED = SECRET + "\n"


@pytest.mark.parametrize(
    "text",
    [
        'pools: {p: {endpoints: [http://h], headers: {authorization: "Bearer ${KEY}"}}}',
        'pools: {p: {endpoints: [http://h], headers: {x: "${KEY}"}}}',
        'pools: {p: {endpoints: [http://h], headers: "${KEY}"}}',
        'pools: {p: {endpoints: [http://h], headers: ["${KEY}"]}}',
        'pools: {p: {endpoints: [http://h], header: {x: "${KEY}"}}}',
        'pools: {p: "${KEY}"}',
        'pools: {p: {endpoints: ["http://u:${KEY}@h"]}}',
        'pools: {p: {endpoints: ["ftp://${KEY}@h"]}}',
        'pools: {p: {endpoints: ["http://h/a?key=${KEY}"]}}',
        POOL + 'coloring: [{color: c, when: {header: {authorization: {regex: "${KEY}("}}}}]',
        POOL + 'coloring: [{color: c, when: {header: {x-api-key: {present: "${KEY}"}}}}]',
        POOL + 'coloring: [{color: c, when: {cookie: {sid: {present: "${KEY}"}}}}]',
        POOL + 'coloring: [{color: c, when: {query: {access_token: {present: "${KEY}"}}}}]',
    ],
)
def test_secrets_are_never_repeated(text: str) -> None:
    """Header values of pools, what stands under telling names, user and query of an endpoint."""
    lines = told(BASE + text + "\n", {"KEY": SPOILED})
    assert lines
    assert all(SECRET not in line for line in lines)


def test_secrets_are_not_in_the_config_as_text() -> None:
    """A config that ends up in a log by accident."""
    config = loaded(BASE + 'pools: {p: {endpoints: [http://h], headers: {a: "${KEY}"}}}\n', {"KEY": SECRET})
    assert config.pools["p"].headers == {"a": SECRET}
    assert SECRET not in repr(config)
    assert SECRET not in str(config)


def test_harmless_value_is_repeated() -> None:
    """A wrong word is easier to find when it is told."""
    text = BASE.replace("lanes:", "llm: {api: openai, mode: '${MODE}'}, lanes:") + POOL
    assert "found 'locl': expected local or remote; did you mean 'local'?" in told(text, {"MODE": "locl"})[0]
