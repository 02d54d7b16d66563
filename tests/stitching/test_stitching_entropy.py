"""Which ids are unique by themselves."""

import random
import string
import uuid
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy.stitching.entropy import is_unique

BASE62 = string.ascii_letters + string.digits
BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
Make = Callable[[random.Random], str]


def drawn(alphabet: str, chars: int) -> Make:
    return lambda dice: "".join(dice.choices(alphabet, k=chars))


def after(prefix: str, make: Make, suffix: str = "") -> Make:
    return lambda dice: prefix + make(dice) + suffix


hexes = drawn("0123456789abcdef", 32)
uuids: Make = lambda dice: str(uuid.UUID(int=dice.getrandbits(128), version=4))  # noqa: E731

RANDOM = {
    "OpenAI": after("call_", drawn(BASE62, 24)),
    "Responses item": after("fc_", drawn("0123456789abcdef", 50)),
    "Responses": after("resp_", drawn("0123456789abcdef", 48)),
    "Anthropic": after("toolu_01", drawn(BASE58, 22)),
    "Bedrock": after("tooluse_", drawn(BASE62 + "-_", 22)),
    "Anthropic on Vertex": after("toolu_vrtx_01", drawn(BASE58, 22)),
    "vLLM": after("chatcmpl-tool-", hexes),
    "uuid": uuids,
    "uuid with a prefix": after("call_", uuids),
    "DeepSeek": after("call_0_", uuids),
    "upper-case uuid": lambda dice: uuids(dice).upper(),
    "hex": after("call_", hexes),
    "from a Gemini response id": after("", drawn(BASE62 + "-_", 22), "-tool-0"),
    "named": after("functions.search_web:", drawn(BASE62, 24)),
}

COUNTED = [
    "",
    "0",
    "call_0",
    "call_12",
    "functions.search:1",
    "search:0",
    "x:0",
    "search",
    "search_the_whole_web_for_documents_0",
    "getWeatherForParisInFrance",
    "getWeatherForParisInFrance2",
    "GetTheDocOfTheDayForMe1",
    "GET_WEATHER_FOR_PARIS_IN_FRANCE",
    "call_abc123",
    "call_abcdefghijklmnopqrstuvwx",
    "call_0123456789abcdef01234567",
    "toolu_01ABCDEFGHIJKLMNOPQRSTUV",
    "call_1a2b3c4d5e6f7g8h9i0j1k2l",
    "call_aaaaaaaaaaaaaaaaaaaaaaaa",
    "call_abababab12121212abababab",
    "call_00000000000000000000000001",
    "00000000-0000-0000-0000-000000000001",
    "11111111-1111-1111-1111-111111111111",
    "1700000000000",
    "call_17000000000001234567890123",
    "call_20261125T101500",
    "D681PevKs",
    "call_d5wg",
    "chatcmpl-tool-0",
    "models/gemini-2.5-pro:v1beta1:http2:0",
    "resp-1-tool-0",
    "tool_call_id",
    "é" * 40,
    "\ud800" * 40,
]


@pytest.mark.parametrize("make", RANDOM.values(), ids=RANDOM)
def test_random_ids_of_every_provider_are_unique(make: Make) -> None:
    dice = random.Random(5)
    share = sum(is_unique(make(dice), "search_web") for _ in range(2000)) / 2000
    # Of the rest, chance made something that looks ordered; they are known by their anchors.
    assert share > 0.9


@pytest.mark.parametrize("make", [RANDOM["Responses"], RANDOM["uuid"], RANDOM["hex"]])
def test_hardly_an_id_of_a_response_is_missed(make: Make) -> None:
    """One that is missed is a session that may change its lane: nothing else is known of it."""
    dice = random.Random(7)
    assert sum(not is_unique(make(dice)) for _ in range(20_000)) <= 5


@pytest.mark.parametrize("call_id", COUNTED)
def test_counts_words_and_patterns_are_not(call_id: str) -> None:
    assert not is_unique(call_id, "")
    assert not is_unique(call_id, "search")


def test_a_tools_name_is_no_evidence_however_it_looks() -> None:
    tool = "mcp__Xk3pQ9vLw2RtYb7NcJm4DzHs__run"
    assert is_unique(tool)
    assert not is_unique(tool, tool)
    assert not is_unique(f"functions.{tool}:0", tool)


@pytest.mark.parametrize("tool", ["f", "Xk3", "7", "YbH"])
def test_a_short_name_that_stands_in_a_random_id_changes_nothing(tool: str) -> None:
    assert is_unique("call_fXk3pQ9vLw2RtYbH7cJm4DzH", tool)


def test_a_long_id_is_not_looked_at() -> None:
    assert not is_unique("Xk3pQ9vLw2RtYb7NcJm4DzHs" * 100)


@given(st.text(max_size=80), st.text(max_size=20))
def test_any_text_is_judged(call_id: str, tool: str) -> None:
    if is_unique(call_id, tool):
        assert len(call_id) >= 8
        assert not call_id.isdecimal()


@given(st.text(string.ascii_lowercase + "_:.-", max_size=40), st.integers(0, 10**6))
def test_a_name_with_a_number_is_not_unique(name: str, number: int) -> None:
    assert not is_unique(f"{name}{number}")


@given(st.sampled_from(["call_", "functions.search:", "tool-", ""]), st.integers(0, 10**30))
def test_a_number_is_not_unique(prefix: str, number: int) -> None:
    assert not is_unique(f"{prefix}{number}")
