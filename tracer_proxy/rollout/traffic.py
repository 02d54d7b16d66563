"""Who gets what of a route because of its rollout."""

from collections.abc import Iterable, Mapping

from msgspec import Struct

from tracer_proxy.rollout.course import Course, Status
from tracer_proxy.rollout.plan import Plan

_CLOSING = (Status.ROLLED_BACK, Status.ABORTED, Status.SWITCHED)
"""Their lane is closed unless somebody has given it a weight."""


class Traffic(Struct, frozen=True):
    weights: Mapping[str, float]
    """By lane; they add up to 100 unless somebody has set them."""
    closed: frozenset[str] = frozenset()
    """Lanes that get nothing at all, their colours included."""
    heir: str = ""
    """The lane that gets the colours of the closed ones; if empty, the baseline serves them."""


def fits(course: Course, plan: Plan, lanes: Mapping[str, float]) -> bool:
    """Whether the course can be one of this plan: what was read of a file may be anything."""
    if not (0 <= course.step < len(plan.steps) and 0 <= course.percent <= 100):
        return False
    if course.status is Status.SWITCHED and not plan.switch_to:
        return False
    found = traffic(course, plan, lanes)
    return found is None or hold_for(found.weights, lanes)


def hold_for(weights: Mapping[str, float], lanes: Iterable[str]) -> bool:
    """Whether these can be the weights of just these lanes."""
    return set(weights) == set(lanes) and all(weight >= 0 for weight in weights.values()) and sum(weights.values()) > 0


def traffic(course: Course, plan: Plan, lanes: Mapping[str, float]) -> Traffic | None:
    """``lanes`` are the weights of the file; ``None`` where these are to hold."""
    weights = course.by_hand if course.by_hand is not None else _weights(course, plan, lanes)
    if weights is None:
        return None
    if course.status not in _CLOSING or weights[plan.lane]:
        return Traffic(weights)
    return Traffic(weights, frozenset((plan.lane,)), plan.switch_to if course.status is Status.SWITCHED else "")


def _weights(course: Course, plan: Plan, lanes: Mapping[str, float]) -> dict[str, float] | None:
    is_guard = plan.lane == plan.baseline
    if course.status is Status.WAITING or (course.status is Status.ABORTED and is_guard):
        return None
    if course.status is Status.SWITCHED:
        weights = _shared(plan, plan.steps[course.step], lanes)
        weights[plan.switch_to] += weights[plan.lane]
        weights[plan.lane] = 0.0
        return weights
    return _shared(plan, course.percent, lanes)


def _shared(plan: Plan, percent: float, lanes: Mapping[str, float]) -> dict[str, float]:
    """What the lane gets is taken from the baseline, and from the others only when that has nothing left: so no session moves
    that need not.
    """
    rest, total = 100.0 - percent, sum(lanes.values())
    others = {name: 100.0 * (weight / total) for name, weight in lanes.items() if name not in (plan.lane, plan.baseline)}
    taken = sum(others.values())
    if taken > rest:
        others, taken = {name: rest * (share / taken) for name, share in others.items()}, rest
    return {name: percent if name == plan.lane else others.get(name, rest - taken) for name in lanes}
