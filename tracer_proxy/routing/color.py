"""Colour rules: which traffic gets which colour, in order, first hit wins."""

from collections.abc import Callable, Sequence

from tracer_proxy.routing.bucket import BUCKETS, bucket, seed
from tracer_proxy.routing.matcher import Matcher, cookie_value, query_value
from tracer_proxy.wire.request import RequestHead

AGENT_ID = b"x-agent-id"


class Condition:
    """``holds(head, session_key)``; ``str()`` is for ``explain``."""

    __slots__ = ("_text", "holds")

    def __init__(self, text: str, holds: Callable[[RequestHead, bytes], bool]) -> None:
        self._text = text
        self.holds = holds

    def __str__(self) -> str:
        return self._text


def header(name: str, matcher: Matcher) -> Condition:
    key = name.lower().encode()
    return Condition(f"header {name} {matcher}", lambda head, _: matcher.test(head.fields.values.get(key)))


def cookie(name: str, matcher: Matcher) -> Condition:
    key = name.encode()
    return Condition(
        f"cookie {name} {matcher}", lambda head, _: matcher.test(cookie_value(head.fields.values.get(b"cookie"), key))
    )


def query(name: str, matcher: Matcher) -> Condition:
    key = name.encode()
    return Condition(f"query {name} {matcher}", lambda head, _: matcher.test(query_value(head.query, key)))


def path(matcher: Matcher) -> Condition:
    return Condition(f"path {matcher}", lambda head, _: matcher.test(head.path))


def agent(matcher: Matcher) -> Condition:
    return Condition(f"agent {matcher}", lambda head, _: matcher.test(head.fields.values.get(AGENT_ID)))


def percent(share: float, color: str) -> Condition:
    """``share`` of session keys, salted by the colour: stable when rules are reordered, and growing it only adds sessions."""
    below = round(share * BUCKETS / 100)
    salt = seed(f"color/{color}")
    return Condition(f"{share:g} % of session keys", lambda _, session_key: bucket(session_key, salt) < below)


class ColorRule:
    """Paints ``color`` on what meets every condition."""

    __slots__ = ("color", "conditions")

    def __init__(self, color: str, conditions: Sequence[Condition]) -> None:
        self.color = color.encode()
        self.conditions = tuple(conditions)

    def holds(self, head: RequestHead, session_key: bytes) -> bool:
        return all(condition.holds(head, session_key) for condition in self.conditions)

    def __str__(self) -> str:
        return " and ".join(map(str, self.conditions))
