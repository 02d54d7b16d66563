"""Whole conversations, head after body after head: cut anywhere, they say the same."""

from hypothesis import given
from hypothesis import strategies as st
from wire_cases import PLACES, cut, said, single_bytes

from tracer_proxy.errors import Kind

REQUESTS = (
    b"GET /a HTTP/1.1\r\nHost: t\r\n\r\n",
    b"\r\nGET /b HTTP/1.1\r\nHost: t\r\nX: y\r\n\r\n",
    b"POST /c HTTP/1.1\r\nHost: t\r\nContent-Length: 11\r\n\r\nhello world",
    b"POST /d HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n6\r\n world\r\n0\r\nA: 1\r\nB: \r\n\r\n",
    b"POST /f HTTP/1.1\r\nHost: t\r\nContent-Length: 39\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: evil\r\n\r\n\r\n"[:-1],
)
BAD_REQUESTS = (
    b"GET /a HTTP/1.1\r\n\r\n",
    b"GET /a HTTP/1.1\nHost: t\n\n",
    b"GET /a HTTP/1.1\r\nHost: t\r\n X: y\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: y\n\r\n",
)
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
    b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\nX-Sum : 1\r\n\r\n",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.0 500 x\r\nContent-Length : 2\r\n\r\nno",
)
BAD_ANSWERS = (
    b"HTTP/1.1 2000 OK\r\n\r\n",
    b"\r\nHTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n",
)
UNTIL_CLOSE = b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nall\r\n\r\nof it"


def test_each_message_says_what_it_should() -> None:
    heard = said([b"".join(REQUESTS)])
    assert heard.is_between_messages
    assert [message.body for message in heard.messages] == [b"", b"", b"hello world", b"", b"hello world", REQUESTS[5][-39:]]
    assert heard.messages[4].trailers == b"A: 1\r\nB: \r\n"
    answers = said([b"".join(ANSWERS)], requests=False)
    assert answers.is_between_messages
    assert [message.body for message in answers.messages] == [b"hello world", b"", b"", b"hello world", b"", b"no"]
    assert answers.messages[3].trailers == b"X-Sum: 1\r\n"


def test_every_single_cut() -> None:
    """Each message alone, good and bad, in two pieces at every place, and byte by byte."""
    for requests, raws in ((True, REQUESTS + BAD_REQUESTS), (False, (*ANSWERS, *BAD_ANSWERS, UNTIL_CLOSE))):
        for raw in raws:
            whole = said([raw], requests=requests).state
            assert said(single_bytes(raw), requests=requests).state == whole
            for place in range(len(raw)):
                assert said([raw[:place], raw[place:]], requests=requests).state == whole


@given(st.lists(st.sampled_from(REQUESTS), max_size=5), st.sampled_from((b"", *BAD_REQUESTS)), PLACES)
def test_pipelined_requests_cut_anywhere(raws: list[bytes], bad: bytes, places: list[int]) -> None:
    """Good ones, perhaps a bad one behind them: all good ones are read, then the bad one ends it."""
    raw = b"".join(raws) + bad
    heard = said(cut(raw, places))
    assert heard.state == said([raw]).state
    assert heard.refused is (Kind.MALFORMED if bad else None)
    assert len(heard.messages) - len(raws) == (1 if b"\r\n\r\n5\r\n" in bad or b"\r\n\r\n0\r\nX" in bad else 0)


@given(st.lists(st.sampled_from(ANSWERS), max_size=5), st.sampled_from((b"", UNTIL_CLOSE, *BAD_ANSWERS)), PLACES)
def test_answers_cut_anywhere(raws: list[bytes], last: bytes, places: list[int]) -> None:
    raw = b"".join(raws) + last
    heard = said(cut(raw, places), requests=False)
    assert heard.state == said([raw], requests=False).state
    assert heard.refused is (Kind.UPSTREAM_BROKEN if last in BAD_ANSWERS else None)


@given(st.lists(st.sampled_from(ANSWERS), min_size=1, max_size=4), PLACES)
def test_answers_to_head_have_no_body(raws: list[bytes], places: list[int]) -> None:
    """Their heads may follow one another, whatever they say of a body there would be."""
    raw = b"".join(answer.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" for answer in raws)
    heard = said(cut(raw, places), requests=False, method=b"HEAD")
    assert heard.is_between_messages
    assert [message.length for message in heard.messages] == [0] * len(raws)
