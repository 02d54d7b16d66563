"""A rollout as the admin API shows it, and its changes as log and webhooks tell them."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from tracer_proxy.config.rollouts import Rollout
from tracer_proxy.control.rollout_file import to_plain
from tracer_proxy.rollout.course import Change, Course, Kind, Status
from tracer_proxy.rollout.plan import Plan
from tracer_proxy.rollout.traffic import Traffic
from tracer_proxy.rollout.verdict import Verdict
from tracer_proxy.telemetry.evidence import Evidence

_DONE = {
    Kind.STARTED: "begins",
    Kind.STEP: "goes on",
    Kind.HELD: "is held",
    Kind.PAUSED: "is paused",
    Kind.RESUMED: "goes on, with its step begun anew",
    Kind.PROMOTED: "is promoted",
    Kind.ROLLED_BACK: "is rolled back",
    Kind.SWITCHED: "is switched",
    Kind.ABORTED: "is aborted",
    Kind.WEIGHTS: "is overruled",
}


def shown(config: Rollout, plan: Plan, course: Course, weights: Mapping[str, float], now: datetime) -> dict[str, Any]:
    """JSON-able."""
    runs = course.status is Status.RUNNING
    is_guard = plan.lane == plan.baseline
    left_s = max(plan.hold_s - course.held_s, 0.0)
    return {
        "name": plan.name,
        "route": plan.route,
        "lane": plan.lane,
        "baseline": plan.baseline,
        "guard": is_guard,
        "status": course.status,
        "since": course.since,
        "step": course.step + 1,
        "steps": plan.steps,
        "percent": course.percent,
        "weights": weights,
        "by_hand": course.by_hand is not None,
        "hold_s": plan.hold_s,
        "held_s": round(course.held_s, 3),
        "next_step_earliest": _utc(now + timedelta(seconds=left_s)) if runs and not is_guard else None,
        "held": course.verdict.message if runs and course.held and course.verdict else None,
        "on_failure": str(config.on_failure),
        "evidence": {"lane": _numbers(course.lane), "baseline": _numbers(course.baseline)},
        "looks": course.looks,
        "verdict": judged(course.verdict, course.held_s) if course.verdict else None,
        "history": [_entry(change) for change in course.history],
    }


def told(plan: Plan, change: Change, traffic: Traffic) -> dict[str, Any]:
    """JSON-able. ``message`` is for people."""
    return {
        "rollout": plan.name,
        "route": plan.route,
        "lane": plan.lane,
        "change": change.kind,
        "message": _message(plan, change),
        "from": change.before,
        "to": change.after,
        "step": change.step,
        "steps": len(plan.steps),
        "percent": change.percent,
        "weights": dict(traffic.weights),
        "closed": sorted(traffic.closed),
        "at": change.at,
        "by": change.by,
        "reason": change.reason,
        "verdict": judged(change.verdict, change.window_s) if change.verdict else None,
    }


def judged(verdict: Verdict, window_s: float) -> dict[str, Any]:
    return {
        "outcome": verdict.outcome,
        "message": verdict.message,
        "exchanges": verdict.exchanges,
        "baseline_exchanges": verdict.baseline_exchanges,
        "window_s": round(window_s, 3),
        "findings": to_plain(verdict.findings),
        "traces": verdict.traces,
    }


def _message(plan: Plan, change: Change) -> str:
    """Whoever reads only this knows what has happened, and why."""
    where = f"step {change.step} of {len(plan.steps)}, {change.percent:g} % for the lane {plan.lane!r}"
    done = _DONE[change.kind]
    if change.kind is Kind.SWITCHED:
        done += f" to the lane {plan.switch_to!r}"
        where = f"nothing for the lane {plan.lane!r}"
    elif change.kind is Kind.WEIGHTS:
        where = f"it stays {change.after.replace('_', ' ')}, with other weights"
    elif change.kind is Kind.PROMOTED:
        where = f"{change.percent:g} % for the lane {plan.lane!r}"
    elif change.kind in (Kind.ROLLED_BACK, Kind.ABORTED):
        where = f"nothing for the lane {plan.lane!r}" if plan.lane != plan.baseline else "the weights are the file's again"
    said = f"The rollout {plan.name!r} of the route {plan.route!r} {done}: {where}."
    return f"{said} {change.reason}".rstrip()


def _entry(change: Change) -> dict[str, Any]:
    verdict = judged(change.verdict, change.window_s) if change.verdict else None
    plain: dict[str, Any] = to_plain(change)
    del plain["window_s"]
    return plain | {"verdict": verdict}


def _numbers(evidence: Evidence) -> dict[str, Any]:
    mean = evidence.confidence_sum / evidence.confidences if evidence.confidences else None
    return {"exchanges": evidence.exchanges, "errors": evidence.errors, "confidence": mean}


def _utc(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
