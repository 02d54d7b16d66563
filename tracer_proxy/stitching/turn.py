"""What an exchange is part of, and what a search for that has found."""

from collections import Counter
from typing import NamedTuple

from tracer_proxy.limits import TRACE_AGE_S_MAX, TRACE_STEPS_MAX
from tracer_proxy.stitching.memory import Remembered
from tracer_proxy.telemetry.record import Link, ToolRun


class Turn(NamedTuple):
    """From a user's message to the model's last answer to it: one trace."""

    trace_id: bytes
    root_id: bytes
    """Span of the first exchange's inbound leg: the others hang under it."""
    sampled: bool
    session: str
    color: bytes
    began: float
    """Of the trace, in Unix seconds."""
    steps: int
    """Exchanges before this one."""


class Joined(NamedTuple):
    """``trace_id`` is empty where a new trace begins; what is known of the session, links and colour counts all the same."""

    method: str
    """As in ``Record.joined_by``: ``response_id``, ``conversation``, ``tool_call``, ``run``, ``mcp_call`` or ``new``."""
    trace_id: bytes
    parent_id: bytes
    root_id: bytes
    sampled: bool
    session: str
    """At most 64 bytes."""
    color: bytes
    began: float
    steps: int
    links: list[Link]
    tools: list[ToolRun]

    def turn(self, trace_id: bytes, span_id: bytes, sampled: bool, color: bytes, now: float) -> Turn:
        """What to remember this exchange as. The arguments are its own, and count if a new trace begins with it.

        A colour counts in any case; a first turn without a name for its session is the session's name for those that follow.
        """
        if self.trace_id:
            session = self.session or self.trace_id.decode()
            return Turn(self.trace_id, self.root_id, self.sampled, session, color or self.color, self.began, self.steps)
        return Turn(trace_id, span_id, sampled, self.session or trace_id.decode(), color or self.color, now, 0)


def first_of_a_trace(session: str = "", color: bytes = b"", links: list[Link] | None = None) -> Joined:
    return Joined("new", b"", b"", b"", True, session, color, 0.0, 0, links or [], [])


def step_after(entry: Remembered, method: str, session: str) -> Joined:
    return Joined(
        method,
        entry.trace_id,
        entry.root_id,
        entry.root_id,
        entry.sampled,
        session or entry.session.decode(),
        entry.color,
        entry.began,
        entry.steps + 1,
        [],
        [],
    )


def link_to(entry: Remembered, reason: str) -> Link:
    return Link(entry.trace_id, entry.root_id, reason)


def is_full(entry: Remembered, now: float) -> bool:
    """Whether its trace takes no further exchange."""
    return now - entry.began > TRACE_AGE_S_MAX or entry.steps + 1 > TRACE_STEPS_MAX


class Counts:
    """How often, since whoever reads them last set them back."""

    def __init__(self) -> None:
        self.joins: Counter[str] = Counter()
        """By method, ``new`` among them."""
        self.misses: Counter[str] = Counter()
        """By reason: ``unknown_id``, ``ambiguous``, ``not_unique``, ``rolled_over``, or ``crowded``: what would have made it
        ambiguous may be forgotten, as there is more traffic than room."""
