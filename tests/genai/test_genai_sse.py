"""Server-sent events are split by the rules of WHATWG HTML 9.2, wherever the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy import limits
from tracer_proxy.genai.sse import EventSplitter


def split(*pieces: bytes) -> list[bytes | None]:
    splitter = EventSplitter()
    return [payload for piece in pieces for payload in splitter.feed(piece)]


def by_the_book(stream: bytes) -> list[bytes]:
    """The specification's own words, a line at a time."""
    events: list[bytes] = []
    data: list[bytes] = []
    lines = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    for line in lines[:-1]:
        name, _, value = line.partition(b":")
        if line == b"":
            if payload := b"\n".join(data):
                events.append(payload)
            data = []
        elif name == b"data":
            data.append(value.removeprefix(b" "))
    return events


@pytest.mark.parametrize(
    ("stream", "events"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"data: a\n\r\n", [b"a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data: a\ndata:\ndata: b\n\n", [b"a\n\nb"]),
        (b"event: x\nid: 1\nretry: 5\ndata: a\n\n", [b"a"]),
        (b": note\n\n: note\ndata: a\n: note\n\n", [b"a"]),
        (b"\n\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\n\n\xef\xbb\xbfdata: b\n\n", [b"a"]),
        (b"data\n\ndata:\n\ndata: \n\n", []),
        (b"data\ndata: a\n\n", [b"\na"]),
        (b"dataset: a\n\nDATA: a\n\n", []),
        (b"data: a\n\ndata: b\n", [b"a"]),
        (b"data: a", []),
        (b"", []),
    ],
)
def test_events_of_a_stream(stream: bytes, events: list[bytes]) -> None:
    assert split(stream) == events
    assert by_the_book(stream) == events
    for cut in range(len(stream) + 1):
        assert split(stream[:cut], stream[cut:]) == events


tokens = st.sampled_from(
    [b"data:", b"data: ", b"data", b"event: x", b":", b" ", b"{}", b"a", b"\n", b"\n", b"\r", b"\r\n", b"\xef\xbb\xbf"]
)


@given(st.lists(tokens, max_size=30).map(b"".join), st.lists(st.integers(0, 100), max_size=5))
def test_any_stream_in_any_pieces(stream: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    assert split(*(stream[begin:end] for begin, end in pairwise(places))) == by_the_book(stream)


def test_an_event_is_there_with_its_last_byte_even_when_that_is_a_carriage_return() -> None:
    splitter = EventSplitter()
    assert splitter.feed(b"data: a\r\n") == []
    assert splitter.feed(b"\r") == [b"a"]
    assert splitter.feed(b"\ndata: b\n\n") == [b"b"]


def test_an_event_of_the_largest_size_is_handed_out_and_a_larger_one_is_not() -> None:
    room = limits.ANSWER_EVENT_BYTES_MAX - len(b"data: ")
    for size, seen in ((room, b"x" * room), (room + 1, None)):
        event = b"data: " + b"x" * size + b"\n\n"
        small = b"data: a\n\n"
        assert split(event + small) == [seen, b"a"]
        for cut in (1, size // 2, len(event) - 2, len(event) - 1, len(event)):
            assert split(event[:cut], event[cut:] + small) == [seen, b"a"], cut


def test_an_event_without_end_is_not_kept() -> None:
    splitter = EventSplitter()
    for _ in range(64):
        assert splitter.feed(b"x" * 64 * limits.KiB) == []
    assert sum(map(len, splitter._kept)) <= limits.ANSWER_EVENT_BYTES_MAX + 1
    assert splitter.feed(b"\n\ndata: a\n\n") == [None, b"a"]
