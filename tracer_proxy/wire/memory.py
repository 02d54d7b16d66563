"""What was made of a line of bytes before: plain dicts, because a subclass would be slower to read than the line itself."""

from typing import TypeVar

from tracer_proxy.limits import LINES_REMEMBERED_MAX, REMEMBERED_LINE_BYTES_MAX

T = TypeVar("T")


def keep(memory: dict[bytes, T], line: bytes, made: T) -> None:
    """Bounded by starting afresh when it is full: whoever fills it on purpose gains nothing but a few misses for others."""
    if len(line) <= REMEMBERED_LINE_BYTES_MAX:
        if len(memory) >= LINES_REMEMBERED_MAX:
            memory.clear()
        memory[line] = made
