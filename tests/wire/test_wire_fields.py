"""Header fields: characters, blanks, what stays here, what goes on, and that a memory changes nothing."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire_cases import BROKEN, PRINTABLE, TCHARS, refusal, request_reader, response_reader

from tracer_proxy.errors import Kind, ProxyError
from tracer_proxy.limits import HEAD_FIELDS_MAX, LINES_REMEMBERED_MAX
from tracer_proxy.wire.fields import (
    HOP_BY_HOP,
    NEVER_IN_TRAILERS,
    FieldReader,
    Fields,
    connection_options,
    content_length,
    drop_listed,
)


def read(*lines: bytes, reader: FieldReader | None = None) -> Fields:
    reader = reader or request_reader()
    return reader.read(reader.split(b"\r\n".join((b"first line", *lines))))


def accepts(reader: FieldReader, line: bytes) -> bool:
    try:
        read(line, reader=reader)
    except ProxyError:
        return False
    return True


@pytest.mark.parametrize("reader", [request_reader(), response_reader()], ids=["request", "response"])
def test_names_are_tokens_byte_by_byte(reader: FieldReader) -> None:
    """RFC 9110 5.1 and 5.6.2, for all 256 bytes in the middle of a name."""
    accepted = {byte for byte in range(256) if accepts(reader, b"X" + bytes([byte]) + b"Y: z")}
    # A colon ends the name, and the rest is its value.
    assert accepted == TCHARS | {ord(":")}


@pytest.mark.parametrize("reader", [request_reader(), response_reader()], ids=["request", "response"])
@pytest.mark.parametrize("name", [b"x-passed", b"x-watched", b"content-length"])
def test_values_hold_no_control_byte(reader: FieldReader, name: bytes) -> None:
    """RFC 9110 5.5: all 256 bytes, whatever becomes of the field. Nothing is a number or a word yet."""
    accepted = {byte for byte in range(256) if accepts(reader, name + b": a" + bytes([byte]) + b"b")}
    assert accepted == PRINTABLE


@pytest.mark.parametrize("line", [b"no colon", b"", b": no name", b" : blank name", b" X: fold", b"\tX: fold", b"X Y: z"])
def test_lines_that_are_no_field_are_refused(line: bytes) -> None:
    """The blame is the client's or the upstream's, as the reader was told."""
    for reader, kind in ((request_reader(), Kind.MALFORMED), (response_reader(), BROKEN)):
        with pytest.raises(ProxyError) as caught:
            read(b"A: b", line, reader=reader)
        assert refusal(caught.value) is kind


@pytest.mark.parametrize("blank", [b" ", b"\t", b" \t "])
def test_blank_before_the_colon_is_refused_in_requests_and_removed_in_answers(blank: bytes) -> None:
    """RFC 9112 5.1."""
    with pytest.raises(ProxyError) as caught:
        read(b"X-Name" + blank + b": value")
    assert refusal(caught.value) is Kind.MALFORMED
    assert read(b"X-Name" + blank + b":  value ", reader=response_reader()).lines == [b"X-Name:  value "]
    taken = read(b"Content-Length" + blank + b": 5", reader=response_reader())
    assert (taken.lines, taken.values) == ([], {b"content-length": b"5"})


def test_lines_that_pass_on_are_not_touched() -> None:
    """RFC 9110 7.8: spelling, order, doubled ones and inner blanks."""
    lines = [b"B: 2", b"a:1", b"X-Watched:  one\t", b"A:  3 \t", b"X-empty:", b"x-watched: two", b"C: \xc3\xa4\xff"]
    fields = read(*lines)
    assert fields.lines == lines
    assert fields.values == {b"x-watched": b"one, two"}


def test_outer_blanks_of_a_value_are_space_and_tab_alone() -> None:
    """``bytes.strip`` alone would take vertical tabs and form feeds too, and ``str.strip`` even more."""
    assert read(b"X-Watched: \t\xa0v\x85 \t ").values == {b"x-watched": b"\xa0v\x85"}


@pytest.mark.parametrize("name", sorted(HOP_BY_HOP | {b"connection", b"upgrade", b"content-length", b"transfer-encoding"}))
def test_fields_of_this_hop_stay_here(name: bytes) -> None:
    """RFC 9110 7.6.1, in any spelling."""
    for reader in (request_reader(), response_reader()):
        for spelled in (name, name.upper(), name.title()):
            fields = read(b"A: b", spelled + b": x", reader=reader)
            assert fields.lines == [b"A: b"]
            assert fields.values == {name: b"x"}


def test_taken_fields_come_out_joined() -> None:
    """RFC 9110 5.3: one list in the order of the lines; where one value is expected, it no longer parses."""
    assert read(b"Host: a", b"X: y", b"HOST:", b"host: b").values == {b"host": b"a, , b"}


@pytest.mark.parametrize(
    ("reader", "kind"), [(request_reader(), Kind.HEAD_TOO_LARGE), (response_reader(), BROKEN)], ids=["request", "response"]
)
def test_number_of_fields_has_a_bound(reader: FieldReader, kind: Kind) -> None:
    lines = [b"X: y"] * HEAD_FIELDS_MAX
    assert len(read(*lines, reader=reader).lines) == HEAD_FIELDS_MAX
    with pytest.raises(ProxyError) as caught:
        read(*lines, b"X: y", reader=reader)
    assert refusal(caught.value) is kind


def test_number_of_fields_may_be_set() -> None:
    reader = FieldReader(Kind.MALFORMED, (), fields_max=2)
    assert read(b"A: b", b"C: d", reader=reader).lines
    with pytest.raises(ProxyError) as caught:
        read(b"A: b", b"C: d", b"E: f", reader=reader)
    assert "more than 2 " in caught.value.message


LINES = st.one_of(
    st.sampled_from(
        [
            *(b"Host: a", b"host: b", b"X-Watched: 1", b"x-watched : 2", b"A: b", b"a:b", b"Cookie: a=b", b"A : b"),
            *(b"Authorization: Bearer x", b"traceparent: 00", b"Content-Length: 5", b"Content-Length : 5", b"A: \x00"),
        ]
    ),
    st.binary(max_size=12),
)


@given(st.lists(st.lists(LINES, max_size=6), max_size=6), st.booleans())
def test_what_a_reader_remembers_changes_nothing(heads: list[list[bytes]], answers: bool) -> None:
    """The same heads by one reader and by a new one each: same fields, same refusals, good and bad mixed."""
    new_reader = response_reader if answers else request_reader
    shared = new_reader()

    def outcome(lines: list[bytes], reader: FieldReader) -> object:
        try:
            fields = read(*lines, reader=reader)
        except ProxyError as error:
            return error.kind, error.message
        return fields.lines, fields.values

    for lines in heads:
        assert outcome(lines, shared) == outcome(lines, new_reader())


def test_memory_of_a_reader_is_bounded() -> None:
    """More lines than it may remember, and longer ones: it forgets, and goes on reading."""
    reader = request_reader()
    for number in range(LINES_REMEMBERED_MAX + 10):
        assert read(b"X-Watched: %d" % number, b"X-%d: y" % number, reader=reader).values == {b"x-watched": b"%d" % number}
        with suppress(ProxyError):
            read(b"bad %d" % number, reader=reader)
    assert max(len(held) for held in memories(reader)) <= LINES_REMEMBERED_MAX
    before = sum(map(len, memories(reader)))
    assert read(b"X-Long: " + b"y" * 5000, reader=reader).lines == [b"X-Long: " + b"y" * 5000]
    assert not any(len(line) > 1000 for held in memories(reader) for line in held)
    assert sum(map(len, memories(reader))) <= before + 1


@pytest.mark.parametrize("name", [b"Authorization", b"cookie", b"X-Api-Key", b"Set-Cookie", b"Proxy-Authorization"])
def test_secrets_are_not_remembered(name: bytes) -> None:
    for reader in (request_reader(), response_reader()):
        read(name + b": s3cret", reader=reader)
        assert not any(b"s3cret" in line for held in memories(reader) for line in held)


def memories(reader: FieldReader) -> list[dict[bytes, object]]:
    held = [getattr(reader, name) for name in FieldReader.__slots__]
    return [memory for memory in held if isinstance(memory, dict)]


@pytest.mark.parametrize(
    ("value", "options"),
    [
        (None, set()),
        (b"", {b""}),
        (b"close", {b"close"}),
        (b"CLOSE", {b"close"}),
        (b"keep-alive", {b"keep-alive"}),
        (b"Keep-Alive , X-Mine\t,close", {b"keep-alive", b"x-mine", b"close"}),
        (b",, a,", {b"", b"a"}),
        (b"closed", {b"closed"}),
    ],
)
def test_connection_options(value: bytes | None, options: set[bytes]) -> None:
    assert connection_options(value) == options


def test_listed_fields_are_dropped_but_for_what_means_something_itself() -> None:
    """RFC 9110 7.6.1; ``close`` and ``keep-alive`` are no field names, and neither is an upgrade."""
    reader = response_reader()
    fields = read(b"X-Mine: 1", b"x-mine: 2", b"X-Mine-Too: 3", b"Close: 4", b"x-other : 5", b"Host: h", reader=reader)
    drop_listed(fields, frozenset((b"x-mine", b"x-other", b"close", b"", b"no-such")))
    assert fields.lines == [b"X-Mine-Too: 3", b"Close: 4", b"Host: h"]


def test_fields_that_never_stand_in_trailers_include_all_framing() -> None:
    """RFC 9110 6.5.1."""
    assert {b"content-length", b"transfer-encoding", b"host", b"authorization", b"te", b"connection"} <= NEVER_IN_TRAILERS


@pytest.mark.parametrize("value", [b"0", b"5", b"00005", b"9" * 18])
def test_lengths(value: bytes) -> None:
    assert content_length(value, Kind.MALFORMED, 18) == int(value)


@pytest.mark.parametrize(
    "value",
    [b"", b" 5", b"5 ", b"+5", b"-5", b"5_0", b"0x5", b"5.0", b"5,5", b"5, 5", "５".encode(), b"\xb2", b"1" * 19, b"9" * 5000],
)
def test_what_is_no_length(value: bytes) -> None:
    """RFC 9110 8.6: ``int`` would take half of these, and raise something else for the last."""
    with pytest.raises(ProxyError) as caught:
        content_length(value, Kind.MALFORMED, 18)
    assert refusal(caught.value) is Kind.MALFORMED
