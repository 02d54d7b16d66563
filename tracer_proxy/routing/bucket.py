"""Where a session falls in a split: one of ten thousand buckets, the same on every replica, version and restart.

The seed is a hash of the salt (the route's name, or the rule's), so two routes split independently. Known answers are tested;
changing anything here would move every session of every user.
"""

from xxhash import xxh3_64_intdigest

BUCKETS = 10_000


def seed(salt: str) -> int:
    return xxh3_64_intdigest(salt.encode())


def bucket(key: bytes, seed: int) -> int:
    """0 to 9 999."""
    return xxh3_64_intdigest(key, seed) % BUCKETS
