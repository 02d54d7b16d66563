"""A confidence has to stay low for as long as the plan says, however busy the time is."""

from tracer_proxy.limits import ROLLOUT_CONFIDENCE_PARTS
from tracer_proxy.rollout.recent import Recent
from tracer_proxy.telemetry.evidence import Evidence

FOR_S, BOUND = 300.0, 0.65
PART_S = int(FOR_S / ROLLOUT_CONFIDENCE_PARTS)
"""How exact it is: what begins or ends within a part may count for the whole of it."""


def confident(count: int, value: float) -> Evidence:
    return Evidence(exchanges=count, confidences=count, confidence_sum=count * value, confidence_squares=count * value**2)


def run(recent: Recent, seconds: int, count: int, value: float) -> None:
    for _ in range(seconds):
        recent.ran_s += 1
        if count:
            recent.add(confident(count, value), FOR_S)


def test_a_busy_dip_does_not_count_before_its_time() -> None:
    recent = Recent()
    run(recent, 600, 2, 0.9)
    for _ in range(300 - PART_S):
        run(recent, 1, 10, 0.3)
        assert recent.of_last(FOR_S, BOUND) is None, "most values are low, but not for long enough"
    run(recent, PART_S + 10, 10, 0.3)
    found = recent.of_last(FOR_S, BOUND)
    assert found is not None
    assert 2900 <= found.confidences <= 3110


def test_what_recovers_in_between_has_not_stayed_low() -> None:
    recent = Recent()
    run(recent, 300, 5, 0.3)
    assert recent.of_last(FOR_S, BOUND) is not None
    run(recent, 60, 5, 0.8)
    assert recent.of_last(FOR_S, BOUND) is None
    run(recent, 299 - PART_S, 5, 0.3)
    assert recent.of_last(FOR_S, BOUND) is None
    run(recent, PART_S + 11, 5, 0.3)
    assert recent.of_last(FOR_S, BOUND) is not None


def test_time_without_values_says_nothing() -> None:
    recent = Recent()
    run(recent, 100, 5, 0.3)
    run(recent, 200, 0, 0.0)
    found = recent.of_last(FOR_S, BOUND)
    assert found is not None
    assert found.confidences == 500
