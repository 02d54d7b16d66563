"""Joins the steps of a turn by the ids that a request echoes of earlier answers.

Every rule here errs to one side: a request that could belong to two traces begins a third.
"""

from typing import NamedTuple

from tracer_proxy.context.session_name import session_name
from tracer_proxy.genai.answered import Answered
from tracer_proxy.genai.asked import Asked, Echo
from tracer_proxy.limits import STITCH_HISTORY_MAX, STITCH_RESULTS_MAX, STITCH_TOOL_BYTES_MAX, TRACE_AGE_S_MAX
from tracer_proxy.stitching.entropy import is_unique
from tracer_proxy.stitching.keys import Keys, Scope
from tracer_proxy.stitching.memory import Memory, Remembered, the_only
from tracer_proxy.stitching.pending import PendingCalls
from tracer_proxy.stitching.runs import Runs
from tracer_proxy.stitching.turn import Counts, Joined, Turn, first_of_a_trace, is_full, link_to, step_after
from tracer_proxy.telemetry.record import Link, ToolRun

_REASONS = ("ambiguous", "crowded", "unknown_id", "not_unique")
"""Of several, the first is told."""


class _Request(NamedTuple):
    asked: Asked
    scope: bytes
    session: str
    """What the request itself calls its session."""
    now: float


class _Hit(NamedTuple):
    """A result that is known: of which call, and who handed that out."""

    echo: Echo
    key: bytes
    entry: Remembered


class _Found(NamedTuple):
    """``entry`` is the step before, or ``None``, with the reason of a miss; empty if there is nothing to look for."""

    entry: Remembered | None
    method: str
    hits: list[_Hit]
    miss: str = ""


class Stitcher:
    """``now`` is in Unix seconds everywhere."""

    def __init__(self, memory: Memory, keys: Keys) -> None:
        self._memory = memory
        self._keys = keys
        self.counts = Counts()
        self.pending = PendingCalls(memory, keys, self.counts)
        """For exchanges with tool servers."""
        self.runs = Runs(memory, keys, self.counts)
        """For exchanges that name their run."""

    def join(self, asked: Asked, scope: Scope, now: float) -> Joined:
        """What a request that says nothing of a trace is part of. Asking again gives the same, but for the tool runs.

        A tool's run is told once, though its result may come again: with a retry, or with a fork of the conversation.
        """
        request = self._request(asked, scope, now)
        found = self._step_before(request)
        entry = found.entry
        if entry and not is_full(entry, now):
            self.counts.joins[found.method] += 1
            return step_after(entry, found.method, request.session)._replace(tools=self._tool_runs(found.hits, now))
        self.counts.joins["new"] += 1
        if entry:
            self.counts.misses["rolled_over"] += 1
            return _new_turn(request, entry, "rolled_over")
        if found.miss:
            self.counts.misses[found.miss] += 1
        return _new_turn(request, self._turn_before(request), "previous_turn")

    def beside(self, asked: Asked, scope: Scope, trace_id: bytes, now: float) -> Joined:
        """What the ids add where something stronger, trace headers or a run's path, has said which trace this is.

        ``trace_id`` is empty if the ids know that trace too (then root, age and tool runs count) or not at all; where they say
        another one, that is a link. Method and parent are the caller's. Nothing is counted.
        """
        request = self._request(asked, scope, now)
        found = self._step_before(request)
        entry = found.entry
        if entry and entry.trace_id == trace_id:
            return step_after(entry, "", request.session)._replace(tools=self._tool_runs(found.hits, now))
        if entry:
            return _new_turn(request, entry, "stitch")
        before = self._turn_before(request)
        return _new_turn(request, before if before and before.trace_id != trace_id else None, "previous_turn")

    def remember(self, turn: Turn, scope: Scope, span_id: bytes, answered: Answered, asked: Asked, now: float) -> None:
        """To be called when the answer has ended, before the client gets the last of it: its next request may follow at once.

        ``span_id`` is that of the attempt that was answered.
        """
        request = self._request(asked, scope, now)
        session = session_name(turn.session.encode())
        newest = Remembered(
            turn.trace_id, turn.root_id, span_id, turn.sampled, turn.color, session, now, turn.began, turn.steps
        )
        entry = newest._replace(holder=bytes.fromhex(turn.trace_id.decode()))
        if asked.api == "responses" and is_unique(answered.id):
            self._memory.put(self._keys.response(request.scope, answered.id), entry)
        conversation = answered.conversation_id or asked.conversation_id
        if conversation:
            self._memory.put(self._keys.conversation(request.scope, conversation), newest)
        if request.session:
            self._memory.put(self._keys.session(request.scope, request.session.encode()), newest)
        for call in answered.calls:
            tool = call.tool.encode(errors="replace")
            # By either of them an id that is not unique may come back.
            anchors = (call.anchor, self._answer_anchor(request, answered.id))
            keys = [self._call_key(request, call.call_id, call.tool, anchor) for anchor in anchors]
            keys = list(dict.fromkeys(filter(None, keys)))
            for key in keys:
                self._memory.put(key, entry._replace(tool=tool[:STITCH_TOOL_BYTES_MAX]))
            if len(keys) == 1:
                # By two keys the run of the tool would have two spans, one of which nobody will ever send.
                run = self._keys.tool_run(turn.trace_id, keys[0])
                self.pending.remember(entry, run, scope.place, tool, call.arguments_digest)

    def _request(self, asked: Asked, scope: Scope, now: float) -> _Request:
        session = session_name((scope.session or asked.session_id).encode(errors="replace")).decode()
        return _Request(asked, self._keys.scope(scope), session, now)

    def _call_key(self, request: _Request, call_id: str, tool: str, anchor: bytes) -> bytes:
        """Empty for a call that cannot be told from others."""
        raw = call_id.encode(errors="replace")
        if is_unique(call_id, tool):
            return self._keys.call(request.scope, raw)
        if not anchor:
            return b""
        return self._keys.call(request.scope, raw, self._keys.witness(anchor, request.session.encode()))

    def _answer_anchor(self, request: _Request, response_id: str) -> bytes:
        """What Responses make of an anchor: a call of that answer, whose id is unique. Empty for any other API."""
        if request.asked.api != "responses" or not is_unique(response_id):
            return b""
        return self._keys.response(request.scope, response_id)

    def _step_before(self, request: _Request) -> _Found:
        """The step that handed out what the request hands back: the same turn."""
        asked = request.asked
        if not asked.results:
            return _Found(None, "", [])
        hits, miss = self._known(request)
        answer = self._answer_before(request)
        if len({hit.entry.trace_id for hit in hits} | ({answer.trace_id} if answer else set())) > 1:
            return _Found(None, "", [], "ambiguous")
        if answer:
            return _Found(answer, "response_id", hits)
        if not hits:
            return _Found(None, "", [], miss)
        entry = max((hit.entry for hit in hits), key=lambda entry: entry.steps)
        return _Found(entry, "conversation" if self._is_of_its_conversation(request, entry) else "tool_call", hits)

    def _known(self, request: _Request) -> tuple[list[_Hit], str]:
        """The results whose call is known beyond doubt; and why the others are not."""
        hits = []
        reasons = set()
        before = request.asked.previous_response_id
        for echo in request.asked.results[:STITCH_RESULTS_MAX]:
            key = self._call_key(request, echo.call_id, echo.tool, echo.anchor or self._answer_anchor(request, before))
            if not key:
                reasons.add("not_unique")
                continue
            found = self._memory.get(key, request.now)
            entry = the_only(found)
            if entry is None:
                reasons.add("ambiguous" if found else "unknown_id")
            elif self._may_have_had_a_rival(echo, key, request.now):
                reasons.add("crowded")
            else:
                hits.append(_Hit(echo, key, entry))
        return hits, next((reason for reason in _REASONS if reason in reasons), "")

    def _may_have_had_a_rival(self, echo: Echo, key: bytes, now: float) -> bool:
        # A rival from before the oldest trace that is still joined does not matter. Unique ids have none, full table or not.
        return self._memory.has_dropped(key, now - TRACE_AGE_S_MAX) and not is_unique(echo.call_id, echo.tool)

    def _answer_before(self, request: _Request) -> Remembered | None:
        response_id = request.asked.previous_response_id
        if not response_id or not is_unique(response_id):
            return None
        return the_only(self._memory.get(self._keys.response(request.scope, response_id), request.now))

    def _newest_of_conversation(self, request: _Request) -> Remembered | None:
        conversation = request.asked.conversation_id
        found = self._memory.get(self._keys.conversation(request.scope, conversation), request.now) if conversation else []
        return found[0] if found else None

    def _is_of_its_conversation(self, request: _Request, entry: Remembered) -> bool:
        # Alone it proves nothing: an answer of a later turn may not have been seen. It can only agree with a call's id.
        newest = self._newest_of_conversation(request)
        return newest is not None and newest.trace_id == entry.trace_id

    def _turn_before(self, request: _Request) -> Remembered | None:
        """What a new turn follows on in its session."""
        before = self._answer_before(request) or self._newest_of_conversation(request)
        if before:
            return before
        for echo in request.asked.history[:STITCH_HISTORY_MAX]:
            key = self._call_key(request, echo.call_id, echo.tool, echo.anchor)
            before = the_only(self._memory.get(key, request.now)) if key else None
            if before and not self._may_have_had_a_rival(echo, key, request.now):
                return before
        if not request.session:
            return None
        found = self._memory.get(self._keys.session(request.scope, request.session.encode()), request.now)
        return found[0] if found else None

    def _tool_runs(self, hits: list[_Hit], now: float) -> list[ToolRun]:
        """One for each call whose result comes for the first time."""
        runs = []
        for echo, key, entry in hits:
            run = self._keys.tool_run(entry.trace_id, key)
            if self.pending.has_returned(run, now):
                continue
            self.pending.settle(run, now)
            tool = echo.tool or entry.tool.decode(errors="replace")
            span_id = run[:8].hex().encode()
            runs.append(
                ToolRun(span_id, entry.root_id, entry.span_id, echo.call_id, tool, entry.at, now, echo.failed, echo.result)
            )
        return runs


def _new_turn(request: _Request, before: Remembered | None, reason: str) -> Joined:
    if before is None:
        return first_of_a_trace(request.session)
    links: list[Link] = [link_to(before, reason)]
    return first_of_a_trace(request.session or before.session.decode(errors="replace"), before.color, links)
