"""Why a request would go where it goes, step by step. Decides with the very code of the hot path, then says what it saw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracer_proxy.context.color import inbound_color
from tracer_proxy.context.trace import TraceContext, extract, new_trace
from tracer_proxy.limits import LOOK_AHEAD_BYTES_MAX
from tracer_proxy.routing.asking import Asking, unread
from tracer_proxy.routing.balance import Dice
from tracer_proxy.routing.bucket import BUCKETS, bucket
from tracer_proxy.routing.decision import Decision, decide, needs_body
from tracer_proxy.routing.lane import Lane
from tracer_proxy.routing.route import Route
from tracer_proxy.routing.run_prefix import split_run
from tracer_proxy.routing.session import AnswerRung
from tracer_proxy.routing.table import Table

Weights = Mapping[str, Sequence[str]]
"""By route, in words."""
THE_FILES: Weights = {}


@dataclass(frozen=True)
class Step:
    """One step of the decision: ``name`` is what was decided, ``result`` what came out, ``notes`` what was tried, in order."""

    name: str
    result: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """``answer`` holds the outcome by name (see ``docs``); ``steps`` the way to it."""

    answer: dict[str, Any]
    steps: tuple[Step, ...]

    def as_json(self) -> dict[str, Any]:
        steps = [{"step": step.name, "result": step.result, "notes": list(step.notes)} for step in self.steps]
        return self.answer | {"steps": steps}


def explain(
    table: Table, asking: Asking, *, trusted: bool, new_trace_id: bytes, dice: Dice, weights: Weights = THE_FILES
) -> Explanation:
    """``new_trace_id`` is used when the request brings no valid trace; ``weights`` says who has set those of a route."""
    head = asking.head
    values = head.fields.values
    context = (extract(values) if trusted else None) or new_trace(new_trace_id)
    run, head.path = split_run(head.path)
    found = "a new trace" if context.source == "new" else f"from {context.source}"
    if run and trusted and context.source == "new":
        found = f"that of the run {run.decode()}, which begins a new one"
    steps = [Step("trace", context.trace_id.decode(), (found, *_conflicts(context.conflicts), *_doubts(trusted)))]
    route = table.find(asking)
    steps.append(_route_step(table, asking, route))
    if route is None:
        return Explanation({"route": None, "trace_id": context.trace_id.decode()}, tuple(steps))
    asking.baggage = values.get(b"baggage", b"") if trusted else b""
    inbound = inbound_color(values) if trusted else b""
    body = _Body.of(asking, needs_body(table, route, asking, inbound))
    if not body.is_read:
        asking.body = None
    decision = decide(table, route, asking, context, inbound)
    picked = decision.lane.pool.pick(dice, decision.session_key)
    endpoint = "none" if picked is None else str(picked)
    steps += [
        _session_step(decision, asking, context, body),
        _color_step(table, decision, asking, inbound, body),
        _lane_step(decision, weights.get(route.name, ())),
        Step("endpoint", endpoint, (f"pool {decision.lane.pool.name}: {_listed(decision.lane.pool.endpoints)}",)),
        *_mirror_steps(decision),
    ]
    return Explanation(_answer(decision, asking, context.trace_id, endpoint), tuple(steps))


@dataclass(frozen=True)
class _Body:
    """What came of the body: looked into, or why not."""

    is_read: bool
    why_not: str = ""

    @classmethod
    def of(cls, asking: Asking, is_wanted: bool) -> "_Body":
        head = asking.head
        if asking.body is None:
            return cls(False, "there is none")
        if reason := unread(head):
            return cls(False, f"{reason}, so it is not read as JSON")
        if head.length is not None and head.length > LOOK_AHEAD_BYTES_MAX:
            return cls(False, f"its {head.length} bytes are more than the {LOOK_AHEAD_BYTES_MAX} that are waited for")
        return cls(is_wanted, "" if is_wanted else "nothing that is decided hangs on it")


def _answer(decision: Decision, asking: Asking, trace_id: bytes, endpoint: str) -> dict[str, Any]:
    route, lane, head = decision.route, decision.lane, asking.head
    path = route.path_out(head.path)
    return {
        "trace_id": trace_id.decode(),
        "route": route.name,
        "session": {"key": decision.session_key.decode(), "source": decision.session_source},
        "color": decision.color.decode() or None,
        "color_source": decision.color_source,
        "bucket": bucket(decision.session_key, route.seed),
        "lane": lane.name,
        "fell_back": decision.fell_back,
        "pool": lane.pool.name,
        "endpoint": endpoint,
        "target": (path + b"?" + head.query if head.has_query else path).decode(),
        "egress": route.egress.value,
    }


def _conflicts(conflicts: tuple[TraceContext, ...]) -> list[str]:
    return [f"{other.source} names another trace and was not used" for other in conflicts]


def _doubts(trusted: bool) -> list[str]:
    return [] if trusted else ["the sender is not trusted: its trace, baggage and colour are not believed"]


def _route_step(table: Table, asking: Asking, chosen: Route | None) -> Step:
    candidates = {route.name for route in table.candidates(asking.head.path)}
    notes = []
    for route in table.routes:
        if route is chosen:
            notes.append(f"{route.name}: matches")
            break
        reason = route.match.rejects(asking) if route.name in candidates else "path differs"
        notes.append(f"{route.name}: {reason}")
    return Step("route", chosen.name if chosen else "none: 404", tuple(notes))


def _session_step(decision: Decision, asking: Asking, context: TraceContext, body: _Body) -> Step:
    notes, is_new, trace_id = [], context.source == "new", context.trace_id
    for rung in decision.route.ladder:
        found = rung.find(asking, trace_id)
        if found:
            notes.append(f"{rung.source}: found" + ("" if rung.is_one_place else f" at {rung.found_at(asking)}"))
            if is_new and decision.hangs_on_trace:
                notes.append("a new trace each time: every such request is a session of its own")
            break
        if rung.reads_body and not body.is_read:
            notes.append(f"{rung.source}: no body that is read: {body.why_not}")
        elif isinstance(rung, AnswerRung):
            notes.append(f"{rung.source}: not known here: only workers remember the ids of earlier answers")
        else:
            notes.append(f"{rung.source}: {'empty' if found is not None and rung.is_one_place else 'not there'}")
    return Step("session", decision.session_key.decode(), tuple(notes))


def _color_step(table: Table, decision: Decision, asking: Asking, inbound: bytes, body: _Body) -> Step:
    notes = [f"inbound: {inbound.decode() or 'none'}"]
    if inbound and table.color_rules:
        notes.append("rules: not tried, for the request has a colour")
    if not inbound:
        for number, rule in enumerate(table.color_rules, 1):
            holds = rule.holds(asking, decision.session_key)
            why = ", ".join(dict.fromkeys(rule.condition.why(asking, decision.session_key)))
            notes.append(f"rule {number} ({rule.color.decode()} when {rule}): {'holds' if holds else 'does not hold'}: {why}")
            if rule.condition.reads_body and not body.is_read:
                notes.append(f"no body that is read: {body.why_not}")
            if holds:
                break
        else:
            notes += ["remembered: not known here: only workers know what a trace or session has had"] * table.has_colors
    if decision.color_source == "lane":
        notes.append(f"lane {decision.lane.name} paints what lands on it")
    return Step("color", decision.color.decode() or "none", tuple(notes))


def _lane_step(decision: Decision, weights: Sequence[str]) -> Step:
    lane, split = decision.lane, decision.route.split
    if decision.fell_back:
        notes = [f"no lane serves {decision.color.decode()}: the baseline stands in, and the colour is kept"]
    elif decision.color and decision.color_source != "lane":
        notes = [f"serves colour {decision.color.decode()}"]
    else:
        drawn = bucket(decision.session_key, decision.route.seed)
        notes = [f"bucket {drawn} of {BUCKETS}", *(_owned(split.ranges()))]
        notes += [
            f"{each.name} is drained: sessions that it had within {each.drain_s:g} s stay there" for each in split.draining
        ]
    stand_ins = [f"pool {other.pool.name}" for other in lane.failover]
    if lane is not split.baseline:
        stand_ins.append(f"the baseline, {split.baseline.name}" if lane.falls_back else "an error")
    if stand_ins:
        notes.append(f"if nobody of it can be had: {', then '.join(stand_ins)}")
    notes += weights
    return Step("lane", lane.name, tuple(notes))


def _mirror_steps(decision: Decision) -> list[Step]:
    mirror, key = decision.route.mirror, decision.session_key
    if mirror is None:
        return []
    if decision.lane is mirror.lane:
        return [Step("mirror", "none", (f"it is on the shadow lane {mirror.lane.name} itself",))]
    note = f"bucket {bucket(key, mirror.seed)} of {BUCKETS}: buckets below {mirror.below} are copied"
    return [Step("mirror", mirror.lane.name if mirror.takes(key) else "none", (note,))]


def _owned(ranges: list[tuple[int, int, Lane]]) -> list[str]:
    return [f"{lane.name} owns buckets {start} to {end - 1}" for start, end, lane in ranges]


def _listed(things: tuple[Any, ...]) -> str:
    return ", ".join(map(str, things))
