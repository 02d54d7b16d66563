"""Buckets: the numbers that keep every user's sessions where they are."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer_proxy.routing.bucket import BUCKETS, bucket, seed


# Computed once, with the first release. A change that makes one of these fail moves every session of every user to another
# bucket, and half of them to another version: change the code back, not the numbers.
@pytest.mark.parametrize(
    ("salt", "key", "number"),
    [
        ("planner", b"alice", 9485),
        ("planner", b"bob", 8282),
        ("planner", b"", 1440),
        ("openai", b"alice", 4184),
        ("color/canary", b"alice", 1631),
        ("planner", "Ł—месяц".encode(), 9477),
        ("planner", b"0af7651916cd43dd8448eb211c80319c", 8369),
    ],
)
def test_known_answers(salt: str, key: bytes, number: int) -> None:
    assert bucket(key, seed(salt)) == number


@pytest.mark.parametrize(
    ("salt", "number"),
    [
        ("planner", 9711836694382504390),
        ("openai", 16515528015398772749),
        ("color/canary", 16407390491355906129),
    ],
)
def test_known_seeds(salt: str, number: int) -> None:
    assert seed(salt) == number


@given(st.binary(max_size=600), st.text(max_size=20))
@settings(deadline=None)
def test_every_key_has_a_bucket(key: bytes, salt: str) -> None:
    assert 0 <= bucket(key, seed(salt)) < BUCKETS


def test_keys_spread_evenly() -> None:
    """100 cells of 2 000 each on average; a cell beyond ± 15 % would be more than six standard deviations away."""
    cells = Counter(bucket(b"user-%d" % number, seed("planner")) // 100 for number in range(200_000))
    assert len(cells) == 100
    assert min(cells.values()) > 1700
    assert max(cells.values()) < 2300
