"""A few places of a JSON body, by pointer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy.genai.json_body import JsonBody
from tracer_proxy.genai.json_pointer import parse_pointer
from tracer_proxy.limits import SESSION_KEY_BYTES_MAX

NAMES = st.text(max_size=4)
SCALARS = st.text(max_size=20) | st.integers(-(10**9), 10**9) | st.booleans()
TREES = st.dictionaries(
    NAMES,
    st.recursive(SCALARS | st.none(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3)),
    max_size=4,
)


def places(value: object, way: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], object]]:
    """Every place of a document, and what is there."""
    here = [(way, value)] if way else []
    if isinstance(value, dict):
        return here + [found for name, inner in value.items() for found in places(inner, (*way, name))]
    if isinstance(value, list):
        return here + [found for index, inner in enumerate(value) for found in places(inner, (*way, str(index)))]
    return here


def as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, bool | int) else ""


@given(TREES, st.booleans())
def test_each_place_has_what_json_says(tree: dict[str, object], ascii_only: bool) -> None:
    body = JsonBody(json.dumps(tree, ensure_ascii=ascii_only).encode())
    for way, value in places(tree):
        assert body.at(way) == as_text(value)


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_a_pointer_reads_back_as_it_is_written(names: list[str]) -> None:
    written = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)
    assert list(parse_pointer(written)) == names


@pytest.mark.parametrize("wrong", ["", "a", "a/b", "/~", "/a~2", "/~01~"])
def test_what_is_no_pointer(wrong: str) -> None:
    with pytest.raises(ValueError, match="JSON pointer"):
        parse_pointer(wrong)


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b'"a"', b"{", b'{"a": ', b"\xff", b'{"a": "\xff"}', b"[" * 100_000])
def test_what_cannot_be_read_has_nothing(raw: bytes) -> None:
    assert JsonBody(raw).at(("a",)) == ""


def test_what_is_too_long_for_a_session_is_none() -> None:
    longest = "x" * SESSION_KEY_BYTES_MAX
    body = JsonBody(json.dumps({"fits": longest, "long": longest + "x", "number": int("1" * 600)}).encode())
    assert (body.at(("fits",)), body.at(("long",)), body.at(("number",))) == (longest, "", "")
