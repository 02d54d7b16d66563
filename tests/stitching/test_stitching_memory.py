"""What is kept of what is put, in one process."""

from stitching_cases import NOW

from tracer_proxy.limits import STITCH_MEMORY_S
from tracer_proxy.stitching.memory import LocalMemory, Remembered, the_only

KEY = b"k" * 16


def entry(trace: int, at: float = NOW, holder: int | None = None) -> Remembered:
    return Remembered(
        b"%032x" % trace,
        b"1" * 16,
        b"2" * 16,
        True,
        b"",
        b"",
        at,
        NOW,
        0,
        b"",
        b"%016x" % (trace if holder is None else holder),
    )


def test_one_holder_is_found_with_its_newest_entry() -> None:
    memory = LocalMemory(10)
    memory.put(KEY, entry(1, NOW))
    memory.put(KEY, entry(1, NOW + 1))
    assert the_only(memory.get(KEY, NOW + 2)) == entry(1, NOW + 1)


def test_two_holders_are_both_found_and_neither_is_the_only_one() -> None:
    memory = LocalMemory(10)
    for trace in (1, 2):
        memory.put(KEY, entry(trace, NOW + trace))
    found = memory.get(KEY, NOW)
    assert [each.trace_id for each in found] == [entry(2).trace_id, entry(1).trace_id]
    assert the_only(found) is None


def test_a_key_that_was_shared_stays_so_when_one_holder_is_left() -> None:
    memory = LocalMemory(10)
    memory.put(KEY, entry(1, NOW))
    memory.put(KEY, entry(2, NOW + 10))
    memory.put(KEY, entry(2, NOW + 20))
    found = memory.get(KEY, NOW + STITCH_MEMORY_S + 15)
    assert len(found) == 1
    assert the_only(found) is None


def test_a_holder_that_is_settled_is_no_rival() -> None:
    memory = LocalMemory(10)
    memory.put(KEY, entry(1, NOW))
    memory.put(KEY, entry(2, NOW + 1), lambda other: other.trace_id == entry(1).trace_id)
    assert not memory.get(KEY, NOW + 1)[0].is_shared


def test_it_holds_no_more_keys_than_it_may() -> None:
    memory = LocalMemory(3)
    for number in range(10):
        memory.put(b"%016d" % number, entry(number))
    assert [bool(memory.get(b"%016d" % number, NOW)) for number in range(10)] == [False] * 7 + [True] * 3
