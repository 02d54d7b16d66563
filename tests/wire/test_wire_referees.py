"""h11 and httptools as referees: what is accepted here they accept too and read alike; a reason is listed for what is not.

The messages are valid ones with a few faults put in, so that most of them are nearly right.
"""

import re
from collections.abc import Callable

import h11
import httptools
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wire_cases import Conversation, request_of, request_reader, response_reader, said

from tracer_proxy.wire.request import read_request
from tracer_proxy.wire.response import read_response

REQUESTS = (
    b"GET /a?b=c HTTP/1.1\r\nHost: example.com\r\nAccept: */*\r\nX-A:  b \r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello",
    b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n",
    b"GET http://example.com/a HTTP/1.0\r\nHost: h:80\r\nConnection: keep-alive\r\n\r\n",
)
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello",
    b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
    b"HTTP/1.1 204 No Content\r\nSet-Cookie: a=b; c\r\n\r\n",
    b"HTTP/1.0 500 x\r\nContent-Length: 0\r\n\r\n",
)
FAULTS = st.sampled_from(
    [
        *(
            b"\r",
            b"\n",
            b"\r\n",
            b"\r\n\r\n",
            b"\r\n ",
            b"\n\t",
            b"\x00",
            b"\x07",
            b"\x0b",
            b"\x7f",
            b"\x80",
            b"\xff",
            b" ",
            b"\t",
        ),
        *(b":", b",", b";", b"#", b"@", b"\\", b'"', b"0", b"1", b"5", b"f", b"x", b"+", b"-", b"_", b"0x", b"%", b"/", b"*"),
        *(b"\r\nContent-Length: 5", b"\r\nContent-Length: 6", b"\r\nTransfer-Encoding: chunked", b"\r\nTransfer-Encoding: x"),
        *(b"\r\nHost: h", b"HTTP/1.0", b"HTTP/2.0", b"chunked", b", 5", b"CONNECT", b"\r\nX: y\r\n z", b" :"),
    ]
)


@st.composite
def faulty(draw: st.DrawFn, seeds: tuple[bytes, ...]) -> bytes:
    """A seed with up to three pieces put in, taken out or replaced."""
    raw = draw(st.sampled_from(seeds))
    for _ in range(draw(st.integers(1, 3))):
        place, taken = draw(st.integers(0, len(raw))), draw(st.integers(0, 4))
        raw = raw[:place] + draw(FAULTS | st.just(b"")) + raw[place + taken :]
    return raw


Meaning = tuple[tuple[object, ...], list[tuple[bytes, bytes]], bytes, list[tuple[bytes, bytes]]]
"""First line, fields in order with lower-case names, body, trailers."""
HOP = frozenset(
    (b"host", b"connection", b"content-length", b"transfer-encoding", b"upgrade", b"te", b"keep-alive", b"traceparent")
)
"""Fields that do not pass on; what they mean shows in the rest."""


def by_h11(raw: bytes, role: type[h11.CLIENT] | type[h11.SERVER]) -> Meaning | None:
    """What h11 makes of the first message; ``None`` when it refuses it or waits for more."""
    connection = h11.Connection(role, max_incomplete_event_size=10**6)
    if role is h11.CLIENT:
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "t")]))
        connection.send(h11.EndOfMessage())
    first: tuple[object, ...] = ()
    fields: list[tuple[bytes, bytes]] = []
    body = b""
    try:
        connection.receive_data(raw)
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                first, fields = (event.method, event.target, event.http_version), list(event.headers)
            elif isinstance(event, h11.Response):
                first, fields = (event.status_code, event.http_version), list(event.headers)
            elif isinstance(event, h11.Data):
                body += event.data
            elif isinstance(event, h11.EndOfMessage):
                return first, [field for field in fields if field[0] not in HOP], body, list(event.headers)
            else:
                return None
    except h11.RemoteProtocolError:
        return None


def parted(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    parts = [line.partition(b":") for line in lines]
    return [(name.lower(), value.strip(b" \t")) for name, _, value in parts]


def by_us(raw: bytes, *, requests: bool) -> Meaning | None:
    """The same by our readers; ``None`` also for an interim answer, which has no end of its own."""
    conversation = said([raw], requests=requests)
    if not conversation.messages or not is_whole(conversation):
        return None
    message = conversation.messages[0]
    version = b"1.1" if b"HTTP/1.1" in message.head.split(b"\r\n")[0] else b"1.0"
    if requests:
        head = read_request(message.head, request_reader())
        target = message.head.split(b" ")[1]
        first: tuple[object, ...] = (head.method, target, version)
        lines = head.fields.lines
    else:
        answer = read_response(message.head, response_reader(), b"GET")
        if answer.status < 200:
            return None
        first = (answer.status, version)
        lines = answer.block.split(b"\r\n")[1:-1]
    return first, parted(lines), message.body, parted(message.trailers.split(b"\r\n")[:-1])


def is_whole(conversation: Conversation) -> bool:
    """Whether the first message was read to its end; what came behind it may have been refused."""
    return len(conversation.messages) > 1 or not conversation.is_within_body


EMPTY_LINE_FIRST = re.compile(rb"\r\n(?!\r\n)")
FRAMING_IN_TRAILERS = re.compile(rb"(?i)\r\n0+(;[^\r\n]*)?\r\n([^\r\n]+\r\n)*(content-length|transfer-encoding) *:")
"""It is dropped unread here, as RFC 9110 6.5.1 allows; h11 reads it."""
LAST_CHUNK = re.compile(rb"(?:^|\r\n)0+(?:;[^\r\n]*)?\r\n")
BLANK_BEFORE_COLON = re.compile(rb"(?m)^([!-9;-~]+)[ \t]+:")


def without_hop(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [field for field in fields if field[0] not in HOP]


def listed_by_connection(raw: bytes) -> bool:
    """Whether ``Connection`` names more than what it always may: such fields are dropped here and shown by h11."""
    options = b",".join(re.findall(rb"(?im)^connection:([^\r\n]*)", raw))
    return any(option.strip().lower() not in (b"", b"close", b"keep-alive", b"upgrade") for option in options.split(b","))


def fields_of(raw: bytes, name: bytes) -> list[bytes]:
    head = re.split(rb"\r?\n\r?\n", raw.lstrip(b"\r\n"), maxsplit=1)[0]
    return [value.strip() for value in re.findall(rb"(?im)^" + name + rb":([^\r\n]*)", head)]


def _holds(pattern: bytes) -> Callable[[bytes], bool]:
    return lambda raw: re.search(pattern, raw) is not None


STRICTER: dict[str, Callable[[bytes], bool]] = {
    "bare LF is a line end to h11": _holds(rb"(?<!\r)\n"),
    "bare CR in a chunk extension is nothing to h11": _holds(rb";[^\r\n]*\r(?!\n)"),
    "h11 joins folded lines": _holds(rb"\r\n[ \t]"),
    "h11 lets control bytes through": _holds(rb"[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f]"),
    "h11 takes every digit.digit for a version": _holds(rb"HTTP/(?!1\.[01][\r\n ])\d\.\d"),
    "h11 strips blanks behind a chunk size": _holds(rb"(?m)^[0-9a-fA-F]+[ \t]+\r\n"),
    "h11 takes equal lengths for one": lambda raw: len(b",".join(fields_of(raw, b"content-length")).split(b",")) > 1,
    "h11 drops a length beside chunks": lambda raw: bool(
        fields_of(raw, b"content-length") and fields_of(raw, b"transfer-encoding")
    ),
    "h11 reads chunks of HTTP/1.0": lambda raw: b"HTTP/1.0" in raw and bool(fields_of(raw, b"transfer-encoding")),
    "h11 reads longer numbers": _holds(rb"[0-9a-fA-F]{16}"),
}
"""Every reason for refusing what h11 takes, in requests and answers alike."""

STRICTER_REQUESTS: dict[str, Callable[[bytes], bool]] = STRICTER | {
    "h11 does not read the Host": lambda raw: any(
        re.fullmatch(rb"[A-Za-z0-9.]+(:[0-9]{0,5})?", host) is None for host in fields_of(raw, b"host")
    ),
    "h11 does not look at the form of a target": lambda raw: (
        re.match(rb"[^ ]+ (/[^ #]*|http://[A-Za-z0-9.]+(:[0-9]{0,5})?([/?][^ #]*)?) ", raw) is None
    ),
    "h11 opens tunnels": _holds(rb"^CONNECT "),
}
STRICTER_ANSWERS: dict[str, Callable[[bytes], bool]] = STRICTER | {
    "h11 takes a status below 100": _holds(rb"^HTTP/1\.[01] 0"),
}


def reasons(raw: bytes, known: dict[str, Callable[[bytes], bool]]) -> list[str]:
    return [reason for reason, holds in known.items() if holds(raw)]


@settings(max_examples=500)
@given(faulty(REQUESTS))
@example(b"\r\n" + REQUESTS[0])
def test_request_means_the_same_to_h11_or_is_refused_for_a_listed_reason(raw: bytes) -> None:
    """What h11 does not take is the one empty line in front that RFC 9112 2.2 asks for."""
    ours = by_us(raw, requests=True)
    theirs = by_h11(raw[2:] if EMPTY_LINE_FIRST.match(raw) else raw, h11.SERVER)
    if ours is None:
        assert theirs is None or reasons(raw, STRICTER_REQUESTS)
    else:
        assert_same(ours, theirs, raw)


@settings(max_examples=500)
@given(faulty(ANSWERS))
@example(b"HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 0\r\n\r\n")
def test_answer_means_the_same_to_h11_or_is_refused_for_a_listed_reason(raw: bytes) -> None:
    """What h11 does not take is blank before a colon, which RFC 9112 5.1 asks a proxy to remove."""
    ours = by_us(raw, requests=False)
    theirs = by_h11(without_blank_before_colon(raw) if ours else raw, h11.CLIENT)
    if ours is None:
        assert theirs is None or reasons(raw, STRICTER_ANSWERS)
    else:
        assert_same(ours, theirs, raw)


def without_blank_before_colon(raw: bytes) -> bytes:
    """In head and trailers, not in the data between."""
    head, end, rest = raw.partition(b"\r\n\r\n")
    last_chunk = LAST_CHUNK.search(rest)
    trailers = last_chunk.end() if last_chunk else len(rest)
    return BLANK_BEFORE_COLON.sub(rb"\1:", head) + end + rest[:trailers] + BLANK_BEFORE_COLON.sub(rb"\1:", rest[trailers:])


def assert_same(ours: Meaning, theirs: Meaning | None, raw: bytes) -> None:
    if theirs is None:
        assert FRAMING_IN_TRAILERS.search(raw)
        return
    assert (ours[0], ours[2]) == (theirs[0], theirs[2])
    if not listed_by_connection(raw):
        assert without_hop(ours[1]) == without_hop(theirs[1])
    assert ours[3] == without_hop(theirs[3])


@pytest.mark.parametrize("raw", REQUESTS)
def test_valid_requests_have_no_reason_to_be_refused(raw: bytes) -> None:
    """Else the lists above would explain everything away."""
    assert reasons(raw, STRICTER_REQUESTS) == []
    assert by_us(raw, requests=True) is not None


@pytest.mark.parametrize("raw", ANSWERS)
def test_valid_answers_have_no_reason_to_be_refused(raw: bytes) -> None:
    assert reasons(raw, STRICTER_ANSWERS) == []
    assert by_us(raw, requests=False) is not None


class Recorder:
    """What httptools (llhttp) reports of one message."""

    def __init__(self) -> None:
        self.target = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.body = b""
        self.complete = False

    def on_url(self, url: bytes) -> None:
        self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name.lower(), value.strip(b" \t")))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.complete = True


TOKENS = st.text("abcXYZ019-_.!~", min_size=1, max_size=8).map(str.encode)
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20).map(str.encode)
TARGETS = st.text(st.sampled_from("/abc%20.;=&?@:-_~!$'()*+,"), max_size=20).map(lambda path: b"/" + path.encode())


@given(
    method=st.sampled_from([b"GET", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"HEAD"]),
    target=TARGETS,
    fields=st.lists(st.tuples(TOKENS.map(lambda token: b"X-" + token), VALUES), max_size=6),
    body=st.binary(max_size=40),
)
def test_valid_requests_mean_the_same_to_httptools(
    method: bytes, target: bytes, fields: list[tuple[bytes, bytes]], body: bytes
) -> None:
    """llhttp, the parser of Node, as second referee: made requests are read alike by all three."""
    lines = [name + b": " + value for name, value in fields]
    raw = b"\r\n".join(
        (method + b" " + target + b" HTTP/1.1", b"Host: h", *lines, b"Content-Length: %d" % len(body), b"", body)
    )
    recorder = Recorder()
    parser = httptools.HttpRequestParser(recorder)
    parser.feed_data(raw)
    ours = by_us(raw, requests=True)
    assert ours is not None
    assert ours == by_h11(raw, h11.SERVER)
    assert recorder.complete
    assert (parser.get_method(), recorder.target) == ours[0][:2] == (method, target)
    assert [field for field in recorder.fields if field[0] not in HOP] == ours[1]
    assert recorder.body == ours[2] == body
    assert parser.should_keep_alive() is request_of().persistent


@given(
    status=st.integers(200, 599).filter(lambda status: status not in (204, 304)),
    fields=st.lists(st.tuples(TOKENS.map(lambda token: b"X-" + token), VALUES), max_size=6),
    body=st.binary(max_size=40),
)
def test_valid_answers_mean_the_same_to_httptools(status: int, fields: list[tuple[bytes, bytes]], body: bytes) -> None:
    lines = [name + b": " + value for name, value in fields]
    raw = b"\r\n".join((b"HTTP/1.1 %d Reason" % status, *lines, b"Content-Length: %d" % len(body), b"", body))
    recorder = Recorder()
    parser = httptools.HttpResponseParser(recorder)
    parser.feed_data(raw)
    ours = by_us(raw, requests=False)
    assert ours is not None
    assert ours == by_h11(raw, h11.CLIENT)
    assert recorder.complete
    assert parser.get_status_code() == ours[0][0] == status
    assert [field for field in recorder.fields if field[0] not in HOP] == ours[1]
    assert recorder.body == ours[2] == body
