"""From colour rules of the config to those that workers go by."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import inf

from tracer_proxy.config.conditions import TimeWindow as TimeWindowConfig
from tracer_proxy.config.conditions import When
from tracer_proxy.config.matchers import Matcher as MatcherConfig
from tracer_proxy.config.routes import ColorRule as ColorRuleConfig
from tracer_proxy.routing import condition as conditions
from tracer_proxy.routing import matcher as matchers
from tracer_proxy.routing.color import ColorRule
from tracer_proxy.routing.condition import AGENT_ID, Condition
from tracer_proxy.routing.matcher import Matcher
from tracer_proxy.routing.time_window import DAYS, TimeWindow


def color_rule(config: ColorRuleConfig) -> ColorRule:
    return ColorRule(config.color, _condition(config.when, _salt(config)))


def headers_looked_at(when: When) -> Iterator[bytes]:
    """Lower-case names."""
    yield from (name.lower().encode() for name in when.header)
    if when.agent is not None:
        yield AGENT_ID
    if when.cookie:
        yield b"cookie"
    for inner in inner_of(when):
        yield from headers_looked_at(inner)


def inner_of(when: When) -> Sequence[When]:
    return (*when.all, *when.any, *([when.not_] if when.not_ is not None else []))


def matcher(config: MatcherConfig) -> Matcher:
    if isinstance(config.value, bool):
        return matchers.present(config.value)
    makers = {"exact": matchers.exact, "prefix": matchers.prefix, "regex": matchers.regex}
    return makers[config.kind](config.value)


def _salt(config: ColorRuleConfig) -> str:
    """The rule told by its colour and all but its shares.

    So a share keeps its sessions when it grows or when rules change places, and another rule draws independently.
    """
    return " and ".join((f"color/{config.color}", *_but_shares(config.when)))


def _but_shares(when: When) -> Iterator[str]:
    yield from map(str, _own(when))
    for word, put_together in (("all", when.all), ("any", when.any), ("not", [when.not_] if when.not_ is not None else [])):
        if put_together:
            yield f"{word} ({', '.join(' and '.join(_but_shares(inner)) for inner in put_together)})"


def _condition(when: When, salt: str) -> Condition:
    parts = list(_own(when))
    if when.percent is not None:
        parts.append(conditions.percent(when.percent, f"experiment/{when.experiment}" if when.experiment else salt))
    parts += [_condition(inner, salt) for inner in when.all]
    if when.any:
        parts.append(conditions.some([_condition(inner, salt) for inner in when.any]))
    if when.not_ is not None:
        parts.append(conditions.none(_condition(when.not_, salt)))
    return conditions.every(parts)


def _own(when: When) -> Iterator[Condition]:
    """All but shares and what is put together."""
    yield from (conditions.header(name, matcher(each)) for name, each in when.header.items())
    yield from (conditions.cookie(name, matcher(each)) for name, each in when.cookie.items())
    yield from (conditions.query(name, matcher(each)) for name, each in when.query.items())
    if when.path is not None:
        yield conditions.path(_path_matcher(when.path))
    if when.agent is not None:
        yield conditions.agent(matcher(when.agent))
    if when.model is not None:
        yield conditions.model(matcher(when.model))
    yield from (conditions.body(pointer, matcher(each)) for pointer, each in when.body.items())
    if when.client:
        yield conditions.client(when.client)
    if when.certificate is not None:
        yield conditions.certificate(matcher(when.certificate))
    if when.time is not None:
        yield conditions.time(_window(when.time))


def _path_matcher(config: MatcherConfig) -> Matcher:
    assert isinstance(config.value, str)
    return matchers.path_prefix(config.value) if config.kind == "prefix" else matcher(config)


def _window(config: TimeWindowConfig) -> TimeWindow:
    hours = config.hours
    return TimeWindow(
        config.zone,
        _moment(config.after, config) if config.after else -inf,
        _moment(config.before, config) if config.before else inf,
        tuple(DAYS.index(day) for day in config.days),
        hours.opens if hours else None,
        hours.closes if hours else None,
    )


def _moment(written: datetime, config: TimeWindowConfig) -> float:
    return (written if written.tzinfo is not None else written.replace(tzinfo=config.zone)).timestamp()
