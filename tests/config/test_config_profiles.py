"""Profiles laid over the file."""

import pytest

from tracer_proxy.config.load import load_text
from tracer_proxy.config.schema import Config
from tracer_proxy.errors import ConfigError

TEXT = """\
version: 1
admin: {listen: 127.0.0.1:81}
trust: [loopback, private]
routes: [{name: all, lanes: [{name: only, pool: p}]}]
pools:
  p: {endpoints: [http://a], idle: 1s, headers: {authorization: "${KEY}", x: y}}
profiles:
  eu:
    admin:
    trust: [all]
    pools:
      p: {idle: 2s, headers: {authorization: plain}}
      q: {endpoints: [http://b]}
  us: {pools: {p: {idle: "${UNSET}"}}}
  bad: {pools: {p: {idle: long, endpoints: [http://c]}}}
  typo: {prxy: {}}
"""


def loaded(profile: str | None, text: str = TEXT, key: str = "k") -> Config:
    return load_text(text, "f.yaml", {"KEY": key}, profile)


def told(profile: str | None, text: str = TEXT) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(profile, text)
    return [str(problem) for problem in caught.value.problems]


def test_without_a_profile_the_file_stands_as_it_is() -> None:
    """Nothing of the profiles is looked at, unset variables included."""
    config = loaded(None)
    assert config.pools["p"].idle == 1.0
    assert list(config.pools) == ["p"]
    assert config.profiles == {}


def test_mappings_merge_lists_replace_nothing_removes() -> None:
    """The three rules of an overlay."""
    config = loaded("eu")
    assert config.pools["p"].idle == 2.0
    assert config.pools["p"].headers == {"authorization": "plain", "x": "y"}
    assert [str(endpoint) for endpoint in config.pools["p"].endpoints] == ["http://a"]
    assert list(config.pools) == ["p", "q"]
    assert config.trust == ("all",)
    assert config.admin is None


def test_variable_of_a_replaced_value_need_not_be_set() -> None:
    """What the profile replaces is not read."""
    assert load_text(TEXT, "f.yaml", {}, "eu").pools["p"].headers["authorization"] == "plain"


def test_problems_of_a_profile_are_at_their_lines() -> None:
    """The path is the one in the merged file, the line is the profile's."""
    assert told("us")[0].startswith("f.yaml:14:26: pools.p.idle: the environment variable UNSET is not set")
    assert told("bad")[0].startswith("f.yaml:15:27: pools.p.idle: found 'long'")
    assert told("typo") == ["f.yaml:16:10: prxy: unknown key 'prxy'; did you mean 'proxy'?"]


def test_profile_that_is_not_there() -> None:
    """With the nearest one, or all there are."""
    assert told("uss")[0].startswith("f.yaml:8:3: the profile 'uss' was asked for and is not here; did you mean 'us'?")
    assert told("zzzz")[0].endswith("is not here; profiles: eu, us, bad, typo")
    assert told("eu", TEXT.partition("profiles:")[0])[0].endswith("is not here; profiles: none")


@pytest.mark.parametrize(
    ("profiles", "expected"),
    [
        ("profiles: 5", "f.yaml:7:11: profiles: expected a mapping of profile names to parts of this file"),
        ("profiles: {eu: [1]}", "f.yaml:7:16: profiles.eu: expected a mapping with parts of this file"),
        ("profiles: {eu: {profiles: {}}}", "f.yaml:7:17: profiles.eu.profiles: a profile cannot hold profiles"),
    ],
)
@pytest.mark.parametrize("profile", [None, "eu"])
def test_shape_of_profiles(profiles: str, expected: str, profile: str | None) -> None:
    """Checked whether one is chosen or not."""
    assert expected in told(profile, TEXT.partition("profiles:")[0] + profiles + "\n")


def test_empty_profiles() -> None:
    """As good as none."""
    assert loaded(None, TEXT.partition("profiles:")[0] + "profiles:\n").trust == ("loopback", "private")
