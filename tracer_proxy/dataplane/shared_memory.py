"""What all workers of a proxy remember together: one file in memory that each of them reads and writes.

There is no delay: what one worker has remembered, the next request finds in any other. And it outlives them: a region whose
process is dead is read as before, until a new process takes it over with all that stands in it.

    one page     a byte for each region, 1 once it has been used; its lock is the region's owner. The secret. The layout
    regions      what a process remembers: a table of ids, one of marks, and one of colours
"""

import fcntl
import os
from binascii import hexlify, unhexlify
from mmap import PAGESIZE, mmap

import xxhash

from tracer_proxy.dataplane.shared_table import SharedTable
from tracer_proxy.limits import (
    COLOR_BUCKETS,
    COLOR_BYTES_MAX,
    MARK_BUCKETS,
    SESSION_NAME_BYTES_MAX,
    STITCH_BUCKETS,
    STITCH_MEMORY_S,
    STITCH_REGIONS_MAX,
    STITCH_RIVALS_MAX,
    STITCH_TOOL_BYTES_MAX,
)
from tracer_proxy.stitching.memory import ANYBODY, Remembered, Settled, as_entered, never, newest_of_each

SECRET_BYTES = 32
_ID_LAYOUT = f"16s16s8s8s?dI{COLOR_BYTES_MAX + 1}p{SESSION_NAME_BYTES_MAX + 1}p{STITCH_TOOL_BYTES_MAX + 1}p"
_NO_HOLDER = bytes(6)
_MARK_LAYOUT = "6sx"
_COLOR_LAYOUT = f"6s{COLOR_BYTES_MAX + 1}p"
ID_TABLE_BYTES = SharedTable.size(_ID_LAYOUT, STITCH_BUCKETS)
MARK_TABLE_BYTES = SharedTable.size(_MARK_LAYOUT, MARK_BUCKETS)
COLOR_TABLE_BYTES = SharedTable.size(_COLOR_LAYOUT, COLOR_BUCKETS)
_REGION_BYTES = ID_TABLE_BYTES + MARK_TABLE_BYTES + COLOR_TABLE_BYTES
_FIRST_REGION = PAGESIZE
FILE_BYTES = _FIRST_REGION + STITCH_REGIONS_MAX * _REGION_BYTES
_SECRET = STITCH_REGIONS_MAX
_LAYOUT = _SECRET + SECRET_BYTES
_COLORED = _LAYOUT + 8
"""1 once anybody has put a colour."""
_LAYOUT_DIGEST = xxhash.xxh3_64_digest(
    repr((1, _ID_LAYOUT, STITCH_BUCKETS, _MARK_LAYOUT, MARK_BUCKETS, _COLOR_LAYOUT, COLOR_BUCKETS)).encode()
)


def create() -> int:
    """A file for one proxy, to be inherited by its processes: its descriptor. It takes memory only where it is written."""
    fd = os.memfd_create("tracer-proxy-memory", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, FILE_BYTES)
    # A file that got shorter would kill whoever reads beyond its end.
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    os.pwrite(fd, os.urandom(SECRET_BYTES) + _LAYOUT_DIGEST, _SECRET)
    return fd


class SharedMemory:
    """Reads every region, and writes one: a free one, which it owns until its process ends.

    To be made after the fork, one in a process, and kept for its life: a process that closes any descriptor of the file, this
    object's own included, gives its region away. Where all regions are taken it only reads. ``region`` is for several in one
    process, which share its locks.
    """

    def __init__(self, fd: int, region: int | None = None) -> None:
        if os.fstat(fd).st_size != FILE_BYTES or os.pread(fd, len(_LAYOUT_DIGEST), _LAYOUT) != _LAYOUT_DIGEST:
            raise ValueError("the shared memory is not of this version of the proxy: let create() make one")
        self._map = mmap(fd, FILE_BYTES)
        self.secret = self._map[_SECRET : _SECRET + SECRET_BYTES]
        self._ids = SharedTable(self._map, _ID_LAYOUT, STITCH_BUCKETS, STITCH_MEMORY_S)
        self._marks = SharedTable(self._map, _MARK_LAYOUT, MARK_BUCKETS, STITCH_MEMORY_S)
        self._colors = SharedTable(self._map, _COLOR_LAYOUT, COLOR_BUCKETS, STITCH_MEMORY_S)
        self._used = b""
        self.region = _claim(fd) if region is None else region
        """``None`` if it only reads."""
        if self.region is not None:
            self._map[self.region] = 1
            base = _FIRST_REGION + self.region * _REGION_BYTES
            self._ids.own, self._marks.own, self._colors.own = (
                base,
                base + ID_TABLE_BYTES,
                base + ID_TABLE_BYTES + MARK_TABLE_BYTES,
            )
        self._look()

    def put(self, key: bytes, value: Remembered, is_settled: Settled = never) -> None:
        self._look()
        if value.holder != ANYBODY:
            value = as_entered(value, self._present(key), is_settled)
        self._ids.store(
            key,
            value.holder,
            STITCH_RIVALS_MAX,
            value.at,
            value.is_shared,
            unhexlify(value.trace_id),
            unhexlify(value.root_id),
            unhexlify(value.span_id),
            value.sampled,
            value.began,
            value.steps,
            value.color,
            value.session,
            value.tool,
        )

    def get(self, key: bytes, now: float) -> list[Remembered]:
        self._look()
        found = [entry for entry in self._present(key) if entry.is_live(now)]
        return newest_of_each(found) if len(found) > 1 else found

    def has_dropped(self, key: bytes, since: float) -> bool:
        self._look()
        return self._ids.has_dropped(key, since)

    def mark(self, key: bytes, now: float) -> None:
        self._marks.store(key, _NO_HOLDER, 1, now, False)

    def marked_at(self, key: bytes) -> float:
        self._look()
        return max((at for _, _, at, _, _ in self._marks.find(key)), default=0.0)

    def is_marked(self, key: bytes, now: float) -> bool:
        return abs(now - self.marked_at(key)) <= STITCH_MEMORY_S

    def put_color(self, key: bytes, color: bytes, now: float, is_share: bool) -> None:
        self._map[_COLORED] = 1
        # A share can be drawn again: what was said is kept rather.
        self._colors.store(key, _NO_HOLDER, 1, now, not is_share, color)

    def has_colors(self) -> bool:
        return self._map[_COLORED] == 1

    def get_color(self, key: bytes, now: float) -> tuple[bytes, bool]:
        self._look()
        newest, color, was_said = -1.0, b"", True
        for _, _, at, mark, _, found in self._colors.find(key):
            if at > newest and abs(now - at) <= STITCH_MEMORY_S:
                newest, color, was_said = at, found, mark
        return color, not was_said

    def close(self) -> None:
        self._map.close()

    def _present(self, key: bytes) -> list[Remembered]:
        return [
            Remembered(
                hexlify(trace),
                hexlify(root),
                hexlify(span),
                sampled,
                color,
                session,
                at,
                began,
                steps,
                tool,
                holder,
                bool(mark),
            )
            for _, _, at, mark, holder, trace, root, span, sampled, began, steps, color, session, tool in self._ids.find(key)
        ]

    def _look(self) -> None:
        """Sees which regions are in use."""
        used = self._map[:STITCH_REGIONS_MAX]
        if used != self._used:
            self._used = used
            regions = [_FIRST_REGION + region * _REGION_BYTES for region in range(STITCH_REGIONS_MAX) if used[region]]
            self._ids.bases = regions
            self._marks.bases = [base + ID_TABLE_BYTES for base in regions]
            self._colors.bases = [base + ID_TABLE_BYTES + MARK_TABLE_BYTES for base in regions]


def _claim(fd: int) -> int | None:
    """The first region that no living process owns. The kernel gives a dead one's lock back."""
    for region in range(STITCH_REGIONS_MAX):
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, region)
        except OSError:
            continue
        return region
    return None
