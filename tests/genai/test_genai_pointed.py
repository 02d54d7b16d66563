"""A number at a JSON pointer, whatever an answer is and however it is cut."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy.genai.json_pointer import parse_pointer
from tracer_proxy.genai.pointed import PointedReader, number_at
from tracer_proxy.limits import CONFIDENCE_BODY_BYTES_MAX

# RFC 6901, 5, with numbers in all places.
DOCUMENT = {"foo": [7, 8], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5, 'k"l': 6, " ": 7, "m~n": 8, "0": {"1": 9}}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/foo/0", 7), ("/foo/1", 8), ("/", 0), ("/a~1b", 1), ("/c%d", 2), ("/e^f", 3), ("/g|h", 4), ("/i\\j", 5), ('/k"l', 6),
        ("/ ", 7), ("/m~0n", 8), ("/0/1", 9), ("/foo", None), ("/foo/2", None), ("/foo/-", None), ("/foo/01", None),
        ("/foo/٠", None), ("/foo/0/0", None), ("/none", None), ("/none/0", None), ("/foo/99999999999999999999", None),
    ],
)  # fmt: skip
def test_pointers_of_the_rfc(pointer: str, value: float | None) -> None:
    assert number_at(parse_pointer(pointer), json.dumps(DOCUMENT).encode()) == value


@pytest.mark.parametrize(
    "value", ['"0.5"', "true", "null", "[]", "{}", "NaN", "Infinity", "1e999", "-1e999", "0.5.5", "9" * 400]
)
def test_what_is_no_finite_number_is_nothing(value: str) -> None:
    assert number_at(("x",), f'{{"x": {value}}}'.encode()) is None


@pytest.mark.parametrize(("value", "meant"), [("0.5", 0.5), ("-1", -1.0), ("1e-3", 0.001), (" 7 ", 7.0)])
def test_numbers(value: str, meant: float) -> None:
    assert number_at(("x",), f'{{"x": {value}}}'.encode()) == meant


names = st.text(max_size=5)
documents = st.recursive(
    st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def places(document: Any, way: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    inner = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    return [(way, document), *(place for name, each in inner for place in places(each, (*way, str(name))))]


@given(documents, st.data())
def test_every_place_of_a_document_is_found(document: Any, data: st.DataObject) -> None:
    way, value = data.draw(st.sampled_from(places(document)))
    written = "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in way)
    found = number_at(parse_pointer(written) if written else (), json.dumps(document).encode())
    assert found == (value if type(value) is float else None)


@given(st.binary(max_size=60), st.lists(st.integers(0, 60)), st.sampled_from([b"text/event-stream", b"application/json"]))
def test_bytes_of_any_kind_do_not_raise(data: bytes, cuts: list[int], kind: bytes) -> None:
    reader = PointedReader(("x",), content_type=kind, content_encoding=b"gzip" if len(cuts) % 2 else b"")
    edges = [0, *sorted(cuts), len(data)]
    for start, end in pairwise(edges):
        reader.feed(data[start:end])
    reader.finish()


def test_a_body_over_the_bound_has_nothing() -> None:
    reader = PointedReader(("x",), content_type=b"application/json", content_encoding=b"")
    reader.feed(b'{"x": 1, "y": "')
    for _ in range(CONFIDENCE_BODY_BYTES_MAX // 1000 + 1):
        reader.feed(b"y" * 1000)
    reader.feed(b'"}')
    assert reader.finish() is None
