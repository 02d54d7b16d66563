"""Calls that a model has handed out and whose results have not come back: what a tool server's exchange is joined to.

The agent calls the server by the tool's own name, often without the prefix that the model knew, and with an id of its own. What
is left is the name's end and the arguments, from the same client by the same listener. Arguments that say nothing are no
evidence.
"""

import re

from tracer_proxy.genai.anchor import arguments_digest
from tracer_proxy.genai.rpc import RpcAsked
from tracer_proxy.limits import MCP_CALL_S_MAX, STITCH_TOOL_BYTES_MAX
from tracer_proxy.stitching.keys import Keys
from tracer_proxy.stitching.memory import Memory, Remembered
from tracer_proxy.stitching.turn import Counts, Joined, first_of_a_trace, step_after
from tracer_proxy.telemetry.record import Link

_NO_ARGUMENTS = arguments_digest("{}")
_separators = re.compile(rb"[^0-9A-Za-z]")
_END_BYTES = 2
"""Of a tool's name, which both sides have and which therefore may stand in the key."""


class PendingCalls:
    def __init__(self, memory: Memory, keys: Keys, counts: Counts) -> None:
        self._memory = memory
        self._keys = keys
        self._counts = counts

    def remember(self, entry: Remembered, run: bytes, place: bytes, tool: bytes, digest: bytes) -> None:
        """``entry`` is the answer's; ``run`` has 16 bytes, the first eight of them the id of the tool's span to be."""
        name = _plain(tool)
        call = entry._replace(span_id=run[:8].hex().encode(), holder=run, tool=name[-STITCH_TOOL_BYTES_MAX:])
        self._memory.put(self._key(place, name, digest), call, lambda other: self._is_over(other, entry.at))

    def settle(self, run: bytes, now: float) -> None:
        """The call's result has come back."""
        self._memory.mark(self._keys.returned(run), now)

    def has_returned(self, run: bytes, now: float) -> bool:
        return self._memory.is_marked(self._keys.returned(run), now)

    def join(self, rpc: RpcAsked, place: bytes, now: float) -> Joined | None:
        """The run of the tool that a ``tools/call`` is; ``None`` if no model is known to have asked for it.

        If two calls fit, or may fit for all that is still known, or if there are no arguments to know it by, there are only
        links.
        """
        if rpc.method != "tools/call" or not rpc.tool:
            return None
        name = _plain(rpc.tool.encode(errors="replace"))
        key = self._key(place, name, rpc.arguments_digest)
        found = self._memory.get(key, now)
        fitting = [entry for entry in found if _is_called(entry.tool, name) and self._is_open(entry, now)]
        if not fitting:
            return None
        if len(fitting) > 1 or fitting[0].is_shared or rpc.arguments_digest == _NO_ARGUMENTS:
            self._counts.misses["ambiguous"] += 1
            return _linked_to(fitting)
        if self._memory.has_dropped(key, now - MCP_CALL_S_MAX):
            self._counts.misses["crowded"] += 1
            return _linked_to(fitting)
        self._counts.joins["mcp_call"] += 1
        return step_after(fitting[0], "mcp_call", "")._replace(parent_id=fitting[0].span_id)

    def _key(self, place: bytes, name: bytes, digest: bytes) -> bytes:
        return self._keys.pending(self._keys.listener(place), digest, name[-_END_BYTES:])

    def _is_open(self, entry: Remembered, now: float) -> bool:
        return now - entry.at <= MCP_CALL_S_MAX and not self.has_returned(entry.holder, now)

    def _is_over(self, entry: Remembered, now: float) -> bool:
        # One that was shared may have had a rival that is no longer kept: that one may still be open.
        return now - entry.at > MCP_CALL_S_MAX or (not entry.is_shared and self.has_returned(entry.holder, now))


def _linked_to(entries: list[Remembered]) -> Joined:
    return first_of_a_trace(links=[Link(entry.trace_id, entry.span_id, "ambiguous") for entry in entries])


def _plain(name: bytes) -> bytes:
    """Hosts replace what a model's tool names may not hold, such as a dot."""
    return _separators.sub(b"_", name)


def _is_called(handed_out: bytes, name: bytes) -> bool:
    return handed_out == name[-STITCH_TOOL_BYTES_MAX:] or handed_out.endswith(b"_" + name)
