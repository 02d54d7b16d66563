"""What a rule looks at in a request: one thing each, and ``every``, ``some`` and ``none`` of others.

Functions of the module and not closures: a table travels from the process that compiles it to those that route by it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import partial

from tracer_proxy.context.trust import Trust
from tracer_proxy.genai.json_pointer import Pointer
from tracer_proxy.limits import SHOWN_VALUE_CHARS_MAX
from tracer_proxy.routing.asking import Asking
from tracer_proxy.routing.bucket import BUCKETS, bucket, seed
from tracer_proxy.routing.matcher import Matcher, cookie_value, query_value
from tracer_proxy.routing.time_window import TimeWindow

AGENT_ID = b"x-agent-id"


class Joins(Enum):
    """How a condition is put together of its parts."""

    EVERY = "every"
    SOME = "some"
    NONE = "none"
    """Of its one part the contrary."""


@dataclass(frozen=True, slots=True)
class Condition:
    """``holds(asking, session_key)``; ``str()`` is for ``explain``, and the salt of shares hangs on it."""

    text: str
    holds: Callable[[Asking, bytes], bool]
    seen: Callable[[Asking, bytes], str] | None = None
    """What it found, in words: why it holds, or does not. ``None`` where that is said by its parts."""
    parts: "tuple[Condition, ...]" = ()
    """Those that it is put together of."""
    joins: Joins = Joins.EVERY
    is_share: bool = False
    """It holds for a share of sessions."""
    reads_body: bool = False
    reads_clock: bool = False

    def __str__(self) -> str:
        return self.text

    @property
    def varies(self) -> bool:
        """Between requests with the same head."""
        return self.is_share or self.reads_body or self.reads_clock

    def why(self, asking: Asking, session_key: bytes) -> list[str]:
        """What made it hold, or not hold."""
        if self.seen is not None:
            return [self.seen(asking, session_key)]
        outcome = self.holds(asking, session_key) is not (self.joins is Joins.NONE)
        decisive = [part for part in self.parts if part.holds(asking, session_key) is outcome]
        return [reason for part in decisive for reason in part.why(asking, session_key)]


_Value = Callable[[Asking], bytes | None]
"""Looks at one thing in a request."""


def header(name: str, matcher: Matcher) -> Condition:
    return _on_value(f"header {name}", partial(_header, name.lower().encode()), matcher)


def cookie(name: str, matcher: Matcher) -> Condition:
    return _on_value(f"cookie {name}", partial(_cookie, name.encode()), matcher)


def query(name: str, matcher: Matcher) -> Condition:
    return _on_value(f"query {name}", partial(_query, name.encode()), matcher)


def path(matcher: Matcher) -> Condition:
    return _on_value("path", _path, matcher)


def agent(matcher: Matcher) -> Condition:
    return _on_value("agent", partial(_header, AGENT_ID), matcher)


def model(matcher: Matcher) -> Condition:
    return _on_value("model", _model, matcher, reads_body=True)


def body(pointer: Pointer, matcher: Matcher) -> Condition:
    return _on_value(f"body /{'/'.join(pointer)}", partial(_body, pointer), matcher, reads_body=True)


def client(networks: Sequence[str]) -> Condition:
    return Condition(f"client in {', '.join(networks)}", partial(_client_holds, Trust(networks)), _client_seen)


def certificate(matcher: Matcher) -> Condition:
    return Condition(f"certificate {matcher}", partial(_certificate_holds, matcher), _certificate_seen)


def time(window: TimeWindow) -> Condition:
    return Condition(f"time {window}", partial(_time_holds, window), partial(_time_seen, window), reads_clock=True)


def percent(share: float, experiment: str) -> Condition:
    """``share`` of session keys, the same ones for the same ``experiment``; growing it only adds sessions."""
    below, salt = round(share * BUCKETS / 100), seed(experiment)
    return Condition(
        f"{share:g} % of session keys", partial(_is_below, below, salt), partial(_bucket_seen, below, salt), is_share=True
    )


def every(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else _combined(" and ".join(map(_bracketed, parts)), _every_holds, parts, Joins.EVERY)


def some(parts: Sequence[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else _combined(" or ".join(map(_bracketed, parts)), _some_holds, parts, Joins.SOME)


def none(part: Condition) -> Condition:
    return _combined(f"not {_bracketed(part)}", _none_holds, (part,), Joins.NONE)


def _on_value(what: str, value: _Value, matcher: Matcher, *, reads_body: bool = False) -> Condition:
    holds, seen = partial(_value_holds, value, matcher), partial(_value_seen, what, value)
    return Condition(f"{what} {matcher}", holds, seen, reads_body=reads_body)


def _combined(text: str, holds: Callable[..., bool], parts: Sequence[Condition], joins: Joins) -> Condition:
    return Condition(
        text,
        partial(holds, tuple(part.holds for part in parts)),
        parts=tuple(parts),
        joins=joins,
        is_share=any(part.is_share for part in parts),
        reads_body=any(part.reads_body for part in parts),
        reads_clock=any(part.reads_clock for part in parts),
    )


def _bracketed(part: Condition) -> str:
    return f"({part})" if len(part.parts) > 1 else part.text


_Holds = Callable[[Asking, bytes], bool]


def _header(name: bytes, asking: Asking) -> bytes | None:
    return asking.head.fields.values.get(name)


def _cookie(name: bytes, asking: Asking) -> bytes | None:
    return cookie_value(asking.head.fields.values.get(b"cookie"), name)


def _query(name: bytes, asking: Asking) -> bytes | None:
    return query_value(asking.head.query, name)


def _path(asking: Asking) -> bytes:
    return asking.head.path


def _model(asking: Asking) -> bytes | None:
    return asking.model


def _body(pointer: Pointer, asking: Asking) -> bytes | None:
    found = asking.body.at(pointer) if asking.body is not None else ""
    return found.encode() if found else None


def _value_holds(value: _Value, matcher: Matcher, asking: Asking, session_key: bytes) -> bool:
    return matcher.test(value(asking))


def _value_seen(what: str, value: _Value, asking: Asking, session_key: bytes) -> str:
    found = value(asking)
    if found is None:
        return f"{what} is not there"
    text = found.decode("utf-8", "backslashreplace")
    return f"{what} is {text if len(text) <= SHOWN_VALUE_CHARS_MAX else text[:SHOWN_VALUE_CHARS_MAX] + '…'!r}"


def _client_holds(networks: Trust, asking: Asking, session_key: bytes) -> bool:
    """Who comes by a Unix socket has no address."""
    return bool(asking.peer) and networks.believes(asking.peer.decode())


def _client_seen(asking: Asking, session_key: bytes) -> str:
    return f"client is {asking.peer.decode()}" if asking.peer else "client has no address"


def _certificate_holds(matcher: Matcher, asking: Asking, session_key: bytes) -> bool:
    return any(matcher.test(name.encode()) for name in asking.certificate) if asking.certificate else matcher.test(None)


def _certificate_seen(asking: Asking, session_key: bytes) -> str:
    return f"certificate names {', '.join(asking.certificate)}" if asking.certificate else "certificate is not there"


def _time_holds(window: TimeWindow, asking: Asking, session_key: bytes) -> bool:
    return window.has(asking.now)


def _is_below(below: int, salt: int, asking: Asking, session_key: bytes) -> bool:
    return bucket(session_key, salt) < below


def _time_seen(window: TimeWindow, asking: Asking, session_key: bytes) -> str:
    return f"it is {window.moment(asking.now)}"


def _bucket_seen(below: int, salt: int, asking: Asking, session_key: bytes) -> str:
    return f"bucket {bucket(session_key, salt)} of {BUCKETS}: it takes those below {below}"


def _every_holds(parts: tuple[_Holds, ...], asking: Asking, session_key: bytes) -> bool:
    return all(holds(asking, session_key) for holds in parts)


def _some_holds(parts: tuple[_Holds, ...], asking: Asking, session_key: bytes) -> bool:
    return any(holds(asking, session_key) for holds in parts)


def _none_holds(parts: tuple[_Holds, ...], asking: Asking, session_key: bytes) -> bool:
    return not parts[0](asking, session_key)
