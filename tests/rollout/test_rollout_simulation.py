"""False alarms and misses of the real judge, in rollouts with a clock that is turned by hand."""

from collections import Counter

import pytest
from rollout_simulation import BAD, BASELINE, Lane, Setting, run_rollout


def outcomes(canary: Lane, rollouts: int, setting: Setting) -> Counter[str]:
    return Counter(run_rollout(canary, seed, setting).outcome for seed in range(rollouts))


@pytest.mark.timeout(300)
def test_of_200_healthy_canaries_at_most_2_are_rolled_back_and_the_others_promoted() -> None:
    ended = outcomes(BASELINE, 200, Setting(looks=20, patience=4))
    assert ended["rolled back"] <= 2
    assert ended["promoted"] >= 195


def test_of_200_canaries_with_6_percent_errors_instead_of_1_at_least_195_are_caught() -> None:
    ended = outcomes(BAD["errors 1 % to 6 %"], 200, Setting(looks=20))
    assert ended["rolled back"] >= 195
    assert ended["promoted"] == 0


@pytest.mark.parametrize("kind", BAD)
def test_bad_canaries_of_every_kind_are_caught_when_an_undecided_step_waits(kind: str) -> None:
    assert outcomes(BAD[kind], 10, Setting(looks=20, patience=4))["rolled back"] == 10


def test_a_small_share_and_many_looks_make_no_false_alarms() -> None:
    assert outcomes(BASELINE, 5, Setting(looks=60, share=0.1))["rolled back"] == 0


def test_a_canary_that_only_fails_is_caught_at_the_first_looks() -> None:
    for seed in range(20):
        ended = run_rollout(BAD["errors 100 %"], seed, Setting(looks=60))
        assert (ended.outcome, ended.step) == ("rolled back", 0)
        assert ended.look <= 1
