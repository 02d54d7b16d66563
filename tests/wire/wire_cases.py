"""Readers as a table builds them, and whole messages put together from pieces as a connection does it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.wire.bodies import BodyReader, ChunkedBody, LengthBody, UntilCloseBody
from tracer_proxy.wire.fields import FieldReader
from tracer_proxy.wire.head_buffer import HeadBuffer
from tracer_proxy.wire.request import RequestHead, read_request
from tracer_proxy.wire.response import UNTIL_CLOSE, ResponseHead, read_response

BROKEN = Kind.UPSTREAM_BROKEN
TCHARS = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""RFC 9110 5.6.2."""
PRINTABLE = frozenset((9, *range(0x20, 0x7F), *range(0x80, 0x100)))
"""RFC 9110 5.5: what may stand in a field value."""


def request_reader() -> FieldReader:
    return FieldReader(Kind.MALFORMED, (b"host", b"traceparent"), (b"expect", b"x-watched"))


def response_reader() -> FieldReader:
    return FieldReader(BROKEN, (b"x-trace-id-ext",))


def request_of(*lines: bytes, line: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: t") -> RequestHead:
    """A head with these field lines, as a new reader reads it."""
    return read_request(b"\r\n".join((line, *([host] if host else []), *lines)), request_reader())


def response_of(*lines: bytes, line: bytes = b"HTTP/1.1 200 OK", method: bytes = b"GET") -> ResponseHead:
    return read_response(b"\r\n".join((line, *lines)), response_reader(), method)


def refusal(error: ProxyError) -> Kind:
    assert error.message.endswith(".")
    return error.kind


@dataclass
class Message:
    head: bytes
    length: int | None
    body: bytes = b""
    trailers: bytes = b""


class Conversation:
    """Reads one message after the other from whatever pieces come. ``refused`` ends it."""

    def __init__(self, *, requests: bool, method: bytes = b"GET") -> None:
        self._requests = requests
        self._method = method
        self._kind = Kind.MALFORMED if requests else BROKEN
        self._fields = request_reader() if requests else response_reader()
        self._heads = HeadBuffer(self._kind)
        self._body: BodyReader | None = None
        self.messages: list[Message] = []
        self.refused: Kind | None = None

    def feed(self, data: bytes) -> None:
        try:
            while data and self.refused is None:
                data = self._read_head(data) if self._body is None else self._read_body(self._body, data)
        except ProxyError as error:
            self.refused = refusal(error)

    @property
    def state(self) -> tuple[object, ...]:
        """All that must not hang on cuts. How much of a body is handed on before it is refused may: it goes at once."""
        messages = [(one.head, one.length, one.body, one.trailers) for one in self.messages]
        if self.refused is None:
            return messages, self._body is None, bytes(self._heads.partial)
        if self._body is not None:
            messages[-1] = (*messages[-1][:2], b"", b"")
        return messages, self.refused

    @property
    def is_between_messages(self) -> bool:
        return self.refused is None and self._body is None and not self._heads.partial

    @property
    def is_within_body(self) -> bool:
        return self._body is not None

    def _read_head(self, data: bytes) -> bytes:
        found = self._heads.feed(data)
        if found is None:
            return b""
        length = self._length(found[0])
        self.messages.append(Message(found[0], length))
        self._body = self._body_reader(length)
        if length == 0:
            self._body = None
        return found[1]

    def _length(self, head: bytes) -> int | None:
        if self._requests:
            return read_request(head, self._fields).length
        return read_response(head, self._fields, self._method).length

    def _body_reader(self, length: int | None) -> BodyReader:
        if length is None:
            return ChunkedBody(self._kind, self._fields)
        return UntilCloseBody() if length == UNTIL_CLOSE else LengthBody(length)

    def _read_body(self, body: BodyReader, data: bytes) -> bytes:
        message = self.messages[-1]
        message.body += body.feed(data)
        if not body.done:
            return b""
        message.trailers = body.trailers
        self._body = None
        return body.rest


def said(pieces: Iterable[bytes], *, requests: bool = True, method: bytes = b"GET") -> Conversation:
    conversation = Conversation(requests=requests, method=method)
    for piece in pieces:
        conversation.feed(piece)
    return conversation


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    """``data`` in pieces, some of which may be empty."""
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True)]


def single_bytes(data: bytes) -> list[bytes]:
    return [data[index : index + 1] for index in range(len(data))]


PLACES = st.lists(st.integers(0, 10_000), max_size=8)
