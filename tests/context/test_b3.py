"""B3, single and multiple headers: every row of the table of required behaviour, and what is malformed."""

import pytest

from tracer_proxy.context.trace import TraceContext, extract, sampling_hint

TRACE = b"463ac35c9f6413ad48485a3953bb6124"
SHORT = b"48485a3953bb6124"
SPAN = b"a2fb4a1d1a96d312"
PARENT = b"0020000000000001"
IDS = TRACE + b"-" + SPAN
MULTI = {b"x-b3-traceid": TRACE, b"x-b3-spanid": SPAN}


@pytest.mark.parametrize(
    ("value", "sampled", "debug"),
    [
        pytest.param(IDS, None, False, id="defer"),
        pytest.param(IDS + b"-0", False, False, id="deny"),
        pytest.param(IDS + b"-1", True, False, id="accept"),
        pytest.param(IDS + b"-d", True, True, id="debug"),
        pytest.param(IDS + b"-0-" + PARENT, False, False, id="deny with parent"),
        pytest.param(IDS + b"-1-" + PARENT, True, False, id="accept with parent"),
        pytest.param(IDS + b"-1-" + b"0" * 16, True, False, id="a root that names zeros as its parent"),
    ],
)
def test_single_header(value: bytes, sampled: bool | None, debug: bool) -> None:
    assert extract({b"b3": value}) == TraceContext(TRACE, SPAN, sampled, False, "b3", debug=debug)


@pytest.mark.parametrize(
    ("more", "sampled", "debug"),
    [
        pytest.param({}, None, False, id="defer"),
        pytest.param({b"x-b3-sampled": b"0"}, False, False, id="deny"),
        pytest.param({b"x-b3-sampled": b"1"}, True, False, id="accept"),
        pytest.param({b"x-b3-sampled": b"false"}, False, False, id="deny as old tracers write it"),
        pytest.param({b"x-b3-sampled": b"true"}, True, False, id="accept as old tracers write it"),
        pytest.param({b"x-b3-flags": b"1"}, True, True, id="debug implies accept"),
        pytest.param({b"x-b3-flags": b"1", b"x-b3-sampled": b"0"}, True, True, id="debug is the stronger word"),
        pytest.param({b"x-b3-flags": b"0", b"x-b3-sampled": b"0"}, False, False, id="flags 0 says nothing"),
        pytest.param({b"x-b3-sampled": b"maybe"}, None, False, id="an unknown state is as good as absent"),
        pytest.param({b"x-b3-sampled": b"1, 0"}, None, False, id="and so is a doubled one"),
        pytest.param({b"x-b3-parentspanid": PARENT}, None, False, id="parent"),
        pytest.param({b"x-b3-parentspanid": b"junk"}, None, False, id="a parent is never used"),
        pytest.param({b"b3": b"0", b"x-b3-sampled": b"1"}, False, False, id="a lone b3 deny goes before x-b3-sampled"),
        pytest.param({b"b3": b"0", b"x-b3-flags": b"1"}, False, False, id="and before x-b3-flags"),
    ],
)
def test_multiple_headers(more: dict[bytes, bytes], sampled: bool | None, debug: bool) -> None:
    assert extract(MULTI | more) == TraceContext(TRACE, SPAN, sampled, False, "b3multi", debug=debug)


@pytest.mark.parametrize("fields", [{b"b3": SHORT + b"-" + SPAN + b"-1"}, MULTI | {b"x-b3-traceid": SHORT}])
def test_a_64_bit_trace_id_is_padded_and_not_called_random(fields: dict[bytes, bytes]) -> None:
    context = extract(fields)
    assert context is not None
    assert context.trace_id == b"0" * 16 + SHORT
    assert context.random is False


@pytest.mark.parametrize("fields", [{b"b3": IDS + b"-1"}, MULTI])
def test_a_128_bit_trace_id_is_not_called_random_either(fields: dict[bytes, bytes]) -> None:
    """B3 does not say how an id was made; unset stays unset."""
    context = extract(fields)
    assert context is not None
    assert context.random is False


MALFORMED = {
    "empty": b"",
    "trace id alone": TRACE,
    "five fields": IDS + b"-1-" + PARENT + b"-1",
    "empty state": IDS + b"-",
    "unknown state": IDS + b"-2",
    "upper-case debug": IDS + b"-D",
    "state spelt out": IDS + b"-true",
    "parent in place of the state": IDS + b"-" + PARENT,
    "short parent": IDS + b"-1-" + PARENT[1:],
    "parent not hex": IDS + b"-1-" + b"x" * 16,
    "upper-case trace id": TRACE.upper() + b"-" + SPAN + b"-1",
    "upper-case span id": TRACE + b"-" + SPAN.upper() + b"-1",
    "all-zero trace id": b"0" * 32 + b"-" + SPAN + b"-1",
    "all-zero 64-bit trace id": b"0" * 16 + b"-" + SPAN + b"-1",
    "all-zero span id": TRACE + b"-" + b"0" * 16 + b"-1",
    "trace id of 31 digits": TRACE[1:] + b"-" + SPAN + b"-1",
    "trace id of 17 digits": SHORT + b"1-" + SPAN + b"-1",
    "trace id of 48 digits": TRACE + SHORT + b"-" + SPAN + b"-1",
    "trace id not hex": b"g" * 32 + b"-" + SPAN + b"-1",
    "span id of 15 digits": TRACE + b"-" + SPAN[1:] + b"-1",
    "span id of 17 digits": TRACE + b"-" + SPAN + b"1-1",
    "span id not hex": TRACE + b"-" + b"z" * 16 + b"-1",
    "two headers": IDS + b"-1, " + IDS + b"-1",
    "two headers that defer": IDS + b", " + IDS,
    "trailing newline": IDS + b"-1\n",
}


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_single_header_is_as_good_as_absent(value: bytes) -> None:
    assert extract({b"b3": value}) is None
    assert sampling_hint({b"b3": value}) is None


@pytest.mark.parametrize("value", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_single_header_never_overrides_multiple_headers(value: bytes) -> None:
    assert extract({b"b3": value} | MULTI | {b"x-b3-sampled": b"1"}) == TraceContext(TRACE, SPAN, True, False, "b3multi")


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({b"x-b3-traceid": TRACE}, id="no span id"),
        pytest.param({b"x-b3-spanid": SPAN}, id="no trace id"),
        pytest.param(MULTI | {b"x-b3-traceid": TRACE.upper()}, id="upper-case trace id"),
        pytest.param(MULTI | {b"x-b3-spanid": SPAN.upper()}, id="upper-case span id"),
        pytest.param(MULTI | {b"x-b3-traceid": b"0" * 32}, id="all-zero trace id"),
        pytest.param(MULTI | {b"x-b3-traceid": b"0" * 16}, id="all-zero 64-bit trace id"),
        pytest.param(MULTI | {b"x-b3-spanid": b"0" * 16}, id="all-zero span id"),
        pytest.param(MULTI | {b"x-b3-traceid": TRACE[2:]}, id="trace id of 30 digits"),
        pytest.param(MULTI | {b"x-b3-spanid": SPAN[2:]}, id="span id of 14 digits"),
        pytest.param(MULTI | {b"x-b3-traceid": b"g" * 32}, id="trace id not hex"),
        pytest.param(MULTI | {b"x-b3-traceid": TRACE + b", " + TRACE}, id="trace id twice"),
        pytest.param(MULTI | {b"x-b3-spanid": SPAN + b", " + SPAN}, id="span id twice"),
    ],
)
def test_malformed_multiple_headers_are_as_good_as_absent(fields: dict[bytes, bytes]) -> None:
    assert extract(fields) is None


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        pytest.param({b"b3": b"0"}, False, id="b3 deny"),
        pytest.param({b"b3": b"1"}, True, id="b3 accept"),
        pytest.param({b"b3": b"d"}, True, id="b3 debug"),
        pytest.param({b"x-b3-sampled": b"0"}, False, id="multi deny"),
        pytest.param({b"x-b3-sampled": b"1"}, True, id="multi accept"),
        pytest.param({b"x-b3-flags": b"1"}, True, id="multi debug"),
        pytest.param({b"b3": b"0", b"x-b3-sampled": b"1"}, False, id="b3 goes first"),
        pytest.param({b"b3": b"9", b"x-b3-sampled": b"1"}, True, id="an invalid b3 does not"),
        pytest.param({b"x-b3-sampled": b"0", b"x-b3-traceid": b"junk"}, False, id="ids that are no ids"),
        pytest.param({b"b3": b"0, 0"}, None, id="b3 twice"),
        pytest.param({}, None, id="nothing"),
    ],
)
def test_a_sampling_state_without_ids_is_a_hint_for_a_new_trace(fields: dict[bytes, bytes], hint: bool | None) -> None:
    assert extract(fields) is None
    assert sampling_hint(fields) is hint
