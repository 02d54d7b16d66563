"""Colour rules: which traffic gets which colour, in order, first hit wins."""

from collections.abc import Callable, Sequence
from functools import partial

from tracer_proxy.routing.bucket import BUCKETS, bucket, seed
from tracer_proxy.routing.matcher import Matcher, cookie_value, query_value
from tracer_proxy.wire.request import RequestHead

AGENT_ID = b"x-agent-id"


class Condition:
    """``holds(head, session_key)``; ``str()`` is for ``explain``."""

    __slots__ = ("_text", "holds", "is_share")

    def __init__(self, text: str, holds: Callable[[RequestHead, bytes], bool], *, is_share: bool = False) -> None:
        self._text = text
        self.holds = holds
        self.is_share = is_share

    def __str__(self) -> str:
        return self._text


def header(name: str, matcher: Matcher) -> Condition:
    return Condition(f"header {name} {matcher}", partial(_header_holds, name.lower().encode(), matcher))


def cookie(name: str, matcher: Matcher) -> Condition:
    return Condition(f"cookie {name} {matcher}", partial(_cookie_holds, name.encode(), matcher))


def query(name: str, matcher: Matcher) -> Condition:
    return Condition(f"query {name} {matcher}", partial(_query_holds, name.encode(), matcher))


def path(matcher: Matcher) -> Condition:
    return Condition(f"path {matcher}", partial(_path_holds, matcher))


def agent(matcher: Matcher) -> Condition:
    return Condition(f"agent {matcher}", partial(_header_holds, AGENT_ID, matcher))


def percent(share: float, color: str) -> Condition:
    """``share`` of session keys, salted by the colour: stable when rules are reordered, and growing it only adds sessions."""
    below = round(share * BUCKETS / 100)
    return Condition(f"{share:g} % of session keys", partial(_is_below, below, seed(f"color/{color}")), is_share=True)


def _header_holds(name: bytes, matcher: Matcher, head: RequestHead, session_key: bytes) -> bool:
    return matcher.test(head.fields.values.get(name))


def _cookie_holds(name: bytes, matcher: Matcher, head: RequestHead, session_key: bytes) -> bool:
    return matcher.test(cookie_value(head.fields.values.get(b"cookie"), name))


def _query_holds(name: bytes, matcher: Matcher, head: RequestHead, session_key: bytes) -> bool:
    return matcher.test(query_value(head.query, name))


def _path_holds(matcher: Matcher, head: RequestHead, session_key: bytes) -> bool:
    return matcher.test(head.path)


def _is_below(below: int, salt: int, head: RequestHead, session_key: bytes) -> bool:
    return bucket(session_key, salt) < below


class ColorRule:
    """Paints ``color`` on what meets every condition."""

    __slots__ = ("color", "conditions", "is_share")

    def __init__(self, color: str, conditions: Sequence[Condition]) -> None:
        self.color = color.encode()
        self.conditions = tuple(conditions)
        self.is_share = any(condition.is_share for condition in conditions)
        """It holds for a share of sessions."""

    def holds(self, head: RequestHead, session_key: bytes) -> bool:
        return all(condition.holds(head, session_key) for condition in self.conditions)

    def __str__(self) -> str:
        return " and ".join(map(str, self.conditions))
