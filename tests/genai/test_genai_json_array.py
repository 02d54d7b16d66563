"""Elements of a JSON array are handed out one by one, wherever the bytes are cut."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy import limits
from tracer_proxy.genai.json_array import ArraySplitter


def split(*pieces: bytes) -> list[bytes | None]:
    splitter = ArraySplitter()
    return [element for piece in pieces for element in splitter.feed(piece)]


def values() -> st.SearchStrategy[Any]:
    texts = st.text(alphabet='[]{}",:\\a🌍', max_size=6)
    leaves = st.none() | st.integers() | texts
    return st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3), max_leaves=8
    )


@given(st.lists(st.dictionaries(st.text(max_size=3), values(), max_size=3), max_size=4), st.sampled_from([None, 1]), st.data())
def test_every_object_of_an_array(objects: list[dict[str, Any]], indent: int | None, data: st.DataObject) -> None:
    text = json.dumps(objects, indent=indent, ensure_ascii=False).encode()
    cut = data.draw(st.integers(0, len(text)))
    assert [json.loads(element or b"") for element in split(text[:cut], text[cut:])] == objects
    assert [json.loads(element or b"") for element in split(*(bytes([byte]) for byte in text))] == objects


@given(st.binary(max_size=50) | st.text(alphabet='[]{}",\\a', max_size=50).map(str.encode))
def test_anything_else_raises_nothing(text: bytes) -> None:
    whole = split(text)
    assert split(*(bytes([byte]) for byte in text)) == whole


def test_an_element_that_is_too_large_is_passed_over() -> None:
    large = b'{"a":"' + b"x" * limits.ANSWER_EVENT_BYTES_MAX + b'"}'
    text = b'[{"b":1},' + large + b',{"c":2}]'
    wanted = [b'{"b":1}', None, b'{"c":2}']
    assert split(text) == wanted
    assert split(*(text[place : place + 65536] for place in range(0, len(text), 65536))) == wanted
