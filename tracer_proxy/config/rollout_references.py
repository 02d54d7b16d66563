"""What must hold between the keys of rollouts, and between them and the routes that they name."""

import re
from collections.abc import Iterator
from itertools import pairwise

from tracer_proxy.config.choices import hint
from tracer_proxy.config.nodes import Location, path_text
from tracer_proxy.config.references import Complaint
from tracer_proxy.config.rollouts import Judge, MaxQuantile, MaxRate, MinConfidence, Rollout, baseline_of
from tracer_proxy.config.routes import NAME_EXPECTED, NAME_PATTERN, Route
from tracer_proxy.config.schema import Config
from tracer_proxy.rollout.plan import OnFailure


def complaints(config: Config) -> list[Complaint]:
    found: list[Complaint] = []
    taken: dict[str, str] = {}
    routes = {route.name: (index, route) for index, route in enumerate(config.routes)}
    for name, rollout in config.rollouts.items():
        location: Location = ("rollouts", name)
        if not re.fullmatch(NAME_PATTERN, name):
            found.append(Complaint(location, f"expected {NAME_EXPECTED}"))
        found += _steps(rollout, location)
        found += _judge(rollout.judge, (*location, "judge"))
        if rollout.route not in routes:
            message = f"found {rollout.route!r}: there is no such route{hint(rollout.route, routes, 'routes')}"
            found.append(Complaint((*location, "route"), message, _named_in(("routes",), len(config.routes))))
            continue
        earlier = taken.setdefault(rollout.route, path_text(location))
        if earlier != path_text(location):
            message = f"found {rollout.route!r}: {earlier} is about this route already; a route has one rollout at most"
            found.append(Complaint((*location, "route"), message))
        index, route = routes[rollout.route]
        found += _lanes(rollout, route, ("routes", index, "lanes"), location)
    return found


def _steps(rollout: Rollout, location: Location) -> Iterator[Complaint]:
    for index, (before, step) in enumerate(pairwise(rollout.steps), 1):
        if step <= before:
            message = f"found {step:g}: not above {before:g}, the step before; steps must rise"
            yield Complaint((*location, "steps", index), message)


def _judge(judge: Judge, location: Location) -> Iterator[Complaint]:
    bounds = {key: bound for key, bound in judge if key != "min_exchanges"}
    if not any(bounds.values()):
        message = f"found no bound, so that everything would be good enough: expected at least one of {', '.join(bounds)}"
        yield Complaint(location, message)
    for key, bound in bounds.items():
        if isinstance(bound, MaxRate | MaxQuantile) and bound.absolute is None and bound.worse_than_baseline is None:
            yield Complaint((*location, key), "found no bound: expected absolute, worse_than_baseline or both")
        if isinstance(bound, MinConfidence) and (bound.header is None) is (bound.pointer is None):
            which = "neither" if bound.header is None else "both"
            message = f"found {which} of header and pointer: expected one of them, which says where the confidence stands"
            yield Complaint((*location, key), message, ((*location, key, "header"), (*location, key, "pointer")))


def _lanes(rollout: Rollout, route: Route, lanes: Location, location: Location) -> Iterator[Complaint]:
    names = [lane.name for lane in route.lanes]
    if rollout.lane not in names:
        message = f"found {rollout.lane!r}: the route {route.name!r} has no such lane{hint(rollout.lane, names, 'lanes')}"
        yield Complaint((*location, "lane"), message, _named_in(lanes, len(names)))
    elif rollout.lane == baseline_of(route.lanes):
        yield from _guard(rollout, route, lanes, location)
    failure = rollout.on_failure
    if failure.do is not OnFailure.SWITCH:
        return
    if failure.switch_to not in names:
        message = f"found {failure.switch_to!r}: the route {route.name!r} has no such lane"
        message += hint(failure.switch_to, names, "lanes")
        yield Complaint((*location, "on_failure", "switch_to"), message, _named_in(lanes, len(names)))
    elif failure.switch_to == rollout.lane:
        message = f"found {failure.switch_to!r}: that is the lane that fails; name another one"
        yield Complaint((*location, "on_failure", "switch_to"), message, ((*location, "lane"),))


def _guard(rollout: Rollout, route: Route, lanes: Location, location: Location) -> Iterator[Complaint]:
    """The baseline can be watched, and there is nothing to compare it with and nothing to take it back to."""
    rests_on = (*_named_in(lanes, len(route.lanes)), (*location, "steps"), (*location, "on_failure"), (*location, "judge"))
    if rollout.steps != (100.0,) or rollout.on_failure.do is OnFailure.ROLLBACK:
        message = (
            f"found {rollout.lane!r}: that is the baseline of the route, which can only be guarded: "
            "with steps: [100], and on_failure pause or {switch_to: LANE}; or name the lane that is new"
        )
        yield Complaint((*location, "lane"), message, rests_on)
    elif not rollout.judge.has_absolute:
        message = (
            f"found {rollout.lane!r}: the baseline cannot be compared with itself; give its judge an absolute bound or "
            "min_confidence"
        )
        yield Complaint((*location, "lane"), message, rests_on)


def _named_in(things: Location, count: int) -> tuple[Location, ...]:
    """Where the names stand that a name may refer to: while one of them is wrong, any could be meant."""
    return (things, *((*things, index, "name") for index in range(count)))
