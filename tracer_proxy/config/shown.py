"""A config as it may be shown: every value as the file could have it, and secrets masked."""

from collections.abc import Mapping
from typing import Any

from tracer_proxy.config.addresses import Endpoint
from tracer_proxy.config.matchers import Matcher, Sticky
from tracer_proxy.config.part import Part
from tracer_proxy.config.rollouts import Failure
from tracer_proxy.config.schema import Config
from tracer_proxy.config.values import StatusRange

MASK = "***"
_SECRET = frozenset(
    (
        ("admin", "token"),
        ("pools", "*", "headers", "*"),
        ("tracing", "headers", "*"),
        ("rollouts", "*", "notify", "webhook"),
        ("rollouts", "*", "notify", "headers", "*"),
    )
)
"""Where secrets stand; ``*`` is any key."""


def shown(config: Config) -> dict[str, Any]:
    """JSON-able. Durations are seconds and sizes bytes."""
    return {name: _shown(value, (name,)) for name, value in config if name != "profiles"}


def _shown(value: object, place: tuple[str, ...]) -> Any:
    if value is not None and any(_is_at(secret, place) for secret in _SECRET):
        return MASK
    if isinstance(value, Part):
        names = type(value).model_fields
        return {names[name].alias or name: _shown(part, (*place, name)) for name, part in value}
    if isinstance(value, Mapping):
        return {str(name): _shown(part, (*place, str(name))) for name, part in value.items()}
    if isinstance(value, tuple):
        return [_shown(part, place) for part in value]
    if isinstance(value, Matcher):
        return value.value if value.kind == "exact" else {value.kind: value.value}
    if isinstance(value, Failure):
        return {"switch_to": value.switch_to} if value.switch_to else str(value)
    if isinstance(value, Endpoint) and value.weight != 1:
        return {"url": str(value), "weight": value.weight}
    return str(value) if isinstance(value, Endpoint | Sticky | StatusRange) else value


def _is_at(secret: tuple[str, ...], place: tuple[str, ...]) -> bool:
    return len(secret) == len(place) and all(part in ("*", here) for part, here in zip(secret, place, strict=True))
