"""What answers of models say is read from every wire format, wherever the bytes are cut (pitfalls P20 and P21)."""

import gzip
import zlib
from collections.abc import Callable

import brotli
import msgspec
import pytest
import zstandard
from answer_cases import CASES, FOLDER, PREFIX, SSE, Case, case_named, expected, without_anchor

from tracer_proxy.genai.answered import Answered, ToolCall, Usage
from tracer_proxy.genai.answers import AnswerReader

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
each_body = pytest.mark.parametrize("case", [case for case in CASES if not case.is_stream], ids=lambda case: case.name)
each_stream = pytest.mark.parametrize("case", [case for case in CASES if case.is_stream], ids=lambda case: case.name)


def bare_deflate(data: bytes) -> bytes:
    return zlib.compress(data, wbits=-15)


ENCODINGS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"x-gzip": lambda data: gzip.compress(data[:100]) + gzip.compress(data[100:]),
    b"deflate": zlib.compress,
    b"Deflate": bare_deflate,
    b"br": brotli.compress,
    b"zstd": zstandard.ZstdCompressor().compress,
    b"zstd, identity": lambda data: zstandard.compress(data[:100]) + zstandard.compress(data[100:]),
    b"gzip, br": lambda data: brotli.compress(gzip.compress(data)),
}


def test_every_golden_file_is_a_case() -> None:
    names = {file.name for file in FOLDER.iterdir()} - {".gitattributes"}
    assert names == {case.name for case in CASES}


@each_case
def test_what_an_answer_says(case: Case) -> None:
    assert case.read([case.body]) == expected(case)


@each_body
def test_a_body_cut_in_two_at_every_byte(case: Case) -> None:
    body, wanted = case.body, expected(case)
    for cut in range(1, len(body)):
        assert case.read([body[:cut], body[cut:]]) == wanted, cut


def known(calls: tuple[ToolCall, ...]) -> list[tuple[str, str, bytes]]:
    return [(call.call_id, call.tool, call.arguments_digest) for call in calls]


@each_stream
def test_a_stream_cut_at_every_byte_hands_out_no_half_call_and_goes_on(case: Case) -> None:
    body, wanted = case.body, expected(case)
    anchors = {call.anchor for call in wanted.calls} | {b""}
    seen = 0
    for cut in range(len(body)):
        reader = case.reader()
        reader.feed(body[:cut], 1.0)
        broken_off = reader.finish()
        calls = broken_off.calls if broken_off is not None else ()
        assert set(known(calls)) <= set(known(wanted.calls)), cut
        assert {call.anchor for call in calls} <= anchors, cut
        assert len(calls) >= seen, "a call that was whole stays so"
        seen = len(calls)
        reader.feed(body[cut:], 1.0)
        assert reader.finish() == wanted, cut


@each_case
def test_byte_by_byte(case: Case) -> None:
    assert case.read([bytes([byte]) for byte in case.body]) == expected(case)


@each_stream
def test_a_stream_can_be_asked_in_its_midst(case: Case) -> None:
    reader = case.reader(content_chars=20)
    for byte in case.body:
        reader.feed(bytes([byte]), 1.0)
        reader.finish()
    assert reader.finish() == case.read([case.body], content_chars=20)


def test_ids_are_known_with_the_last_byte_of_their_event() -> None:
    body = case_named("messages_calls.sse").body
    end = body.index(b"\n\n", body.index(b'{"type":"content_block_stop","index":1}')) + 2
    reader = case_named("messages_calls.sse").reader()
    reader.feed(body[: end - 1], 1.0)
    before = reader.finish()
    assert before is not None
    assert before.calls == ()
    reader.feed(body[end - 1 : end], 1.0)
    after = reader.finish()
    assert after is not None
    assert [call.call_id for call in after.calls] == ["toolu_01A"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize(
    "name", ["chat_calls.sse", "messages_calls.sse", "responses_calls.json", "gemini_array.json", "embeddings.json"]
)
def test_encoded_answers_cut_at_every_byte(name: str, encoding: bytes) -> None:
    case = case_named(name)
    encoded, wanted = ENCODINGS[encoding](case.body), expected(case)
    for cut in range(len(encoded)):
        assert case.read([encoded[:cut], encoded[cut:]], encoding=encoding) == wanted, cut
    assert case.read([bytes([byte]) for byte in encoded], encoding=encoding) == wanted


def test_an_encoded_stream_is_read_as_it_is_flushed() -> None:
    case = case_named("chat_calls.sse")
    events = case.body.split(b"\n\n")
    press = zlib.compressobj(wbits=31)
    reader = case.reader(encoding=b"gzip")
    for count, event in enumerate(events[:4]):
        reader.feed(press.compress(event + b"\n\n") + press.flush(zlib.Z_SYNC_FLUSH), 1.0)
        answered = reader.finish()
        assert answered is not None
        assert answered.chunks == count


def test_times_of_chunks() -> None:
    reader = case_named("chat_text.sse").reader()
    for place, event in enumerate(case_named("chat_text.sse").body.split(b"\n\n")):
        reader.feed(event + b"\n\n", 10.0 + place * place)
    answered = reader.finish()
    assert answered is not None
    # The first event has no text yet; those with text come at 11, 14 and 19.
    assert answered.first_chunk_at == 11.0
    assert answered.gaps == (3.0, 5.0)


def test_two_events_of_one_read_have_no_gap() -> None:
    reader = case_named("messages_calls.sse").reader()
    reader.feed(case_named("messages_calls.sse").body, 5.0)
    answered = reader.finish()
    assert answered is not None
    assert answered.first_chunk_at == 5.0
    assert answered.gaps == (0.0,) * 6


@each_case
def test_without_a_prefix_only_the_anchors_are_missing(case: Case) -> None:
    reader = case.reader(prefix=b"")
    reader.feed(case.body, 1.0)
    wanted = expected(case)
    calls = tuple(msgspec.structs.replace(call, anchor=b"") for call in wanted.calls)
    assert reader.finish() == msgspec.structs.replace(wanted, calls=calls)


@each_case
def test_what_is_read_can_be_packed_and_unpacked(case: Case) -> None:
    answered = case.read([case.body], content_chars=1000)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(answered), type=Answered) == answered


def said(name: str, content_chars: int = 1000) -> object:
    answered = case_named(name).read([case_named(name).body], content_chars=content_chars)
    assert answered is not None
    return answered.content


WEATHER_PART = {"type": "tool_call", "name": "get_weather", "id": "toolu_01A", "arguments": '{"city": "Oslo"}'}
TIME_PART = {"type": "tool_call", "name": "get_time", "id": "toolu_01B", "arguments": ""}


@pytest.mark.parametrize(
    ("name", "parts", "finish_reason"),
    [
        ("chat_text.sse", [{"type": "text", "content": 'Grüße aus "Oslo" 🌍\n\n'}], "stop"),
        ("chat_text.json", [{"type": "text", "content": "Hello there."}], "stop"),
        ("chat_error.sse", [{"type": "text", "content": "Hel"}], "error"),
        (
            "chat_reasoning.sse",
            [{"type": "reasoning", "content": "Let me think."}, {"type": "text", "content": "Done."}],
            "stop",
        ),
        ("chat_refusal.sse", [{"type": "text", "content": "I cannot do that."}], "stop"),
        ("completions.sse", [{"type": "text", "content": "Once upon"}], "length"),
        ("responses_text.sse", [{"type": "text", "content": "Hello 🌍"}], "stop"),
        ("responses_failed.sse", [{"type": "text", "content": "Hel"}], "error"),
        ("responses_refusal.sse", [{"type": "text", "content": "No."}], "stop"),
        ("messages_text.sse", [{"type": "reasoning", "content": "Hmm, yes."}, {"type": "text", "content": "Grüße 🌍"}], "stop"),
        ("messages_calls.sse", [{"type": "text", "content": "I will look."}, WEATHER_PART, TIME_PART], "tool_call"),
        ("gemini_text.sse", [{"type": "reasoning", "content": "Pondering"}, {"type": "text", "content": "Grüße 🌍"}], "stop"),
    ],
)
def test_captured_content_has_the_shape_of_the_conventions(name: str, parts: object, finish_reason: str) -> None:
    assert said(name) == [{"role": "assistant", "parts": parts, "finish_reason": finish_reason}]


def test_captured_content_is_cut() -> None:
    assert said("chat_text.sse", 4) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Grüß"}], "finish_reason": "stop"}
    ]


def test_content_is_not_captured_unless_asked_for() -> None:
    answered = case_named("chat_calls.sse").read([case_named("chat_calls.sse").body])
    assert answered is not None
    assert answered.content is None
    assert {call.arguments for call in answered.calls} == {""}


def read(
    api: str, body: bytes, *, status: int = 200, content_type: bytes = SSE, encoding: bytes = b""
) -> tuple[Answered | None, str]:
    reader = AnswerReader(api, status=status, content_type=content_type, content_encoding=encoding, prefix=PREFIX)
    reader.feed(body, 1.0)
    return reader.finish(), reader.gave_up


def chat_event(delta: str, finish: str = "null") -> bytes:
    return b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":%s,"finish_reason":%s}]}\n\n' % (
        delta.encode(),
        finish.encode(),
    )


def test_calls_without_an_index_are_told_apart_by_their_ids() -> None:
    answered, _ = read(
        "chat_completions",
        chat_event('{"tool_calls":[{"id":"call_a","function":{"name":"f","arguments":"{}"}}]}')
        + chat_event('{"tool_calls":[{"id":"call_b","function":{"name":"g","arguments":"{\\"x\\""}}]}')
        + chat_event('{"tool_calls":[{"function":{"arguments":":1}"}}]}', '"tool_calls"'),
    )
    assert answered is not None
    assert [(call.call_id, call.tool) for call in answered.calls] == [("call_a", "f"), ("call_b", "g")]
    assert [call.arguments_digest for call in answered.calls] == [
        call.arguments_digest for call in without_anchor(("", "", "{}"), ("", "", '{"x":1}'))
    ]


def test_calls_that_all_have_the_same_index_are_told_apart_by_their_ids() -> None:
    piece = '{"tool_calls":[{"index":0,"id":"call_%s","function":{"name":"f","arguments":"{}"}}]}'
    answered, _ = read("chat_completions", chat_event(piece % "a") + chat_event(piece % "b") + b"data: [DONE]\n\n")
    assert answered is not None
    assert [call.call_id for call in answered.calls] == ["call_a", "call_b"]
    assert len({call.anchor for call in answered.calls}) == 2


def test_a_server_that_repeats_id_and_name_with_each_piece() -> None:
    piece = '{"tool_calls":[{"index":0,"id":"call_a","function":{"name":"f","arguments":"%s"}}]}'
    answered, _ = read("chat_completions", chat_event(piece % "{") + chat_event(piece % "}", '"tool_calls"'))
    assert answered is not None
    assert [(call.call_id, call.tool) for call in answered.calls] == [("call_a", "f")]


def test_an_event_that_cannot_be_read_gives_up_what_is_under_way_only() -> None:
    first = chat_event('{"tool_calls":[{"index":0,"id":"call_a","function":{"name":"f","arguments":"{}"}}]}')
    second = chat_event('{"tool_calls":[{"index":1,"id":"call_b","function":{"name":"g","arguments":"{}"}}]}')
    answered, gave_up = read("chat_completions", first + second + b'data: {"choices":\n\n' + chat_event("{}", '"tool_calls"'))
    assert gave_up == "unreadable"
    assert answered is not None
    assert answered.calls == without_anchor(("call_a", "f", "{}"))
    assert answered.finish_reasons == ("tool_calls",)


def test_halves_of_a_surrogate_pair_in_two_events() -> None:
    answered, gave_up = read(
        "chat_completions",
        chat_event('{"content":"\\ud83d"}') + chat_event('{"content":"\\ude00"}', '"stop"') + b"data: [DONE]\n\n",
    )
    assert gave_up == ""
    assert answered is not None
    assert (answered.chunks, answered.finish_reasons, answered.is_whole) == (2, ("stop",), True)


@pytest.mark.parametrize(
    "body",
    [
        b'{"id":7,"model":["m"],"choices":[{"index":0,"message":{"content":5},"finish_reason":"stop"}],"usage":{"prompt_tokens":3}}',
        b'{"id":null,"choices":[{"message":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":"4"}}',
        b'{"choices":[{"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":-1},"error":null,"service_tier":{}}',
    ],
)
def test_a_field_of_a_wrong_type_does_not_cost_the_rest(body: bytes) -> None:
    answered, gave_up = read("chat_completions", body, content_type=b"application/json")
    assert gave_up == ""
    assert answered is not None
    assert (answered.finish_reasons, answered.usage, answered.parameters) == (("stop",), Usage(input=3), {})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"error":{"code":null,"type":"insufficient_quota"}}', "insufficient_quota"),
        (b'{"error":{"code":404,"type":"NotFoundError"}}', "NotFoundError"),
        (b'{"error":{"code":404}}', "404"),
        (b'{"error":"model not found"}', "error"),
        (b'{"error":{"message":"no"}}', "error"),
        (b'{"error":{"code":"' + b"x" * 1000 + b'"}}', "x" * 128),
    ],
)
def test_codes_of_errors(body: bytes, code: str) -> None:
    answered, _ = read("chat_completions", body, status=400, content_type=b"application/json")
    assert answered is not None
    assert answered.error == code


def test_a_blocked_prompt_ends_a_gemini_stream() -> None:
    answered, _ = read("generate_content", b"data: " + case_named("gemini_blocked.json").body + b"\n\n")
    assert answered is not None
    assert answered.is_whole


def test_a_stream_tells_when_it_is_whole() -> None:
    case = case_named("messages_calls.sse")
    reader = case.reader()
    reader.feed(case.body[:-1], 1.0)
    assert not reader.is_whole
    reader.feed(case.body[-1:], 1.0)
    assert reader.is_whole


def test_nothing_after_done_counts() -> None:
    answered, _ = read("chat_completions", b"data: [DONE]\n\n" + chat_event('{"content":"x"}', '"stop"'))
    assert answered is None


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (SSE, b""),
        (SSE, b": ping\n\n: ping\n\n"),
        (SSE, b"event: ping\n\n"),
        (SSE, b"data:\n\n"),
        (b"application/json", b""),
        (b"application/json", b" \r\n\t"),
        (b"text/html", b""),
    ],
)
def test_an_answer_that_says_nothing(content_type: bytes, body: bytes) -> None:
    answered, gave_up = read("chat_completions", body, content_type=content_type)
    assert answered is None
    assert gave_up == ("unreadable" if content_type == b"text/html" else "")


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (b"text/html", b"<html>"),
        (b"application/json", b"<html>"),
        (b"application/json", b'{"id":"c"'),
        (b"application/json", b"[1,2]"),
        (b"application/vnd.amazon.eventstream", b"\0\0\0"),
    ],
)
def test_what_cannot_be_read_is_given_up(content_type: bytes, body: bytes) -> None:
    assert read("chat_completions", body, content_type=content_type) == (None, "unreadable")
    # A page of a gateway is nothing that was given up.
    assert read("chat_completions", body, status=502, content_type=content_type) == (None, "")
