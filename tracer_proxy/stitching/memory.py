"""What is remembered of an answer, and what a memory must do.

A key that is found with two holders tells nothing, so a memory keeps both, or says of the newer that it is shared. The mark
outlives the older holder: what has come twice may come again.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, Protocol

from tracer_proxy.limits import STITCH_MEMORY_S, STITCH_RIVALS_MAX

ANYBODY: Final = bytes(16)


class Remembered(NamedTuple):
    """Ids are lower-case hex; times are Unix seconds."""

    trace_id: bytes
    root_id: bytes
    """The span that later steps hang under: of the first request's inbound leg."""
    span_id: bytes
    """Of the attempt that handed the id out; for a pending call, of the tool's run."""
    sampled: bool
    color: bytes
    session: bytes
    at: float
    """When the answer was whole."""
    began: float
    """When the trace began."""
    steps: int
    """Exchanges of the trace so far, on the way to this one."""
    tool: bytes = b""
    holder: bytes = ANYBODY
    """16 bytes that tell two holders of a key apart: the trace, or the call. ``ANYBODY`` where the newest simply replaces."""
    is_shared: bool = False
    """Another holder had the key when this one came."""

    def is_live(self, now: float) -> bool:
        # The clock may be set back a little between the two; far off, the entry is nonsense.
        return abs(now - self.at) <= STITCH_MEMORY_S


Settled = Callable[[Remembered], bool]
"""Whether a holder of the key need not be counted as a rival any more."""


def never(_: Remembered) -> bool:
    return False


class Memory(Protocol):
    def put(self, key: bytes, value: Remembered, is_settled: Settled = never) -> None:
        """``key`` has 16 bytes. Replaces what the same holder had there; any other holder, live or not, makes it shared."""

    def get(self, key: bytes, now: float) -> list[Remembered]:
        """The live ones, the newest of each holder, newest first."""

    def has_dropped(self, key: bytes, since: float) -> bool:
        """Whether an entry from after ``since`` that may have been under ``key`` is gone because there was no room."""

    def mark(self, key: bytes, now: float) -> None: ...

    def marked_at(self, key: bytes) -> float:
        """When last; 0 for never."""

    def is_marked(self, key: bytes, now: float) -> bool: ...


def the_only(found: list[Remembered]) -> Remembered | None:
    """The one holder of a key; ``None`` if there is none, or if there may be two."""
    return found[0] if len(found) == 1 and not found[0].is_shared else None


def as_entered(value: Remembered, present: Iterable[Remembered], is_settled: Settled) -> Remembered:
    """``value`` with the mark that it gets beside what is there under its key."""
    if value.is_shared:
        return value
    for other in present:
        if other.is_shared if other.holder == value.holder else not is_settled(other):
            return value._replace(is_shared=True)
    return value


def newest_of_each(present: Iterable[Remembered]) -> list[Remembered]:
    """One for each holder, newest first; shared as soon as one of its entries says so."""
    newest: dict[bytes, Remembered] = {}
    for entry in present:
        known = newest.get(entry.holder)
        if known is None:
            newest[entry.holder] = entry
            continue
        later = entry if entry.at > known.at else known
        newest[entry.holder] = later._replace(is_shared=known.is_shared or entry.is_shared)
    return sorted(newest.values(), key=lambda entry: entry.at, reverse=True)


class LocalMemory:
    """Of one process; the least recently written keys go first."""

    def __init__(self, keys_max: int) -> None:
        self._keys_max = keys_max
        self._held: OrderedDict[bytes, list[Remembered]] = OrderedDict()
        self._marks: OrderedDict[bytes, float] = OrderedDict()
        self._newest_dropped = 0.0

    def put(self, key: bytes, value: Remembered, is_settled: Settled = never) -> None:
        present = self._held.pop(key, [])
        others = sorted((other for other in present if other.holder != value.holder), key=lambda other: other.at, reverse=True)
        self._held[key] = [as_entered(value, present, is_settled), *others[: STITCH_RIVALS_MAX - 1]]
        if len(self._held) > self._keys_max:
            _, dropped = self._held.popitem(last=False)
            self._newest_dropped = max(self._newest_dropped, *(entry.at for entry in dropped))

    def get(self, key: bytes, now: float) -> list[Remembered]:
        return newest_of_each(entry for entry in self._held.get(key, ()) if entry.is_live(now))

    def has_dropped(self, key: bytes, since: float) -> bool:
        return self._newest_dropped > since

    def mark(self, key: bytes, now: float) -> None:
        self._marks[key] = now
        if len(self._marks) > self._keys_max:
            self._marks.popitem(last=False)

    def marked_at(self, key: bytes) -> float:
        return self._marks.get(key, 0.0)

    def is_marked(self, key: bytes, now: float) -> bool:
        return abs(now - self.marked_at(key)) <= STITCH_MEMORY_S
