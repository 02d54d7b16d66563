"""Why a request would go where it goes, step by step. Decides with the very code of the hot path, then says what it saw."""

from dataclasses import dataclass
from typing import Any

from tracer_proxy.context.color import inbound_color
from tracer_proxy.context.trace import TraceContext, extract, new_trace
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.balance import Dice
from tracer_proxy.routing.bucket import BUCKETS, bucket
from tracer_proxy.routing.condition import Condition
from tracer_proxy.routing.decision import Decision, decide, needs_body
from tracer_proxy.routing.lane import Lane
from tracer_proxy.routing.route import Route
from tracer_proxy.routing.run_prefix import split_run
from tracer_proxy.routing.table import Table


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


def explain(table: Table, asking: Asking, *, trusted: bool, new_trace_id: bytes, dice: Dice) -> Explanation:
    """``new_trace_id`` is used when the request brings no valid trace."""
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
    if not needs_body(table, route, asking, inbound):
        asking.body = None
    decision = decide(table, route, asking, context, inbound)
    picked = decision.lane.pool.pick(dice, decision.session_key)
    endpoint = "none" if picked is None else str(picked)
    steps += [
        _session_step(decision, asking, context),
        _color_step(table, decision, asking, inbound),
        _lane_step(decision),
        Step("endpoint", endpoint, (f"pool {decision.lane.pool.name}: {_listed(decision.lane.pool.endpoints)}",)),
        *_mirror_steps(decision),
    ]
    return Explanation(_answer(decision, asking, context.trace_id, endpoint), tuple(steps))


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


def _session_step(decision: Decision, asking: Asking, context: TraceContext) -> Step:
    notes, is_new, trace_id = [], context.source == "new", context.trace_id
    for rung in decision.route.ladder:
        found = rung.find(asking, trace_id)
        if found:
            notes.append(f"{rung.source}: found" + ("" if rung.is_one_place else f" at {rung.found_at(asking)}"))
            if is_new and decision.hangs_on_trace:
                notes.append("a new trace each time: every such request is a session of its own")
            break
        if rung.reads_body and asking.body is None:
            notes.append(f"{rung.source}: no body that is read")
        else:
            notes.append(f"{rung.source}: {'empty' if found is not None and rung.is_one_place else 'not there'}")
    return Step("session", decision.session_key.decode(), tuple(notes))


def _color_step(table: Table, decision: Decision, asking: Asking, inbound: bytes) -> Step:
    notes = [f"inbound: {inbound.decode() or 'none'}"]
    if inbound and table.color_rules:
        notes.append("rules: not tried, for the request has a colour")
    if not inbound:
        for number, rule in enumerate(table.color_rules, 1):
            holds = rule.holds(asking, decision.session_key)
            why = "holds" if holds else _why_not(rule.condition, asking, decision.session_key)
            notes.append(f"rule {number} ({rule.color.decode()} when {rule}): {why}")
            if holds:
                break
    if decision.color_source == "lane":
        notes.append(f"lane {decision.lane.name} paints what lands on it")
    return Step("color", decision.color.decode() or "none", tuple(notes))


def _why_not(condition: Condition, asking: Asking, session_key: bytes) -> str:
    failed = [str(part) for part in condition.parts if not part.holds(asking, session_key)]
    if not failed or len(failed) == len(condition.parts):
        return "does not hold"
    return f"does not hold: not {', nor '.join(failed)}"


def _lane_step(decision: Decision) -> Step:
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
    if lane is not split.baseline:
        notes.append(f"if nobody of it can be had: {f'the baseline, {split.baseline.name}' if lane.falls_back else 'an error'}")
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
