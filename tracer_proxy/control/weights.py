"""Weights of lanes that were set over the admin API: checked as those of the file are, and laid over them."""

from collections.abc import Mapping
from typing import Any

from tracer_proxy.config.choices import hint
from tracer_proxy.config.routes import Route
from tracer_proxy.config.schema import Config
from tracer_proxy.limits import CONFIG_WEIGHT_MAX

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


def with_weights(config: Config, overrides: Mapping[str, Weights]) -> Config:
    """The config with these weights in place of the file's."""
    if not overrides:
        return config
    routes = [_with_weights(route, overrides[route.name]) if route.name in overrides else route for route in config.routes]
    return config.model_copy(update={"routes": tuple(routes)})


def _with_weights(route: Route, weights: Weights) -> Route:
    lanes = [lane.model_copy(update={"weight": weights.get(lane.name, lane.weight)}) for lane in route.lanes]
    return route.model_copy(update={"lanes": tuple(lanes)})
