"""False alarms and misses of the real judge, in rollouts with a clock that is turned by hand."""

from collections import Counter

import pytest

from gameday.lanes import BAD, BASELINE, ERRORS_6, Lane
from gameday.simulation import EXCHANGES, STEPS, Setting, run_rollout
from tracer_proxy.rollout.course import Status

QUICK = Setting(hold_s=100.0)
"""The judge looks 20 times within a step."""


def statuses(canary: Lane, rollouts: int, setting: Setting) -> Counter[Status]:
    return Counter(run_rollout(canary, seed, setting).status for seed in range(rollouts))


@pytest.mark.timeout(300)
def test_of_200_healthy_canaries_at_most_2_are_rolled_back_and_the_others_promoted() -> None:
    ended = statuses(BASELINE, 200, QUICK)
    assert ended[Status.ROLLED_BACK] <= 2
    assert ended[Status.PROMOTED] >= 195


def test_of_200_canaries_with_6_percent_errors_instead_of_1_at_least_195_are_caught() -> None:
    """Within as many exchanges as five steps have."""
    ended = [run_rollout(BAD[ERRORS_6], seed, QUICK) for seed in range(200)]
    caught = [each for each in ended if each.status is Status.ROLLED_BACK and each.exchanges <= len(STEPS) * EXCHANGES]
    assert len(caught) >= 195
    assert Status.PROMOTED not in {each.status for each in ended}


@pytest.mark.parametrize("kind", BAD)
def test_bad_canaries_of_every_kind_are_caught(kind: str) -> None:
    assert statuses(BAD[kind], 10, QUICK)[Status.ROLLED_BACK] == 10


def test_a_small_share_and_many_looks_make_no_false_alarms() -> None:
    assert statuses(BASELINE, 5, Setting(hold_s=300.0, share=0.1))[Status.ROLLED_BACK] == 0


def test_a_canary_that_only_fails_is_caught_at_the_first_looks() -> None:
    for seed in range(20):
        ended = run_rollout(BAD["100 % errors"], seed, Setting())
        assert (ended.status, ended.step) == (Status.ROLLED_BACK, 0)
        assert ended.exchanges <= 2 * EXCHANGES // 60 + 2


def test_a_step_has_as_many_exchanges_as_told() -> None:
    best = Lane(errors=0.0, latency=1.0, first_token=0.2, tokens=700.0, confidence=0.95)
    for setting in (QUICK, Setting()):
        ended = run_rollout(best, 1, setting)
        assert (ended.status, ended.exchanges) == (Status.PROMOTED, len(STEPS) * EXCHANGES)
