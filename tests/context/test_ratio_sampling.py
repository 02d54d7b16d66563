"""Sampling by ratio: the same answer everywhere, from the right-most 56 bits of the trace id."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer_proxy.context.trace import ratio_sampled, ratio_threshold

trace_ids = st.binary(min_size=16, max_size=16).map(lambda raw: raw.hex().encode())


@given(trace_ids)
def test_ratio_one_keeps_and_ratio_zero_drops_everything(trace_id: bytes) -> None:
    assert ratio_sampled(trace_id, ratio_threshold(1.0)) is True
    assert ratio_sampled(trace_id, ratio_threshold(0.0)) is False


@pytest.mark.parametrize(
    ("right_56_bits", "ratio", "kept"),
    [
        (b"80000000000000", 0.5, True),
        (b"7fffffffffffff", 0.5, False),
        (b"c0000000000000", 0.25, True),
        (b"bfffffffffffff", 0.25, False),
        (b"ffffffffffffff", 0.000001, True),
        (b"00000000000000", 0.999999, False),
    ],
)
def test_known_answers_of_the_threshold_of_rejection(right_56_bits: bytes, ratio: float, kept: bool) -> None:
    """An id is kept when its random part reaches the threshold (1 - ratio) * 2**56; the left 72 bits do not count."""
    for left in (b"0" * 17 + b"1", b"f" * 18):
        assert ratio_sampled(left + right_56_bits, ratio_threshold(ratio)) is kept


@given(trace_ids, st.floats(0, 1), st.floats(0, 1))
def test_what_a_lower_ratio_keeps_a_higher_one_keeps_too(trace_id: bytes, one: float, two: float) -> None:
    low, high = sorted((one, two))
    if ratio_sampled(trace_id, ratio_threshold(low)):
        assert ratio_sampled(trace_id, ratio_threshold(high))


def test_the_share_is_the_ratio() -> None:
    """20 000 ids with a fixed seed: 25 % within five standard deviations."""
    dice = random.Random(7)
    kept = sum(ratio_sampled(b"%032x" % dice.getrandbits(128), ratio_threshold(0.25)) for _ in range(20_000))
    assert abs(kept - 5_000) < 5 * (20_000 * 0.25 * 0.75) ** 0.5


@pytest.mark.parametrize("ratio", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_ratio_outside_zero_to_one_is_refused(ratio: float) -> None:
    with pytest.raises(ValueError, match=r"sampling ratio .* is outside 0\.0 to 1\.0"):
        ratio_threshold(ratio)
