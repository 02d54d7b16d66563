"""A table of fixed-size entries in memory that several processes share without a lock.

Each process writes its own region only, and reads all of them. A bucket is eight keys, by which an entry is found fast, and
then their entries. An entry says its key again and begins with a checksum of the rest, so that one which is read while it is
written, or whose writer was killed over it, is as good as absent. A key may stand in one bucket of each region; where that is
full, the entry of least use goes, and the bucket says from when the newest was that had to go.
"""

from collections.abc import Iterator
from mmap import mmap
from struct import Struct
from typing import Any

import xxhash

KEY_BYTES = 16
BUCKET_ENTRIES = 8
_KEYS_BYTES = BUCKET_ENTRIES * KEY_BYTES
_DROPPED = Struct("<d")
"""Unix seconds; 0 if nothing ever had to go."""
HEAD_BYTES = _KEYS_BYTES + _DROPPED.size
_CHECKSUM_BYTES = 8
_PREFIX = "<Q16sdB"
"""Checksum, key, when it was written in Unix seconds, and 1 if it is to be kept rather than others."""
_BEFORE_AGE_BYTES = 24
_AGE_BYTES = 9


class SharedTable:
    """``layout`` is that of what follows an entry's prefix; its first field is the entry's holder."""

    def __init__(self, shared: mmap, layout: str, buckets: int, lifetime_s: float) -> None:
        self._map = shared
        self._entry = Struct(_PREFIX + layout)
        after = self._entry.size - _BEFORE_AGE_BYTES - _AGE_BYTES
        self._ages = Struct("<" + f"{_BEFORE_AGE_BYTES}xdB{after}x" * BUCKET_ENTRIES)
        self._bucket_bytes = HEAD_BYTES + self._ages.size
        self._buckets = buckets
        self._lifetime_s = lifetime_s
        self.bases: list[int] = []
        """Where the regions in use have this table."""
        self.own: int | None = None
        """Where this process may write."""

    @staticmethod
    def size(layout: str, buckets: int) -> int:
        """Bytes that the table takes in each region."""
        return (HEAD_BYTES + Struct(_PREFIX + layout).size * BUCKET_ENTRIES) * buckets

    def find(self, key: bytes) -> list[tuple[Any, ...]]:
        """Every whole entry under ``key``: checksum, key, time, the mark, and what ``layout`` says."""
        start = self._bucket(key)
        found: list[tuple[Any, ...]] = []
        for base in self.bases:
            bucket = base + start
            if self._map.find(key, bucket, bucket + _KEYS_BYTES) >= 0:
                found += [entry for _, entry in self._alike(bucket, key)]
        return found

    def has_dropped(self, key: bytes, since: float) -> bool:
        """Whether an entry from after ``since`` that may have been under ``key`` had to make room for another."""
        dropped = self._bucket(key) + _KEYS_BYTES
        return any(_DROPPED.unpack_from(self._map, base + dropped)[0] > since for base in self.bases)

    def store(self, key: bytes, holder: bytes, alike_max: int, at: float, is_kept: bool, *values: object) -> None:
        """Writes an entry over that of the same holder if there is one; at most ``alike_max`` stay under ``key``."""
        if self.own is None:
            return
        bucket = self.own + self._bucket(key)
        place = self._place(bucket, key, holder, alike_max, at)
        entry = self._entry.pack(0, key, at, is_kept, holder, *values)
        checksum = xxhash.xxh3_64_intdigest(entry[_CHECKSUM_BYTES:]).to_bytes(_CHECKSUM_BYTES, "little")
        start = bucket + HEAD_BYTES + place * self._entry.size
        self._map[start : start + self._entry.size] = checksum + entry[_CHECKSUM_BYTES:]
        start = bucket + place * KEY_BYTES
        self._map[start : start + KEY_BYTES] = key

    def _bucket(self, key: bytes) -> int:
        return int.from_bytes(key[:4], "little") % self._buckets * self._bucket_bytes

    def _alike(self, bucket: int, key: bytes) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """The place in the bucket and the entry, of each whole entry under ``key``."""
        size = self._entry.size
        found = self._map.find(key, bucket, bucket + _KEYS_BYTES)
        while found >= 0:
            place, rest = divmod(found - bucket, KEY_BYTES)
            if not rest:
                start = bucket + HEAD_BYTES + place * size
                raw = self._map[start : start + size]
                entry = self._entry.unpack(raw)
                if entry[1] == key and entry[0] == xxhash.xxh3_64_intdigest(raw[_CHECKSUM_BYTES:]):
                    yield place, entry
            found = self._map.find(key, found + 1, bucket + _KEYS_BYTES)

    def _place(self, bucket: int, key: bytes, holder: bytes, alike_max: int, now: float) -> int:
        alike = []
        for place, entry in self._alike(bucket, key):
            if entry[4] == holder:
                return place
            alike.append((entry[2], place))
        return min(alike)[1] if len(alike) >= alike_max else self._least_useful(bucket, now)

    def _least_useful(self, bucket: int, now: float) -> int:
        """A free or expired one, else the oldest of those that are not to be kept, else the oldest."""
        ages = self._ages.unpack_from(self._map, bucket + HEAD_BYTES)
        best, best_rank = 0, (2, 0.0)
        for place in range(BUCKET_ENTRIES):
            at = ages[2 * place]
            # Not a number, or a time far ahead: the rest of a write that was cut short.
            if not abs(now - at) <= self._lifetime_s:
                return place
            rank = (ages[2 * place + 1], at)
            if rank < best_rank:
                best, best_rank = place, rank
        newest = max(best_rank[1], *_DROPPED.unpack_from(self._map, bucket + _KEYS_BYTES))
        _DROPPED.pack_into(self._map, bucket + _KEYS_BYTES, newest)
        return best
