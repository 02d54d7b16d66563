"""An exchange without a colour gets its trace's or its session's."""

from stitching_cases import NOW, SCOPE

from tracer_proxy.limits import COLOR_REFRESH_S, STITCH_MEMORY_S
from tracer_proxy.stitching.colors import Colors, LocalColorMemory
from tracer_proxy.stitching.keys import Keys

TRACE = b"a" * 32
OTHER = SCOPE._replace(credential=b"other")


class Watched(LocalColorMemory):
    def __init__(self) -> None:
        super().__init__(100)
        self.puts = 0

    def put_color(self, key: bytes, color: bytes, now: float, is_share: bool) -> None:
        self.puts += 1
        super().put_color(key, color, now, is_share)


def colors(memory: LocalColorMemory | None = None) -> Colors:
    return Colors(memory or LocalColorMemory(100), Keys(b"secret"))


def test_a_trace_and_a_session_keep_their_colour() -> None:
    lanes = colors()
    lanes.remember(b"blue", TRACE, "mine", SCOPE, NOW)
    assert lanes.of(TRACE, "", OTHER, NOW) == (b"blue", False)
    assert lanes.of(b"b" * 32, "mine", SCOPE, NOW) == (b"blue", False)
    assert lanes.of(b"", "mine", OTHER, NOW) == (b"", False)
    assert lanes.of(b"b" * 32, "", SCOPE, NOW) == (b"", False)
    assert lanes.of(TRACE, "mine", SCOPE, NOW + STITCH_MEMORY_S + 1) == (b"", False)


def test_the_trace_counts_before_the_session_and_the_newest_colour_counts() -> None:
    lanes = colors()
    lanes.remember(b"blue", TRACE, "", SCOPE, NOW)
    lanes.remember(b"green", b"", "mine", SCOPE, NOW)
    assert lanes.of(TRACE, "mine", SCOPE, NOW) == (b"blue", False)
    lanes.remember(b"red", TRACE, "", SCOPE, NOW)
    assert lanes.of(TRACE, "mine", SCOPE, NOW) == (b"red", False)


def test_what_has_not_changed_is_written_again_only_before_it_is_forgotten() -> None:
    memory = Watched()
    lanes = colors(memory)
    for _ in range(10):
        lanes.remember(b"blue", TRACE, "mine", SCOPE, NOW)
    assert memory.puts == 2
    lanes.remember(b"blue", TRACE, "mine", SCOPE, NOW + COLOR_REFRESH_S)
    assert memory.puts == 4
    lanes.remember(b"green", TRACE, "mine", SCOPE, NOW + COLOR_REFRESH_S)
    assert memory.puts == 6


def test_a_trace_tells_the_colour_of_a_share_from_one_that_was_said() -> None:
    lanes = colors()
    lanes.remember(b"blue", TRACE, "", SCOPE, NOW, is_share=True)
    assert lanes.of(TRACE, "mine", SCOPE, NOW) == (b"blue", True)
    assert lanes.is_share(b"blue", TRACE, NOW)
    assert not lanes.is_share(b"green", TRACE, NOW)
    lanes.remember(b"blue", TRACE, "", SCOPE, NOW)
    assert not lanes.is_share(b"blue", TRACE, NOW)
