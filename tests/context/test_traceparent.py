"""traceparent: W3C Trace Context level 2, sections 3.2 and 4.3."""

import pytest

from tracer_proxy.context.trace import TraceContext, extract

TRACE = b"4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = b"00f067aa0ba902b7"
IDS = TRACE + b"-" + SPAN


def read(value: bytes) -> TraceContext | None:
    return extract({b"traceparent": value})


def test_a_traceparent_gives_the_trace_the_parent_and_the_decision() -> None:
    assert read(b"00-" + IDS + b"-01") == TraceContext(TRACE, SPAN, True, False, "traceparent")


@pytest.mark.parametrize(
    ("flags", "sampled", "random"),
    [
        (b"00", False, False),
        (b"01", True, False),
        (b"02", False, True),
        (b"03", True, True),
        (b"04", False, False),
        (b"09", True, False),
        (b"0a", False, True),
        (b"f0", False, False),
        (b"fe", False, True),
        (b"ff", True, True),
    ],
)
def test_flags_are_read_bit_by_bit(flags: bytes, sampled: bool, random: bool) -> None:
    """Sampled is bit 0 and random is bit 1, whatever the other bits say."""
    context = read(b"00-" + IDS + b"-" + flags)
    assert context is not None
    assert (context.sampled, context.random) == (sampled, random)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"01-" + IDS + b"-01", id="exactly 55 characters"),
        pytest.param(b"cc-" + IDS + b"-01-what-the-future-will-be-like", id="more after another dash"),
        pytest.param(b"fe-" + IDS + b"-01-", id="nothing after another dash"),
        pytest.param(b"0f-" + IDS + b"-01-\xff\x00", id="whatever stands there is not looked at"),
    ],
)
def test_a_later_version_is_read_by_the_rules_of_version_00(value: bytes) -> None:
    context = read(value)
    assert context is not None
    assert (context.trace_id, context.parent_id, context.sampled) == (TRACE, SPAN, True)


INVALID = {
    "empty": b"",
    "version ff": b"ff-" + IDS + b"-01",
    "version ff with more": b"ff-" + IDS + b"-01-more",
    "version not hex": b"0.-" + IDS + b"-01",
    "version of one digit": b"0-" + IDS + b"-01",
    "version of three digits": b"000-" + IDS + b"-01",
    "upper-case version": b"CC-" + IDS + b"-01",
    "version 00 with a fifth field": b"00-" + IDS + b"-01-more",
    "version 00 with a trailing dash": b"00-" + IDS + b"-01-",
    "version 00 with a trailing dot": b"00-" + IDS + b"-01.",
    "later version without a dash at 55": b"cc-" + IDS + b"-01.what-the-future-will-be-like",
    "later version with long flags": b"cc-" + IDS + b"-011",
    "no flags": b"00-" + IDS,
    "flags of one digit": b"00-" + IDS + b"-1",
    "flags of three digits": b"00-" + IDS + b"-001",
    "flags not hex": b"00-" + IDS + b"-0x",
    "upper-case flags": b"00-" + IDS + b"-0A",
    "upper-case trace id": b"00-" + TRACE.upper() + b"-" + SPAN + b"-01",
    "upper-case parent id": b"00-" + TRACE + b"-00F067AA0BA902B7-01",
    "all-zero trace id": b"00-" + b"0" * 32 + b"-" + SPAN + b"-01",
    "all-zero parent id": b"00-" + TRACE + b"-" + b"0" * 16 + b"-01",
    "all-zero trace id, later version": b"01-" + b"0" * 32 + b"-" + SPAN + b"-01",
    "short trace id": b"00-" + TRACE[1:] + b"-" + SPAN + b"-01",
    "long trace id": b"00-" + TRACE + b"1-" + SPAN + b"-01",
    "short parent id": b"00-" + TRACE + b"-" + SPAN[1:] + b"-01",
    "long parent id": b"00-" + TRACE + b"-" + SPAN + b"1-01",
    "trace id not hex": b"00-" + b"g" + TRACE[1:] + b"-" + SPAN + b"-01",
    "parent id not hex": b"00-" + TRACE + b"-" + SPAN[:-1] + b"x-01",
    "underscores that int() would take": b"00-" + b"4_" + TRACE[2:] + b"-" + SPAN + b"-01",
    "dashes elsewhere": b"00" + TRACE + b"--" + SPAN + b"-01",
    "wrong separators": b"00_" + TRACE + b"_" + SPAN + b"_01",
    "leading space": b" 00-" + IDS + b"-01",
    "trailing newline": b"00-" + IDS + b"-01\n",
    "two headers": b"00-" + IDS + b"-01, 00-" + IDS + b"-01",
    "two headers of a later version": b"01-" + IDS + b"-01, 01-" + IDS + b"-01",
    "two headers of a later version with more": b"01-" + IDS + b"-01-more, 01-" + IDS + b"-01-more",
    "two headers, the second empty": b"00-" + IDS + b"-01, ",
    "two headers, the first empty": b", 00-" + IDS + b"-01",
}


@pytest.mark.parametrize("value", INVALID.values(), ids=INVALID)
def test_an_invalid_traceparent_is_as_good_as_absent(value: bytes) -> None:
    assert read(value) is None


@pytest.mark.parametrize("value", INVALID.values(), ids=INVALID)
def test_an_invalid_traceparent_takes_its_tracestate_along(value: bytes) -> None:
    """Another format may carry the trace on, but the tracestate belonged to the traceparent."""
    context = extract({b"traceparent": value, b"tracestate": b"vendor=1", b"b3": IDS + b"-1"})
    assert context == TraceContext(TRACE, SPAN, True, False, "b3")


def test_names_are_looked_up_in_lower_case_only() -> None:
    """Normalising names is the head reader's job."""
    assert extract({b"Traceparent": b"00-" + IDS + b"-01"}) is None
