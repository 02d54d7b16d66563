"""One trace for all that names the same run in its path (``/~/RUN/...``), whatever else it says."""

from tracer_proxy.context.session_name import session_name
from tracer_proxy.stitching.keys import Keys, Scope
from tracer_proxy.stitching.memory import Memory, Remembered
from tracer_proxy.stitching.turn import Counts, Joined, Turn, first_of_a_trace, is_full, link_to, step_after


class Runs:
    def __init__(self, memory: Memory, keys: Keys, counts: Counts) -> None:
        self._memory = memory
        self._keys = keys
        self._counts = counts

    def join(self, run: bytes, scope: Scope, is_trusted: bool, now: float) -> Joined:
        """``is_trusted``: the run's name is believed across credentials; else each credential has runs of its own."""
        found = self._memory.get(self._key(run, scope, is_trusted), now)
        # Two requests may have begun a run at the same time, each with a trace of its own: the others go by the earlier.
        taking = [entry for entry in found if not is_full(entry, now)]
        session = session_name(scope.session.encode()).decode()
        if taking:
            self._counts.joins["run"] += 1
            return step_after(min(taking, key=lambda entry: (entry.began, entry.trace_id)), "run", session)
        self._counts.joins["new"] += 1
        if not found:
            return first_of_a_trace(session)
        self._counts.misses["rolled_over"] += 1
        before = found[0]
        session = session or before.session.decode(errors="replace")
        return first_of_a_trace(session, before.color, [link_to(before, "rolled_over")])

    def remember(self, turn: Turn, run: bytes, scope: Scope, is_trusted: bool, now: float) -> None:
        """At once, not when the answer has come: requests of a run come side by side."""
        holder = bytes.fromhex(turn.trace_id.decode())
        session = session_name(turn.session.encode())
        entry = Remembered(
            turn.trace_id,
            turn.root_id,
            turn.root_id,
            turn.sampled,
            turn.color,
            session,
            now,
            turn.began,
            turn.steps,
            b"",
            holder,
        )
        self._memory.put(self._key(run, scope, is_trusted), entry)

    def _key(self, run: bytes, scope: Scope, is_trusted: bool) -> bytes:
        owner = self._keys.listener(scope.listener) if is_trusted else self._keys.scope(scope)
        return self._keys.run(owner, run)
