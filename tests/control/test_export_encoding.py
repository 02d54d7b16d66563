"""The project's encoder writes what the SDK's does, byte for byte."""

from typing import Any

from export_cases import records
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from span_cases import BEGAN, answered, asked, attempt, llm_record, spans, tool_run

from tracer_proxy import __version__, limits
from tracer_proxy.control.export import otlp_encoding
from tracer_proxy.control.export.otlp_encoding import Encoder
from tracer_proxy.control.export.sdk_spans import SCOPE, SdkSpans
from tracer_proxy.telemetry.record import Link
from tracer_proxy.telemetry.spans import Kind, SpanData, SpanEvent, SpanLink
from tracer_proxy.telemetry.spans.names import PROFILES

SDK = SdkSpans("v1.41", "tests")
ENCODER = Encoder(SDK.resource.attributes or {}, SCOPE, __version__, PROFILES["v1.41"].schema_url)

_names = st.text(min_size=1, max_size=20)
_texts = st.text(max_size=200)
_values: st.SearchStrategy[Any] = st.one_of(
    _texts,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.lists(_texts, max_size=3),
)
_attributes = st.dictionaries(_names, _values, max_size=8)
_times = st.integers(1, 2**64 - 1)


def _ids(size: int) -> st.SearchStrategy[str]:
    return st.binary(min_size=size, max_size=size).filter(any).map(bytes.hex)


_spans = st.builds(
    SpanData,
    name=_names,
    kind=st.sampled_from(Kind),
    trace_id=_ids(16),
    span_id=_ids(8),
    parent_id=st.one_of(st.just(""), _ids(8)),
    is_parent_remote=st.booleans(),
    trace_state=st.sampled_from(["", "vendor=1", "a=1,b=2"]),
    start_ns=_times,
    end_ns=_times,
    attributes=_attributes,
    events=st.lists(st.builds(SpanEvent, _names, _times, _attributes), max_size=2),
    links=st.lists(st.builds(SpanLink, _ids(16), _ids(8), _attributes), max_size=2),
    is_error=st.booleans(),
    description=_texts,
)


def by_the_sdk(made: list[SpanData]) -> bytes:
    encoded: bytes = encode_spans([SDK.span(span) for span in made]).SerializePartialToString()
    return encoded


@given(st.lists(_spans, min_size=1, max_size=3))
def test_any_span(made: list[SpanData]) -> None:
    assert ENCODER.request(made) == by_the_sdk(made)


def test_spans_of_records() -> None:
    made = [
        *spans(
            llm_record(
                asked=asked(content={"messages": [{"role": "user", "parts": [{"type": "text", "content": "ä" * 300}]}]}),
                answered=answered(first_chunk_at=BEGAN + 1),
                attempts=[attempt(status=None, error="connect_timeout"), attempt()],
                tools=[tool_run(failed=True)],
                links=[Link(b"a" * 32, b"b" * 16, "previous_turn")],
                is_stream=True,
            )
        ),
        *(span for record in records(100) for span in spans(record)),
    ]
    assert ENCODER.request(made) == by_the_sdk(made)
    assert ENCODER.request(made) == by_the_sdk(made)


def test_what_is_remembered_is_bounded_and_does_not_show(monkeypatch: Any) -> None:
    monkeypatch.setattr(otlp_encoding, "ENCODED_ATTRIBUTES_MAX", 10)
    encoder = Encoder(SDK.resource.attributes or {}, SCOPE, __version__, PROFILES["v1.41"].schema_url)
    made = [span for record in records(20) for span in spans(record)]
    assert encoder.request(made) == by_the_sdk(made)
    assert len(encoder._known) <= 10
    assert limits.ENCODED_ATTRIBUTES_MAX > 100


def test_numbers_that_look_alike_stay_apart() -> None:
    (span, *_) = spans(records(1)[0])
    for value in (1, True, 1.0, "1"):
        span.attributes = {"n": value}
        assert ENCODER.request([span]) == by_the_sdk([span])


def test_a_number_that_is_too_large_is_left_out() -> None:
    (span, *_) = spans(records(1)[0])
    span.attributes = {"large": 2**64, "n": 1}
    with_it = ENCODER.request([span])
    span.attributes = {"n": 1}
    assert with_it == ENCODER.request([span])
