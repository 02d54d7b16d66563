"""What the processes of one proxy remember together."""

import os
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from mmap import mmap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracer_proxy.dataplane.shared_memory import FILE_BYTES, SharedMemory, create
from tracer_proxy.dataplane.shared_table import BUCKET_ENTRIES, HEAD_BYTES, SharedTable
from tracer_proxy.genai.answered import Answered, ToolCall, Usage
from tracer_proxy.genai.asked import Asked
from tracer_proxy.limits import STITCH_BUCKETS, STITCH_MEMORY_S, STITCH_REGIONS_MAX, MiB
from tracer_proxy.stitching.colors import Colors
from tracer_proxy.stitching.keys import Keys, Scope
from tracer_proxy.stitching.memory import ANYBODY, LocalMemory, Remembered, the_only
from tracer_proxy.stitching.stitcher import Stitcher
from tracer_proxy.stitching.turn import Turn

NOW = 1_790_000_000.0
KEY = b"0123456789abcdef"


def entry(trace: int, at: float = NOW, holder: bytes | None = None, tool: bytes = b"search") -> Remembered:
    who = b"%016x" % trace if holder is None else holder
    return Remembered(b"%032x" % trace, b"1" * 16, b"2" * 16, True, b"blue", b"mine", at, NOW - 1, 3, tool, who)


@pytest.fixture
def file() -> Iterator[int]:
    fd = create()
    yield fd
    os.close(fd)


@contextmanager
def child(run: Callable[[], SharedMemory]) -> Iterator[None]:
    """A process that has done ``run`` and then waits to be killed."""
    said, say = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            _memory = run()
            os.write(say, b"done")
            signal.pause()
        finally:
            os._exit(1)
    os.close(say)
    try:
        assert os.read(said, 4) == b"done"
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(said)


def test_what_one_has_put_the_other_finds_at_once_and_whole(file: int) -> None:
    one, two = SharedMemory(file, 0), SharedMemory(file, 1)
    for number in range(200):
        key = os.urandom(16)
        one.put(key, entry(number))
        assert two.get(key, NOW) == [entry(number)]
        two.put(key, entry(number, NOW + 1))
        assert one.get(key, NOW + 1) == [entry(number, NOW + 1)]


def test_two_holders_are_seen_by_all_from_whichever_region(file: int) -> None:
    one, two, three = (SharedMemory(file, region) for region in range(3))
    one.put(KEY, entry(1))
    two.put(KEY, entry(2, NOW + 1))
    found = three.get(KEY, NOW + 1)
    assert [(each.trace_id, each.is_shared) for each in found] == [(entry(2).trace_id, True), (entry(1).trace_id, False)]
    later = three.get(KEY, NOW + STITCH_MEMORY_S + 0.5)
    assert len(later) == 1
    assert the_only(later) is None


def test_without_a_holder_the_newest_counts(file: int) -> None:
    one, two = SharedMemory(file, 0), SharedMemory(file, 1)
    two.put(KEY, entry(2, NOW + 1, ANYBODY))
    one.put(KEY, entry(1, NOW, ANYBODY))
    assert one.get(KEY, NOW + 1) == two.get(KEY, NOW + 1) == [entry(2, NOW + 1, ANYBODY)]


def test_marks_are_seen_by_all_for_as_long_as_ids_are_kept(file: int) -> None:
    one, two = SharedMemory(file, 0), SharedMemory(file, 1)
    assert not two.is_marked(KEY, NOW)
    one.mark(KEY, NOW)
    assert two.is_marked(KEY, NOW + STITCH_MEMORY_S)
    assert not two.is_marked(KEY, NOW + STITCH_MEMORY_S + 1)
    assert not two.is_marked(KEY[::-1], NOW)
    assert (one.get(KEY, NOW), one.get_color(KEY, NOW)) == ([], (b"", False))


def test_longer_texts_than_there_is_room_for_are_cut(file: int) -> None:
    memory = SharedMemory(file)
    memory.put(KEY, entry(1, tool=b"x" * 500))
    assert memory.get(KEY, NOW) == [entry(1, tool=b"x" * 63)]


def test_colours_are_kept_apart_and_the_newest_counts(file: int) -> None:
    one, two = SharedMemory(file, 0), SharedMemory(file, 1)
    assert one.get_color(KEY, NOW) == (b"", False)
    one.put_color(KEY, b"blue", NOW, False)
    assert two.get_color(KEY, NOW) == (b"blue", False)
    two.put_color(KEY, b"x" * 32, NOW + 1, True)
    assert one.get_color(KEY, NOW + 1) == two.get_color(KEY, NOW + 1) == (b"x" * 32, True)
    assert one.get_color(KEY, NOW + STITCH_MEMORY_S + 2) == (b"", False)
    assert one.get(KEY, NOW) == []


def test_every_process_claims_a_region_of_its_own_and_a_dead_ones_is_taken_over_with_what_stands_in_it(file: int) -> None:
    def put() -> SharedMemory:
        memory = SharedMemory(file)
        memory.put(KEY, entry(memory.region or 0))
        return memory

    with child(put):
        mine = SharedMemory(file)
        assert mine.region == 1
        assert mine.get(KEY, NOW) == [entry(0)]
    assert mine.get(KEY, NOW) == [entry(0)]

    def put_more() -> SharedMemory:
        memory = SharedMemory(file)
        assert memory.region == 0
        assert memory.get(KEY, NOW) == [entry(0)]
        memory.put(KEY, entry(2, NOW + 1))
        return memory

    with child(put_more):
        assert [each.trace_id for each in mine.get(KEY, NOW + 1)] == [entry(2).trace_id, entry(0).trace_id]


def test_who_finds_no_free_region_reads_and_writes_nothing(file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise BlockingIOError

    first = SharedMemory(file)
    first.put(KEY, entry(1))
    monkeypatch.setattr("fcntl.lockf", refuse)
    late = SharedMemory(file)
    assert late.region is None
    assert late.get(KEY, NOW) == [entry(1)]
    late.put(KEY, entry(2))
    late.put_color(KEY, b"blue", NOW, False)
    assert first.get(KEY, NOW) == [entry(1)]
    assert first.get_color(KEY, NOW) == (b"", False)


def test_a_writer_killed_at_any_moment_leaves_only_what_is_whole(file: int) -> None:
    keys = [os.urandom(16) for _ in range(50)]
    reader = SharedMemory(file, STITCH_REGIONS_MAX - 1)

    def write_for_ever() -> None:
        memory = SharedMemory(file)
        number = 0
        while True:
            memory.put(keys[number % 50], entry(number % 50, NOW + number, tool=b"%063d" % number))
            number += 1

    for _ in range(5):
        pid = os.fork()
        if pid == 0:
            write_for_ever()
        while not reader.get(keys[0], NOW + 1000):
            pass
        found = 0
        for number in range(5000):
            for seen in reader.get(keys[number % 50], NOW + 1000):
                found += 1
                assert seen.trace_id == entry(number % 50).trace_id
                assert seen.at == NOW + int(seen.tool)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        assert found
        for number, key in enumerate(keys):
            for seen in reader.get(key, NOW + 1000):
                assert (seen.trace_id, seen.at) == (entry(number).trace_id, NOW + int(seen.tool))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_an_entry_with_any_byte_changed_is_absent(data: st.DataObject) -> None:
    size = SharedTable.size("16s", 1)
    shared = mmap(-1, size)
    table = SharedTable(shared, "16s", 1, STITCH_MEMORY_S)
    table.bases, table.own = [0], 0
    table.store(KEY, b"h" * 16, 2, NOW, False)
    assert len(table.find(KEY)) == 1
    place = data.draw(st.integers(HEAD_BYTES, HEAD_BYTES + (size - HEAD_BYTES) // BUCKET_ENTRIES - 1))
    shared[place] ^= data.draw(st.integers(1, 255))
    assert table.find(KEY) == []
    table.store(KEY, b"h" * 16, 2, NOW, False)
    assert len(table.find(KEY)) == 1


@pytest.mark.parametrize("at", [float("nan"), float("inf"), NOW * 2, 0.0, -NOW])
def test_what_is_left_of_a_broken_write_is_the_first_to_go(at: float) -> None:
    shared = mmap(-1, SharedTable.size("16s", 1))
    table = SharedTable(shared, "16s", 1, STITCH_MEMORY_S)
    table.bases, table.own = [0], 0
    keys = [b"%016d" % number for number in range(BUCKET_ENTRIES + 1)]
    for number, key in enumerate(keys[:-1]):
        table.store(key, b"h" * 16, 2, NOW + number, False)
    entry_bytes = (len(shared) - HEAD_BYTES) // BUCKET_ENTRIES
    struct.pack_into("<d", shared, HEAD_BYTES + 3 * entry_bytes + 24, at)
    table.store(keys[-1], b"h" * 16, 2, NOW + BUCKET_ENTRIES, False)
    assert [len(table.find(key)) for key in keys] == [1, 1, 1, 0, 1, 1, 1, 1, 1]
    assert not table.has_dropped(keys[0], 0.0)


def test_a_full_bucket_lets_the_expired_go_and_then_the_oldest_that_is_not_shared(file: int) -> None:
    memory = SharedMemory(file)
    keys = [struct.pack("<I12x", 0)[:4] + b"%012d" % number for number in range(BUCKET_ENTRIES + 3)]
    memory.put(keys[0], entry(0, NOW - STITCH_MEMORY_S))
    memory.put(keys[1], entry(1, NOW + 1))
    memory.put(keys[1], entry(2, NOW + 2))
    for number in range(2, BUCKET_ENTRIES - 1):
        memory.put(keys[number], entry(number, NOW + 1 + number))
    memory.put(keys[8], entry(8, NOW + 20))
    assert [len(memory.get(key, NOW + 20)) for key in keys[:9]] == [0, 2, 1, 1, 1, 1, 1, 0, 1]
    assert not memory.has_dropped(keys[0], 0.0)
    memory.put(keys[9], entry(9, NOW + 21))
    memory.put(keys[10], entry(10, NOW + 22))
    # The older of the two goes, which is not marked itself. What is left of the key says that there was another.
    assert [len(memory.get(key, NOW + 22)) for key in keys] == [0, 1, 0, 1, 1, 1, 1, 0, 1, 1, 1]
    assert the_only(memory.get(keys[1], NOW + 22)) is None
    other = SharedMemory(file, 1)
    # The newest that had to go was from three seconds after the beginning.
    assert [other.has_dropped(keys[5], NOW + since) for since in (2.5, 3.5)] == [True, False]
    assert not other.has_dropped(b"\1" + keys[5][1:], 0.0)


def test_more_keys_than_fit_take_no_more_memory_than_a_region_has(file: int) -> None:
    memory = SharedMemory(file)
    for number in range(60_000):
        memory.put(number.to_bytes(4, "little") + os.urandom(12), entry(number, NOW + number / 1000))
    taken = os.fstat(file).st_blocks * 512
    assert 8 * MiB <= taken <= 9 * MiB
    assert 100 * taken < FILE_BYTES


def test_each_file_has_a_secret_of_its_own(file: int) -> None:
    other = create()
    secrets = {SharedMemory(file).secret, SharedMemory(file, 1).secret, SharedMemory(other).secret}
    os.close(other)
    assert len(secrets) == 2
    assert all(len(secret) == 32 for secret in secrets)


def test_another_file_is_refused() -> None:
    fd = os.memfd_create("other")
    try:
        for size in (0, FILE_BYTES):
            os.ftruncate(fd, size)
            with pytest.raises(ValueError, match="not of this version"):
                SharedMemory(fd)
    finally:
        os.close(fd)


def test_the_file_cannot_be_cut_under_its_readers(file: int) -> None:
    with pytest.raises(PermissionError):
        os.ftruncate(file, 0)


steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "settled", "newest", "get"]),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, 2),
        st.sampled_from([0.001, 1.0, STITCH_MEMORY_S / 2]),
    ),
    max_size=40,
)


@given(steps)
@settings(max_examples=150, deadline=None)
def test_three_processes_remember_what_one_would(steps: list[tuple[str, int, int, int, float]]) -> None:
    """Told apart by what counts: nothing, one holder, or more than one."""
    fd = create()
    try:
        shared = [SharedMemory(fd, region) for region in range(3)]
        model = LocalMemory(1000)
        now = NOW
        put_at: dict[tuple[bytes, bytes], float] = {}
        for what, key_number, trace, region, pause in steps:
            now += pause
            key = b"%016d" % (key_number * STITCH_BUCKETS)
            if what == "get":
                found, expected = shared[region].get(key, now), model.get(key, now)
                assert bool(found) == bool(expected)
                only = the_only(found)
                if the_only(expected) is not None:
                    assert only == the_only(expected)
                elif only is not None:
                    # One process remembers rivals for ever, a region only while they could still be joined.
                    rivals = [at for (rival_key, holder), at in put_at.items() if rival_key == key and holder != only.holder]
                    assert all(only.at - at > STITCH_MEMORY_S for at in rivals)
                continue
            if what == "newest":
                key = b"newest" + key[6:]
            value = entry(trace, now, ANYBODY if what == "newest" else None)
            put_at[key, value.holder] = now
            for memory in (shared[region], model):
                memory.put(key, value, (lambda other: True) if what == "settled" else (lambda other: False))
            if what == "newest":
                assert shared[region].get(key, now) == model.get(key, now) == [value]
        for memory in shared:
            memory.close()
    finally:
        os.close(fd)


def test_neither_ids_nor_credentials_nor_texts_can_be_read_in_the_file(file: int) -> None:
    memory = SharedMemory(file)
    stitcher = Stitcher(memory, Keys(memory.secret))
    scope = Scope(b"the-listener", b"Bearer the-credential")
    calls = (ToolCall("the-call-Xk3pQ9vLw2RtYb7NcJm4DzHs", "search", b"a" * 16, b"the-arguments-16", "the-text"),)
    asked = Asked("responses", "chat", "the-model", False, {}, "the-conversation", "", "", (), (), b"")
    answered = Answered("the-id-68f1c2d9a7b40819b3e5d2f7a1c94e60", "m", (), Usage(), calls, "", "", True, {}, 0, None, ())
    turn = Turn(b"1" * 32, b"2" * 16, True, "mine", b"blue", NOW, 0)
    stitcher.remember(turn, scope, b"3" * 16, answered, asked, NOW)
    stitcher.runs.remember(turn, b"the-run", scope, True, NOW)
    Colors(memory, Keys(memory.secret)).remember(b"blue", b"1" * 32, "the-session", scope, NOW)
    written = os.pread(file, 16 * MiB, 0)
    assert b"mine" in written
    assert b"the-" not in written
