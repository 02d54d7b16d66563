"""Who gets what of a route because of its rollout."""

from collections.abc import Mapping

from msgspec import Struct

from tracer_proxy.rollout.course import Course, Status
from tracer_proxy.rollout.plan import Plan


class Traffic(Struct, frozen=True):
    weights: Mapping[str, float]
    """By lane; they add up to 100 unless somebody has set them."""
    closed: frozenset[str] = frozenset()
    """Lanes that get nothing at all, their colours included."""
    heir: str = ""
    """The lane that gets the colours of the closed ones; if empty, the baseline serves them."""


def traffic(course: Course, plan: Plan, lanes: Mapping[str, float]) -> Traffic | None:
    """``lanes`` are the weights of the file; ``None`` where these are to hold."""
    if course.by_hand is not None:
        return Traffic(course.by_hand)
    is_guard = plan.lane == plan.baseline
    if course.status is Status.WAITING or (course.status is Status.ABORTED and is_guard):
        return None
    if course.status is Status.SWITCHED:
        weights = _shared(plan, plan.steps[course.step], lanes)
        weights[plan.switch_to] += weights[plan.lane]
        weights[plan.lane] = 0.0
        return Traffic(weights, frozenset((plan.lane,)), plan.switch_to)
    weights = _shared(plan, course.percent, lanes)
    if course.status in (Status.ROLLED_BACK, Status.ABORTED):
        return Traffic(weights, frozenset((plan.lane,)))
    return Traffic(weights)


def _shared(plan: Plan, percent: float, lanes: Mapping[str, float]) -> dict[str, float]:
    """The others share what the lane leaves as they do in the file; if none of them has a weight there, the baseline has it."""
    rest = 100.0 - percent
    others = {name: weight for name, weight in lanes.items() if name != plan.lane}
    total = sum(others.values())
    if not total:
        others, total = {name: float(name == plan.baseline) for name in others}, 1.0
    shares = {name: rest * (weight / total) for name, weight in others.items()}
    return {name: percent if name == plan.lane else shares[name] for name in lanes}
