"""Weights of lanes in place of the file's: those set over the admin API, checked as the file's are, and those of rollouts."""

from collections.abc import Mapping
from typing import Any

from tracer_proxy.config.choices import hint
from tracer_proxy.config.rollouts import baseline_of
from tracer_proxy.config.routes import Route
from tracer_proxy.config.schema import Config
from tracer_proxy.limits import CONFIG_WEIGHT_MAX
from tracer_proxy.rollout.traffic import Traffic

Weights = Mapping[str, float]
"""By lane."""


class WrongWeights(ValueError):
    """One sentence that says what is wrong with them."""


def checked(route: Route, asked: Any) -> Weights:
    """The weights of all lanes of a route; those left out keep theirs. Raises ``WrongWeights``."""
    if not isinstance(asked, dict) or not asked:
        raise WrongWeights('Expected an object with a weight for each lane, such as {"stable": 80, "canary": 20}.')
    lanes = {lane.name: lane.weight for lane in route.lanes}
    for name, weight in asked.items():
        if name not in lanes:
            raise WrongWeights(f"The route {route.name!r} has no lane {name!r}{hint(name, lanes, 'lanes')}")
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight <= CONFIG_WEIGHT_MAX:
            raise WrongWeights(f"The weight of {name!r} must be a number from 0 to {CONFIG_WEIGHT_MAX:,.0f}; found {weight!r}.")
    weights = lanes | {name: float(weight) for name, weight in asked.items()}
    if not any(weights.values()):
        raise WrongWeights("All weights are 0, so nobody would serve sessions without colour; give one lane a weight.")
    return weights


def told(config: Config, overrides: Mapping[str, Weights], rollouts: Mapping[str, Traffic]) -> dict[str, list[str]]:
    """By route, whose weights these are where they are not the file's: for ``explain``."""
    found = {
        route: [f"weights were set over the admin API: {_shown(weights)}"]
        for route, weights in overrides.items()
        if route not in rollouts
    }
    for name, rollout in config.rollouts.items():
        if (traffic := rollouts.get(rollout.route)) is None:
            continue
        whose = f"weights are those of the rollout {name}: {_shown(traffic.weights)}"
        heir = traffic.heir or "the baseline"
        closed = [
            f"{lane} is closed by the rollout {name}: it gets nothing, and {heir} serves its colours"
            for lane in sorted(traffic.closed)
        ]
        found[rollout.route] = [whose, *closed]
    return found


def _shown(weights: Weights) -> str:
    return ", ".join(f"{lane} {weight:g}" for lane, weight in weights.items())


def with_weights(config: Config, overrides: Mapping[str, Weights], rollouts: Mapping[str, Traffic]) -> Config:
    """The config with these in place of the file's, by route; a rollout counts more than what was set before it began."""
    laid = {route: Traffic(weights) for route, weights in overrides.items()} | dict(rollouts)
    if not laid:
        return config
    routes = [_with(route, laid[route.name]) if route.name in laid else route for route in config.routes]
    return config.model_copy(update={"routes": tuple(routes)})


def _with(route: Route, traffic: Traffic) -> Route:
    given_up = [color for lane in route.lanes if lane.name in traffic.closed for color in lane.colors]
    is_baseline_closed = baseline_of(route.lanes) in traffic.closed
    lanes = []
    for lane in route.lanes:
        changes: dict[str, Any] = {"weight": traffic.weights.get(lane.name, lane.weight)}
        if lane.name in traffic.closed:
            # Nobody serves its colours now, so the baseline does.
            changes |= {"colors": (), "color": None, "drain": "none"}
        if traffic.heir and is_baseline_closed:
            changes |= {"baseline": lane.name == traffic.heir}
        if lane.name == traffic.heir:
            changes |= {"colors": (*lane.colors, *given_up)}
        lanes.append(lane.model_copy(update=changes))
    return route.model_copy(update={"lanes": tuple(lanes)})
